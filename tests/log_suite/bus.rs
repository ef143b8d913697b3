//! The backend on NATS JetStream: a real server for each law.

use crate::{Backend, nats::Server};
use flywheel::bus::{Address, BusLog, Topology, connect, setup};
use std::time::Duration;

pub struct OnJetStream {
    server: Server,
}

fn topology() -> Topology {
    Topology { ack_wait: Duration::from_secs(3), ..Topology::default() }
}

impl OnJetStream {
    async fn bus(&self) -> flywheel::bus::Bus {
        connect(&Address { url: self.server.url.clone(), ..Address::default() }).await.expect("connects")
    }
}

impl Backend for OnJetStream {
    type Log = BusLog;

    async fn make() -> Self {
        let backend = Self { server: Server::start() };
        setup(&backend.bus().await, &topology()).await.expect("sets up");
        backend
    }

    async fn open(&self) -> BusLog {
        BusLog::open(self.bus().await, topology()).await.expect("opens")
    }
}
