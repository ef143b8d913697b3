//! A server that is too old. `tests/matrix` runs it on Debian's.

use crate::nats::Server;
use flywheel::bus::{Address, connect};

#[tokio::test]
#[ignore = "needs an old server: `tests/matrix` runs it"]
async fn an_older_server_is_refused() {
    let server = Server::start();
    let refused = connect(&Address { url: server.url.clone(), ..Address::default() }).await;
    let message = refused.expect_err("is refused").to_string();
    assert!(message.contains("2.10.0 is the oldest") && message.contains("install a newer one"), "{message}");
    // The table shows it.
    std::io::Write::write_all(&mut std::io::stderr(), format!("{message}\n").as_bytes()).expect("writes");
}
