//! Three servers as `deploy/nats/cluster.conf` makes them: one log, kept three times.

use crate::{deployed::configure, nats::program};
use flywheel::bus::{Address, BusLog, Topology, connect, setup};
use flywheel::log::{Appended, Log, NewFact};
use flywheel_events::{Fact as _, Key, SessionReady};
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Processes that end when this is dropped.
struct Servers(Vec<Child>);

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &mut self.0 {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn command(folder: &Path, name: &str, store: &Path) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).args(["-c", "cluster.conf"]);
    command.env("NATS_NAME", name).env("NATS_STORE", store).env("NATS_MONITOR", "\"127.0.0.1:-1\"");
    command.env("NATS_ROUTES", "[tls://nats-1:6222, tls://nats-2:6222, tls://nats-3:6222]");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Ports that nobody listens on.
fn free_ports() -> Vec<u16> {
    let listeners: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").expect("binds")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("an address").port()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_keep_one_log_and_go_on_without_one_of_them() {
    let (folder, credentials) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    configure(folder.path(), credentials.path(), false);
    for configuration in ["server.conf", "cluster.conf"] {
        let checked = command(folder.path(), "a", folder.path()).args(["-c", configuration, "-t"]).status();
        assert!(checked.expect("starts").success(), "{configuration}");
    }
    let ports = free_ports();
    let routes: Vec<String> = ports[3..].iter().map(|port| format!("tls://127.0.0.1:{port}")).collect();
    let mut servers = Servers(vec![]);
    for (number, route) in routes.iter().enumerate() {
        let store = folder.path().join(format!("store-{number}"));
        let mut server = command(folder.path(), &format!("nats-{number}"), &store);
        server.args(["-a", "127.0.0.1", "-p", &ports[number].to_string(), "--cluster", route]);
        server.args(["--routes", &routes.join(",")]).arg("-l").arg(folder.path().join(format!("{number}.log")));
        servers.0.push(server.spawn().expect("starts"));
    }
    let urls: Vec<String> = ports[..3].iter().map(|port| format!("tls://127.0.0.1:{port}")).collect();
    let admin = Address {
        url: urls.join(","),
        nkey: Some(credentials.path().join("clients/admin.nk")),
        certificate_authority: Some(credentials.path().join("server/ca.crt")),
        ..Address::default()
    };
    let topology = Topology { replicas: 3, ..Topology::default() };
    let start = Instant::now();
    let bus = loop {
        let ready = async {
            let bus = connect(&admin).await?;
            setup(&bus, &topology).await.map(|_| bus)
        };
        match ready.await {
            Ok(bus) => break bus,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let log = BusLog::open(bus, topology).await.expect("opens");
    let fact = |run: u32| {
        let session = SessionReady::example();
        let key = Key::session("build-ready".parse().expect("a step"), session.session_id, run);
        NewFact::new(key, "/flywheel/test", &session)
    };
    assert_eq!(log.append(vec![fact(1)]).await.expect("appends"), [Appended::Appended(1)]);
    // A delivery can come from a server that is ahead of the leader: what it rests on is waited for.
    let mut reached = Box::pin(log.reach(2));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut reached).await.is_err());
    assert_eq!(log.append(vec![fact(3)]).await.expect("appends"), [Appended::Appended(2)]);
    assert!(reached.await.expect("reads"));
    let mut gone = servers.0.remove(0);
    gone.kill().and_then(|()| gone.wait()).expect("ends");
    assert_eq!(
        log.append(vec![fact(2), fact(1)]).await.expect("appends"),
        [Appended::Appended(3), Appended::Duplicate(1)]
    );
    for number in 0..3 {
        let said = std::fs::read_to_string(folder.path().join(format!("{number}.log"))).expect("reads");
        assert!(said.contains("Route connection created") && !said.contains("TLS route handshake error"), "{said}");
    }
}
