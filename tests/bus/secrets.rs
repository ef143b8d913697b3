//! What is secret is shown nowhere: not by the program, not by the server, not among a process's arguments.

use crate::deployed::{Deployed, FLYWHEEL};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

/// A command's code, and everything it says, with all its diagnostics on.
fn said(place: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let ran = Command::new(FLYWHEEL)
        .args(arguments)
        .env("FLYWHEEL_LOG", "trace")
        .envs(environment.iter().copied())
        .current_dir(place)
        .output()
        .expect("starts");
    (ran.status.code(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_shows_its_key_nowhere() {
    let deployed = Deployed::start(false).await;
    let seed = fs::read_to_string(deployed.key("worker")).expect("reads");
    let worker = deployed.process("worker", &["worker"]);
    worker.says("working on every stage").await;
    let process = Path::new("/proc").join(worker.id().to_string());
    let arguments = fs::read_to_string(process.join("cmdline")).expect("reads");
    assert!(arguments.contains("worker") && !arguments.contains(seed.trim()), "{arguments}");
    let (worker_said, server_said) = (worker.end(), deployed.server_log());
    assert!(!worker_said.contains(seed.trim()) && !server_said.contains(seed.trim()));

    let place = TempDir::new().expect("a folder");
    let (url, key) = (deployed.url(), deployed.key("worker").display().to_string());
    let authority = deployed.authority().display().to_string();
    let environment = [
        ("FLYWHEEL_NATS_URL", url.as_str()),
        ("FLYWHEEL_NATS_NKEY", &key),
        ("FLYWHEEL_NATS_CA", &authority),
        ("FLYWHEEL_NATS_INBOX_PREFIX", "_INBOX_worker"),
    ];
    for arguments in [["bus", "setup"], ["config", "show"], ["bus", "key"]] {
        let arguments = if arguments[1] == "key" { vec!["bus", "key", &key] } else { arguments.to_vec() };
        let (_, said) = said(place.path(), &arguments, &environment);
        assert!(!said.is_empty() && !said.contains(seed.trim()), "{arguments:?}: {said}");
    }
}

#[test]
fn a_password_is_shown_by_no_error_and_taken_from_no_argument() {
    let place = TempDir::new().expect("a folder");
    let secret = "hunter2hunter2";
    let password = place.path().join("password");
    fs::write(&password, secret).expect("writes");
    let file = password.display().to_string();
    let urls = [
        format!("nats://somebody:{secret}@127.0.0.1:1"),
        format!("nats://{secret}@[::1"),
        format!("nats://somebody:{secret}@127.0.0.1:1,nats://a b:{secret}@c"),
    ];
    for url in &urls {
        let environment = [("FLYWHEEL_NATS_URL", url.as_str())];
        for arguments in [["bus", "setup"], ["config", "show"]] {
            let (ended, said) = said(place.path(), &arguments, &environment);
            let refused = ended == Some(2) && said.contains("nats_password_file");
            assert!(refused && !said.contains(secret), "{arguments:?} {ended:?}: {said}");
        }
        let (ended, said) = said(place.path(), &["bus", "setup", "--nats", url], &[]);
        assert!(ended == Some(2) && said.contains("nats_password_file") && !said.contains(secret), "{said}");
    }
    for (name, hint) in [("FLYWHEEL_NATS_NKEY", "no seed"), ("FLYWHEEL_NATS_CREDENTIALS", "no credentials file")] {
        let environment = [("FLYWHEEL_NATS_URL", "nats://127.0.0.1:1"), (name, file.as_str())];
        let (ended, said) = said(place.path(), &["bus", "setup"], &environment);
        assert!(ended == Some(1) && said.contains(hint) && !said.contains(secret), "{said}");
    }
    // A file that holds something else is kept, and not quoted.
    let (ended, said) = said(place.path(), &["bus", "key", &file], &[]);
    assert!(ended == Some(2) && said.contains("is there") && !said.contains(secret), "{said}");
    assert_eq!(fs::read_to_string(&password).expect("reads"), secret);
}
