//! The first connection of a process that stays: where nobody answers yet, it waits.
//!
//! Invariant: what somebody who answers says (no credentials, no TLS, too old) is an error and ends the process; silence does
//! not, because a server and what connects to it are started in any order.

use super::{Address, Bus, connect, patience::jittered};
use crate::log::Error;
use async_nats::ServerAddr;
use futures::future::join_all;
use std::time::Duration;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

/// The first wait between two tries, doubled each time.
const WAIT_FIRST: Duration = Duration::from_millis(200);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a server may take to greet who connects.
const GREETING_MAX: Duration = Duration::from_secs(2);

/// Connects, as soon as one of the servers answers. `waiting` is told once why it has to wait.
///
/// # Errors
/// When a server answers, and cannot be used.
pub async fn reach(address: &Address, waiting: impl Fn(&Error)) -> Result<Bus, Error> {
    let (mut answered, mut told, mut wait) = (false, false, WAIT_FIRST);
    loop {
        let error = match connect(address).await {
            Ok(bus) => return Ok(bus),
            Err(error) => error,
        };
        let answers = answers(&address.url).await;
        if answers && answered {
            return Err(error);
        }
        // One that has come up since then is asked once more.
        answered = answers;
        if answers {
            continue;
        }
        if !told {
            waiting(&error);
            told = true;
        }
        tokio::time::sleep(jittered(wait)).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Whether any of the servers says a word; so does an address that does not read, which no waiting mends.
async fn answers(url: &str) -> bool {
    let servers: Result<Vec<ServerAddr>, _> = url.split(',').map(|server| server.trim().parse()).collect();
    let Ok(servers) = servers else { return true };
    let greeted = servers.iter().map(|server| async move { timeout(GREETING_MAX, is_greeted_by(server)).await });
    join_all(greeted).await.into_iter().any(|greeted| matches!(greeted, Ok(Ok(()))))
}

/// A server speaks first.
async fn is_greeted_by(server: &ServerAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((server.host(), server.port())).await?;
    stream.read_u8().await.map(drop)
}
