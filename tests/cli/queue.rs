//! `flywheel queue add`.

use crate::Place;

#[test]
fn a_file_is_queued_once_at_each_target() {
    let place = Place::new();
    place.put("README.md", "# A tool\n\nIt does one thing.\n");
    let add = &["queue", "add", "--type", "readme", "--file", "README.md", "--json"][..];
    let ran = place.run(add);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let first = ran.json();
    let statuses = |document: &serde_json::Value| -> Vec<(String, String)> {
        let items = document["items"].as_array().expect("a list");
        items
            .iter()
            .map(|item| (item["target"].as_str().unwrap().into(), item["status"].as_str().unwrap().into()))
            .collect()
    };
    let pair = |target: &str, status: &str| (target.to_owned(), status.to_owned());
    assert_eq!(statuses(&first), [pair("github", "queued"), pair("website", "queued")]);
    let log = place.log();
    // The artifact and two items.
    assert_eq!(log.lines().count(), 3);
    assert!(log.contains("It does one thing."), "the text is in the log");

    let again = place.run(add).json();
    assert_eq!(statuses(&again), [pair("github", "duplicate"), pair("website", "duplicate")]);
    assert_eq!(again["artifact"], first["artifact"]);
    assert_eq!(place.log(), log, "twice is once");

    let more = place.run(&[add, &["--targets", "social,github,social"]].concat()).json();
    assert_eq!(statuses(&more), [pair("social", "queued"), pair("github", "duplicate")]);
    assert_eq!(place.log().lines().count(), 4);
    let text = place.run(&["queue", "add", "--type", "readme", "--file", "README.md"]);
    assert_eq!(text.out.lines().count(), 2);
}

#[test]
fn what_cannot_be_queued_is_refused_and_changes_nothing() {
    let place = Place::new();
    place.put("good.md", "text");
    place.put("binary", [0xff, 0xfe, 0x00]);
    place.put("empty", "\n");
    place.put("large", "x".repeat(256 * 1024 + 1));
    let refused = |arguments: &[&str], words: &[&str]| {
        place.run(&[&["queue", "add"], arguments].concat()).refused(words);
    };
    refused(&["--type", "poem", "--file", "good.md"], &["poem", "readme", "devlog"]);
    refused(&["--type", "readme", "--file", "good.md", "--targets", "moon"], &["moon", "github", "social"]);
    refused(&["--type", "readme", "--file", "none.md"], &["none.md", "hint: "]);
    refused(&["--type", "readme", "--file", "."], &["directory", "hint: "]);
    refused(&["--type", "readme", "--file", "binary"], &["binary: not UTF-8", "hint: "]);
    refused(&["--type", "readme", "--file", "empty"], &["empty: there is nothing in it", "hint: "]);
    refused(&["--type", "readme", "--file", "large"], &["large: more than 262144 bytes", "hint: "]);
    refused(&["--type", "readme", "--file", "/dev/zero"], &["/dev/zero: more than", "hint: "]);
    assert_eq!(place.names(), ["binary", "empty", "good.md", "large"]);
}
