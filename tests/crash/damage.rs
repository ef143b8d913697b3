//! Databases that are cut, damaged or somebody else's: refused with what to do, never replaced, and repaired by an import.

use crate::place::{Place, check_sessions, session};
use std::fs;

fn place() -> Place {
    let place = Place::new();
    let names: Vec<String> = (0..12).map(|n| session(&place, n)).collect();
    let arguments: Vec<&str> = ["run"].into_iter().chain(names.iter().map(String::as_str)).collect();
    place.done(&arguments);
    place.done(&["replay"]);
    place
}

/// A file as it was changed.
type Change = fn(Vec<u8>) -> Vec<u8>;

const CHANGES: &[(&str, Change)] = &[
    ("cut in its header", |bytes| bytes[..70].to_vec()),
    ("cut in the middle of a page", |bytes| bytes[..bytes.len() / 2 + 100].to_vec()),
    ("cut at a page", |bytes| bytes[..bytes.len() / 8192 * 4096].to_vec()),
    ("without its last page", |bytes| bytes[..bytes.len() - 4096].to_vec()),
    ("a text", |_| b"this is no database, and long enough to be read as one ".repeat(300)),
    ("zeros", |bytes| vec![0; bytes.len()]),
    ("overwritten behind its schema", |mut bytes| {
        bytes[8192..].fill(0x41);
        bytes
    }),
];

fn another_program(path: &std::path::Path) {
    let _ = fs::remove_file(path);
    rusqlite::Connection::open(path).expect("opens").execute_batch("CREATE TABLE theirs (x)").expect("makes");
}

#[test]
fn a_log_that_is_cut_damaged_or_foreign_is_refused_and_an_import_repairs_it() {
    let place = place();
    let export = place.export();
    place.put("log.ndjson", &export);
    let log = place.path(".flywheel/log.db");
    let whole = fs::read(&log).expect("reads");
    session(&place, 12);
    let foreign = {
        let path = place.path("theirs.db");
        another_program(&path);
        fs::read(path).expect("reads")
    };
    let changed = CHANGES.iter().map(|(name, change)| (*name, change(whole.clone())));
    for (name, bytes) in changed.chain([("another program's", foreign)]) {
        fs::write(&log, &bytes).expect("writes");
        for arguments in [&["run", "s12.json"][..], &["log", "export"], &["replay"], &["log", "import", "log.ndjson"]] {
            let ran = place.run(arguments);
            assert!(matches!(ran.code, Some(1 | 2)), "{name}: {arguments:?}: {ran:?}");
            assert!(ran.err.contains("log"), "{name}: {arguments:?}: {ran:?}");
            assert!(
                ["restore", "import", "move it away"].iter().any(|word| ran.err.contains(word)),
                "{name}: {arguments:?} does not say what to do: {ran:?}"
            );
            assert!(fs::read(&log).expect("reads") == bytes, "{name}: {arguments:?} leaves the file as it is");
        }
        // What the message says: move it away, with what SQLite keeps beside it, and import.
        for end in ["", "-wal", "-shm"] {
            let path = place.path(&format!(".flywheel/log.db{end}"));
            if path.exists() {
                fs::rename(&path, place.path(&format!("moved.db{end}"))).expect("moves");
            }
        }
        place.done(&["log", "import", "log.ndjson"]);
        assert_eq!(place.export(), export, "{name}");
        check_sessions(&place, 0..12);
        place.done(&["replay"]);
    }
    assert_eq!(place.done(&["run", "s12.json"]).err, "");
    check_sessions(&place, 0..13);
}

#[test]
fn a_missing_log_beside_views_and_state_is_not_taken_for_a_new_one() {
    let place = place();
    let export = place.export();
    place.put("log.ndjson", &export);
    fs::remove_file(place.path(".flywheel/log.db")).expect("removes");
    place.run(&["log", "export"]).failed(&["there is no log"]);
    place.run(&["replay"]).failed(&["there is no log"]);
    place.done(&["log", "import", "log.ndjson"]);
    assert_eq!(place.export(), export);
}

#[test]
fn damaged_local_state_is_named_and_may_be_moved_away() {
    let place = place();
    let local = place.path(".flywheel/local.db");
    let whole = fs::read(&local).expect("reads");
    let export = place.export();
    for (name, change) in CHANGES {
        let bytes = change(whole.clone());
        fs::write(&local, &bytes).expect("writes");
        session(&place, 12);
        let ran = place.run(&["run", "s12.json"]);
        assert!(matches!(ran.code, Some(1 | 2)), "{name}: {ran:?}");
        assert!(ran.err.contains("local.db"), "{name}: {ran:?}");
        assert!(fs::read(&local).expect("reads") == bytes, "{name}: it is left as it is");
        fs::write(&local, &whole).expect("writes");
        assert!(place.export().starts_with(&export), "{name}");
    }
    fs::remove_file(&local).expect("removes");
    let ran = place.done(&["run", "--json", "s0.json", "s12.json"]);
    assert_eq!(ran.sessions().into_iter().map(|(_, status)| status).collect::<Vec<_>>(), ["duplicate", "ready"]);
    check_sessions(&place, 0..13);
}

#[test]
fn a_damaged_view_is_rebuilt_by_a_replay() {
    let place = place();
    let before = place.done(&["replay", "--json"]).out;
    for (name, change) in CHANGES {
        for path in crate::place::files(&place.path(".flywheel/views")) {
            if path.extension().is_some_and(|extension| extension == "db") {
                let bytes = fs::read(&path).expect("reads");
                fs::write(&path, if bytes.len() > 9000 { change(bytes) } else { vec![0x41; 5000] }).expect("writes");
            } else {
                fs::write(&path, "nonsense").expect("writes");
            }
        }
        let digests = |out: &str| -> Vec<String> {
            let built: serde_json::Value = serde_json::from_str(out).expect("JSON");
            built["views"].as_array().expect("a list").iter().map(|view| view["digest"].to_string()).collect()
        };
        assert_eq!(digests(&place.done(&["replay", "--json"]).out), digests(&before), "{name}");
    }
}
