//! The files of `deploy/` name what there is: settings, roles, stages. `tests/deploy/check` judges their form.

use crate::deployed::FLYWHEEL;
use flywheel::bus::Topology;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Every file below a folder, with its text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("reads").flatten() {
        let path = entry.path();
        // What an operator made beside them is not ours.
        if path.is_dir() && !path.ends_with("credentials") && !path.ends_with("data") {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read_to_string(&path).expect("text")));
        }
    }
}

fn deploy() -> Vec<(String, String)> {
    let mut found = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"), &mut found);
    assert!(found.len() > 15, "the folder was walked");
    found
}

/// Every word of a text that begins so.
fn words<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with(prefix)).collect()
}

#[test]
fn what_they_set_is_a_setting() {
    let template = flywheel::config::template();
    let known = words(&template, "FLYWHEEL_");
    // The user and the repositories of the composed swarm, and the streams.
    let others = ["FLYWHEEL_USER", "FLYWHEEL_REPOSITORIES", "FLYWHEEL_METRICS", "FLYWHEEL_REJECTED", "FLYWHEEL_BLOBS"];
    for (file, text) in deploy() {
        for name in words(&text, "FLYWHEEL_").into_iter().filter(|name| *name != "FLYWHEEL_CONFIG") {
            assert!(known.contains(&name) || others.contains(&name), "{file}: there is no setting {name}");
        }
    }
}

#[test]
fn the_program_understands_how_they_call_it() {
    let mut count = 0;
    for (file, text) in deploy() {
        for line in text.lines().map(str::trim) {
            let listed = |name: &str| line.strip_prefix(name).and_then(|list| list.strip_suffix(']'));
            let listed = listed("command: [").or_else(|| listed("args: ["));
            let arguments: Vec<&str> = match (listed, line.strip_prefix("ExecStart=/usr/local/bin/flywheel ")) {
                // A nats-server's.
                (Some(list), _) if list.starts_with("--") => continue,
                (Some(list), _) => list.split(", ").map(|word| word.trim_matches('"')).collect(),
                (None, Some(words)) => words.split(' ').collect(),
                (None, None) => continue,
            };
            // Help is printed when everything before it was understood.
            let ran = Command::new(FLYWHEEL).args(&arguments).arg("--help").output().expect("starts");
            assert!(ran.status.success(), "{file}: {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
            count += 1;
        }
    }
    assert_eq!(count, 12, "each of four commands for compose, systemd and Kubernetes");
}

#[test]
fn whom_they_name_has_a_key_and_that_prefix() {
    let accounts = deploy().into_iter().find(|(file, _)| file.ends_with("accounts.conf")).expect("is there").1;
    for (file, text) in deploy() {
        for prefix in words(&text, "_INBOX_") {
            let role = prefix.trim_start_matches("_INBOX_");
            let agent_of_the_examples = role.starts_with("Agent-");
            let has_a_key =
                accounts.contains(&format!("$NKEY_{role}\n")) && accounts.contains(&format!("\"{prefix}.>\""));
            assert!(agent_of_the_examples || role == "admin" || has_a_key, "{file}: nobody has {prefix}");
        }
    }
}

#[test]
fn the_workers_are_scaled_by_every_stage() {
    let scaling = deploy().into_iter().find(|(file, _)| file.ends_with("worker-scaling.yaml")).expect("is there").1;
    let named = scaling.lines().filter_map(|line| line.trim().strip_prefix("consumer: ")).map(str::to_owned);
    let consumers = Topology::default().consumers().into_iter().filter(|(stream, _)| *stream == "FLYWHEEL");
    let stages: BTreeSet<_> = consumers.filter_map(|(_, config)| config.durable_name).collect();
    assert_eq!(named.collect::<BTreeSet<_>>(), stages);
}
