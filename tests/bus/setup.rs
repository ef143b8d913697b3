//! Setting up where there is little room, and changing what was set up.

use crate::{
    nats::Server,
    place::{Place, append, bus, log},
};
use async_nats::jetstream::stream::Config;
use flywheel::bus::{GIB, Topology};

/// A server of 10 GiB that says so to whoever asks in the account.
const SMALL: &str = "jetstream { store_dir: \"{store}\", max_file_store: 10GB }
accounts {
  A { jetstream: enabled, users: [{ user: a, password: a }], imports: [{ service: { account: SYS, subject: \"$SYS.REQ.SERVER.PING.VARZ\" } }] }
  SYS { users: [{ user: s, password: s }], exports: [{ service: \"$SYS.REQ.SERVER.PING.VARZ\", response: stream, accounts: [A] }] }
}
system_account: SYS
no_auth_user: a
";

async fn config(server: &Server, name: &str) -> Config {
    bus(server).await.jetstream.get_stream(name).await.expect("is there").cached_info().config.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_said_with_the_setting_to_lower_and_can_be_changed() {
    let server = Server::configured(SMALL);
    let place = Place::on(&server);
    let ran = place.run(&["bus", "setup"]);
    let words =
        ["set 4 GiB aside on the server", "beside 8 GiB", "the server has 10 GiB", "nats_inbox_gib", "max_file_store"];
    ran.failed(1, &[&["cannot make the stream SWARM"], &words[..]].concat());
    std::fs::write(place.path("flywheel.toml"), "nats_blobs_gib = 4\n").expect("writes");
    // What is there already differs now, which is said with what to do, and not done.
    place.run(&["bus", "setup"]).failed(1, &["OBJ_FLYWHEEL_BLOBS", "max_bytes is 8589934592", "--update"]);
    assert_eq!(config(&server, "OBJ_FLYWHEEL_BLOBS").await.max_bytes, 8 * GIB);
    let ran = place.run(&["bus", "setup", "--update"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("changed: max_bytes is 8589934592, and must be 4294967296"), "{ran:?}");
    assert_eq!(config(&server, "OBJ_FLYWHEEL_BLOBS").await.max_bytes, 4 * GIB);
    let again = place.run(&["bus", "setup", "--update", "--json"]).json();
    let again = again.as_array().expect("a list");
    assert!(again.iter().all(|change| change["there"] == true && change["changed"].is_null()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_law_is_never_changed_and_nothing_is_made_smaller_than_what_it_holds() {
    let server = Server::start();
    append(&log(&server).await, 1..=3).await;
    let (place, jetstream) = (Place::on(&server), bus(&server).await.jetstream);
    let change = async |name: &str, change: &dyn Fn(&mut Config)| {
        let mut changed = config(&server, name).await;
        change(&mut changed);
        jetstream.update_stream(&changed).await.expect("changes");
    };
    // One difference that may be changed, and one that may not: neither is.
    change("SWARM", &|config| config.max_bytes = 2 * GIB).await;
    change("FLYWHEEL", &|config| config.allow_direct = true).await;
    place.run(&["bus", "setup", "--update"]).failed(1, &["FLYWHEEL is not what flywheel needs", "allow_direct"]);
    assert_eq!(config(&server, "SWARM").await.max_bytes, 2 * GIB);
    change("FLYWHEEL", &|config| config.allow_direct = false).await;
    change("FLYWHEEL", &|config| config.max_bytes = 1024 * 1024).await;
    assert_eq!(place.run(&["bus", "setup", "--update"]).code, 0);
    assert_eq!(config(&server, "FLYWHEEL").await.max_bytes, -1);
    assert_eq!(config(&server, "SWARM").await.max_bytes, Topology::default().inbox_bytes_max);
    let facts = jetstream.get_stream("FLYWHEEL").await.expect("is there").cached_info().state.messages;
    assert_eq!(facts, 3);

    let sent = jetstream.publish("swarm.session.completed.Agent-7", vec![b'x'; 4096].into()).await.expect("sends");
    sent.await.expect("is stored");
    let small = Topology { inbox_bytes_max: 1024, ..Topology::default() };
    let refused = flywheel::bus::update(&bus(&server).await, &small).await.expect_err("is refused").to_string();
    assert!(refused.contains("SWARM") && refused.contains("is to hold 1024 bytes"), "{refused}");
}
