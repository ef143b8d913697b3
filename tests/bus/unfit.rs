//! A bus that is not as it must be: whoever needs it says how it differs, and ends.

use crate::swarm::Swarm;
use async_nats::jetstream::{consumer::pull, stream};
use flywheel::bus::Topology;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_must_be_ends_whoever_needs_it() {
    let swarm = Swarm::new(Duration::from_secs(30)).await;
    let jetstream = &swarm.log.bus().jetstream;
    let change = async |stream: &str, consumer: &str, to: i64| {
        let mut all = Topology::default().consumers().into_iter();
        let (_, wanted) = all.find(|(_, of)| of.durable_name.as_deref() == Some(consumer)).expect("is one");
        let stream = jetstream.get_stream(stream).await.expect("is there");
        stream.update_consumer(pull::Config { max_ack_pending: to, ..wanted }).await.expect("updates");
    };
    let ends = async |command: &str, words: &[&str]| {
        let mut process = tokio::process::Command::from(swarm.command(&[command]));
        let ended = timeout(Duration::from_secs(20), process.kill_on_drop(true).output()).await;
        let ended = ended.expect("it ends by itself").expect("starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!said.contains("beginning anew"), "{said}");
    };
    change("FLYWHEEL", "trade-thread", 7).await;
    ends("worker", &["the consumer FLYWHEEL/trade-thread is not", "max_ack_pending is 7, and must be 16384"]).await;
    change("FLYWHEEL", "trade-thread", 16384).await;
    change("SWARM", "intake", 7).await;
    ends("intake", &["the consumer SWARM/intake is not", "max_ack_pending is 7"]).await;
    change("SWARM", "intake", 16384).await;

    let other = stream::Config { duplicate_window: Duration::from_secs(7), ..Topology::default().log() };
    jetstream.update_stream(other).await.expect("updates");
    for command in ["worker", "intake", "serve"] {
        ends(command, &["the stream FLYWHEEL is not what flywheel needs", "duplicate_window is 7000000000"]).await;
    }
}
