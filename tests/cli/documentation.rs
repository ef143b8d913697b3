//! Help, completions and manual pages: for every command there is, found by walking clap's own tree.
//!
//! `UPDATE_GOLDENS=1 cargo test --test cli` writes `tests/cli/help` anew.

use crate::{Place, names};
use clap::CommandFactory as _;
use std::{collections::BTreeMap, fs, path::Path};

/// Every command with the words that lead to it, the program itself first.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    let mut root = flywheel::cli::Cli::command();
    root.build();
    let (mut found, mut open) = (vec![], vec![(vec![], root)]);
    while let Some((words, command)) = open.pop() {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let words = [words.clone(), vec![below.get_name().to_owned()]].concat();
            open.push((words, below.clone()));
        }
        found.push((words, command));
    }
    assert!(found.len() > 20, "the tree was walked");
    found
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn every_command_says_what_it_is_and_shows_examples() {
    for (words, command) in commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{words:?} has no about");
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = after.split_once("Examples:\n").map(|(_, examples)| examples).unwrap_or_default();
        let own = words.last().map_or("flywheel", String::as_str);
        assert!(
            examples.contains("flywheel ") && examples.contains(own),
            "{words:?} has no example of itself: {after}"
        );
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{words:?}: {} has no help", argument.get_id());
        }
    }
}

#[test]
fn the_help_of_every_command_is_the_golden_one() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help");
    let mut made = BTreeMap::new();
    for (path, _) in commands() {
        let name = [vec!["flywheel"], words(&path)].concat().join("-") + ".txt";
        let ran = place.run(&[words(&path), vec!["--help"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name}");
        made.insert(name, ran.out);
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("makes the folder");
        made.iter().for_each(|(name, text)| fs::write(folder.join(name), text).expect("writes"));
    }
    assert_eq!(names(&folder), made.keys().cloned().collect::<Vec<_>>(), "UPDATE_GOLDENS=1 writes them anew");
    for (name, text) in &made {
        let kept = fs::read_to_string(folder.join(name)).expect("reads");
        assert!(kept == *text, "tests/cli/help/{name} is not what the program says: UPDATE_GOLDENS=1 writes it anew");
    }
}

#[test]
fn there_are_completions_for_every_shell() {
    let place = Place::new();
    for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
        let ran = place.run(&["completions", &shell.to_string()]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        for command in ["session", "validate", "repo-root"] {
            assert!(ran.out.contains(command), "{shell} completes `{command}`");
        }
    }
    place.run(&["completions", "cmd"]).refused(&["cmd", "bash"]);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let place = Place::new();
    for (path, command) in commands() {
        let ran = place.run(&[vec!["man"], words(&path)].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path:?}");
        assert!(ran.out.contains(".TH") && ran.out.contains(".SH NAME"), "{path:?}: {}", ran.out);
        let about = command.get_about().expect("another test checks").to_string();
        let first = about.split([' ', '-']).next().expect("a word");
        assert!(ran.out.contains(first), "{path:?} says `{about}`");
    }
    place.run(&["man", "nope"]).refused(&["there is no command `nope`", "flywheel help"]);
}

#[test]
fn schemas_the_bus_contract_and_the_graph_are_printed() {
    let place = Place::new();
    let listed = place.run(&["schema", "--json"]).json();
    let listed: Vec<&str> =
        listed.as_array().expect("a list").iter().map(|row| row["name"].as_str().unwrap()).collect();
    let events = flywheel_events::catalog::all();
    assert_eq!(listed.len(), events.len() + 1);
    for name in listed.iter().copied().chain(events.iter().map(|event| event.event_type)) {
        let ran = place.run(&["schema", name]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name}");
        assert_eq!(ran.json()["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(place.run(&["schema"]).out.contains(name), "{name} is listed");
    }
    place.run(&["schema", "nope"]).refused(&["there is no event `nope`", "flywheel schema"]);
    let document = place.run(&["asyncapi"]).json();
    assert!(document["asyncapi"].as_str().is_some_and(|version| version.starts_with("3.")));

    let stages = place.run(&["stages", "--json"]).json();
    assert_eq!(stages, place.run(&["stages", "--format", "json"]).json());
    let (text, mermaid) = (place.run(&["stages"]), place.run(&["stages", "--format", "mermaid"]));
    assert!(mermaid.out.starts_with("flowchart "));
    for pipeline in stages["pipelines"].as_array().expect("a list") {
        for stage in pipeline["stages"].as_array().expect("a list") {
            let name = stage["name"].as_str().expect("a name");
            assert!(text.out.contains(name) && mermaid.out.contains(name), "{name}");
        }
    }
    assert_eq!(place.names(), Vec::<String>::new(), "what documents the program makes no file");
}
