//! A commit as the session's agent lists it, where git is not there to tell.

use super::{Raw, link_reverts, message::split, people::name_only, place::is_merge_header};
use flywheel_events::{Commit, CommitRecord, FileChange, stamp, stamp::Stamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// All the commits a session lists, each once, oldest first where every one has a time, with what is odd about them.
pub fn from_records(records: &[CommitRecord]) -> (Vec<Commit>, Vec<String>) {
    let mut warnings = vec![];
    let mut commits: Vec<Commit> = vec![];
    for (index, record) in unique(records, &mut warnings) {
        let (commit, warning) = from_record(record, index);
        commits.push(commit);
        warnings.extend(warning);
    }
    in_order(&mut commits);
    link_reverts(&mut commits);
    (commits, warnings)
}

/// The records with their places, each hash once.
pub fn unique<'a>(records: &'a [CommitRecord], warnings: &mut Vec<String>) -> Vec<(usize, &'a CommitRecord)> {
    let mut seen = BTreeSet::new();
    let mut unique = vec![];
    for (index, record) in records.iter().enumerate() {
        if seen.insert(record.hash.to_ascii_lowercase()) {
            unique.push((index, record));
        } else {
            warnings.push(format!("source_data.git_commits[{index}].hash: listed before, counted once"));
        }
    }
    unique
}

/// Oldest first where every commit has a time, else as they are.
pub fn in_order(commits: &mut [Commit]) {
    if commits.iter().all(|commit| commit.timestamp.is_some()) {
        commits.sort_by_key(|commit| commit.timestamp);
    }
}

/// Reads the record at `index` of `source_data.git_commits`, with a warning if its stamp is odd. Lines are null: nobody
/// counted them.
pub fn from_record(record: &CommitRecord, index: usize) -> (Commit, Option<String>) {
    let (timestamp, warning) = read_stamp(record.timestamp.as_ref(), index);
    let message = record.message.clone().unwrap_or_default();
    let merge = is_merge_header(split(&message).0);
    let mut seen = BTreeSet::new();
    let files = record
        .files
        .iter()
        .filter(|_| !merge)
        .filter_map(|path| relative(path))
        .filter(|path| seen.insert(path.clone()))
        .map(|path| FileChange { path, renamed_from: None, added: None, removed: None })
        .collect();
    let author = record.author.as_deref().and_then(name_only);
    (Raw { hash: record.hash.clone(), author, timestamp, message, files, merge }.read(), warning)
}

fn read_stamp(value: Option<&Value>, index: usize) -> (Option<Stamp>, Option<String>) {
    let at = format!("source_data.git_commits[{index}].timestamp");
    match value {
        None | Some(Value::Null) => (None, None),
        Some(Value::String(text)) => match stamp::parse_lenient(text) {
            Ok((stamp, false)) => (Some(stamp), None),
            Ok((stamp, true)) => {
                let warning = format!("{at}: `{text}` is not RFC 3339, read as {}", stamp.to_rfc3339());
                (Some(stamp), Some(warning))
            }
            Err(error) => (None, Some(format!("{at}: {error}; the commit is kept without a time"))),
        },
        Some(_) => {
            (None, Some(format!("{at}: expected text like `2025-12-02T05:20:00Z`; the commit is kept without a time")))
        }
    }
}

/// A listed path, relative: of an absolute one only the last component stays.
fn relative(path: &str) -> Option<String> {
    let path = path.trim();
    let drive = path.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && path.as_bytes().get(1) == Some(&b':');
    let kept = if drive || path.starts_with(['/', '\\', '~']) {
        path.rsplit(['/', '\\']).find(|component| !component.is_empty() && !component.ends_with(':'))?
    } else {
        path.strip_prefix("./").unwrap_or(path)
    };
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn record(value: Value) -> CommitRecord {
        serde_json::from_value(value).expect("a record")
    }

    #[test]
    fn the_guides_record_reads() {
        let (commit, warning) = from_record(
            &record(json!({
                "hash": "def456ghi789",
                "message": "feat: Add website publisher",
                "author": "Agent-7 <agent7@example.org>",
                "timestamp": "2025-12-02 05:18:00 -0600Z",
                "files": ["a/b.py", "a/b.py", "./c.py", "/home/x/d.py", "D:\\e\\f.py", "C:", ""],
            })),
            1,
        );
        assert_eq!(commit.hash, "def456ghi789");
        assert_eq!(commit.author.as_deref(), Some("Agent-7"));
        assert_eq!(commit.timestamp.map(|stamp| stamp.to_rfc3339()).as_deref(), Some("2025-12-02T05:18:00-06:00"));
        assert_eq!((commit.kind.as_deref(), commit.description.as_str()), (Some("feat"), "Add website publisher"));
        let paths: Vec<&str> = commit.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/b.py", "c.py", "d.py", "f.py"]);
        assert!(commit.files.iter().all(|file| file.added.is_none() && file.removed.is_none()));
        let warning = warning.expect("a warning");
        assert!(warning.starts_with("source_data.git_commits[1].timestamp: "), "{warning}");
    }

    #[test]
    fn a_bad_stamp_is_a_warning_with_its_index() {
        for (stamp, warned) in [
            (json!("2025-12-02T05:18:00Z"), false),
            (json!(null), false),
            (json!("yesterday"), true),
            (json!("2025-12-02T05:18:00"), true),
            (json!(1_764_652_680), true),
        ] {
            let (commit, warning) = from_record(&record(json!({ "hash": "a", "timestamp": stamp })), 12);
            assert_eq!(warning.is_some(), warned, "{stamp}");
            assert!(warning.is_none_or(|text| text.starts_with("source_data.git_commits[12].timestamp: ")));
            assert!(commit.timestamp.is_none() || !warned);
        }
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(message in any::<String>(), author in any::<String>(), path in any::<String>(), stamp in any::<String>()) {
            let record = record(json!({ "hash": "a", "message": message, "author": author, "timestamp": stamp, "files": [path] }));
            let (commit, _) = from_record(&record, usize::MAX);
            prop_assert!(commit.files.iter().all(|file| !file.path.starts_with('/')));
        }
    }
}
