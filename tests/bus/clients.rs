//! Clients that nobody here wrote: what Python and Node make of a CloudEvent and of NATS is taken in.

use crate::swarm::{Swarm, id, path, session, until};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

/// Runs an example with its session, as whoever copies it would.
fn run(swarm: &Swarm, folder: &Path, example: &str, session: &Value) -> String {
    let (python, node) = (path(".tools/python/bin/python"), path(".tools/node/node_modules"));
    assert!(python.exists(), "there are no Python packages: `tests/tools/python` installs them");
    assert!(node.exists(), "there are no Node packages: `tests/tools/npm node tests/tools/node` installs them");
    let file = folder.join("work_session.json");
    std::fs::write(&file, session.to_string()).expect("writes");
    let script = folder.join(example);
    std::fs::copy(path("tests/bus/clients").join(example), &script).expect("copies");
    let packages = folder.join("node_modules");
    if !packages.exists() {
        std::os::unix::fs::symlink(node, packages).expect("links");
    }
    let program = if example.ends_with(".py") { python } else { "node".into() };
    let Output { status, stdout, stderr } =
        Command::new(program).arg(script).arg(file).env("NATS_URL", &swarm.server.url).output().expect("runs");
    assert!(status.success(), "{example}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn python_and_node_publish_and_submit_in_both_modes() {
    let swarm = Swarm::new(Duration::from_secs(30)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let run = |example: &str, n: usize| run(&swarm, folder.path(), example, &session(n));
    for (n, example) in ["publish.py", "publish.mjs"].into_iter().enumerate() {
        let said = run(example, n);
        assert!(said.contains("SWARM"), "{example} prints the server's acknowledgement: {said}");
    }
    let _intake = swarm.start(&["intake"]);
    until("both are in the log", || async { swarm.count_of("session-completed").await == 2 }).await;
    let answers = swarm.client.clone();
    until("submissions are answered", || async { answers.request("$SRV.PING.flywheel", "".into()).await.is_ok() })
        .await;
    for (n, example, status) in [
        (2, "submit.py", "accepted"),
        (2, "submit.mjs", "duplicate"),
        (3, "submit.mjs", "accepted"),
        (3, "submit.py", "duplicate"),
    ] {
        let answer: Value = serde_json::from_str(&run(example, n)).expect("JSON");
        assert_eq!((&answer["status"], &answer["session_id"]), (&status.into(), &id(n).into()), "{example}");
    }
    assert_eq!(swarm.facts_of("session-rejected").await.len(), 0);
    // An example is short enough to be read.
    for example in std::fs::read_dir(path("tests/bus/clients")).expect("reads") {
        let text = std::fs::read_to_string(example.expect("reads").path()).expect("reads");
        assert!(text.lines().count() < 20, "{text}");
    }
}
