//! A folder in which the program runs, and what is read off its log.

use flywheel_events::{Digest, Key};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

/// What a test that fails must name.
pub fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let given = std::env::var("FLYWHEEL_CRASH_SEED").ok().map(|text| text.parse().expect("a number"));
        given.unwrap_or_else(rand::random)
    });
    eprintln!("FLYWHEEL_CRASH_SEED={}", *SEED);
    *SEED
}

pub fn random() -> StdRng {
    StdRng::seed_from_u64(seed())
}

pub fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flywheel"));
    bare(&mut command, folder);
    command.args(arguments);
    command
}

/// No environment but `PATH`, no input.
pub fn bare(command: &mut Command, folder: &Path) {
    let path = std::env::vars().filter(|(name, _)| name == "PATH");
    command.current_dir(folder).env_clear().envs(path).stdin(Stdio::null());
}

#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        // In memory where there is such a folder: a process that dies leaves what it has written to the system, not to a
        // disk, and the system stays.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { folder: folder.expect("a folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path(".flywheel")
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes the folder");
        fs::write(path, text).expect("writes");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        program(self.folder.path(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("it starts"))
    }

    /// It ends well.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran
    }

    /// The log's export; nothing where there is no log yet.
    #[track_caller]
    pub fn export(&self) -> String {
        if self.path(".flywheel/log.db").exists() { self.done(&["log", "export"]).out } else { String::new() }
    }

    #[track_caller]
    pub fn facts(&self) -> Facts {
        Facts::of(&self.export())
    }
}

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The sessions of a `run --json`: their ids and how they ended.
    pub fn sessions(&self) -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let sessions = report["sessions"].as_array().expect("a list").iter();
        sessions.map(|session| (text(&session["session_id"]), text(&session["status"]))).collect()
    }

    /// It failed, and said so in these words.
    #[track_caller]
    pub fn failed(&self, words: &[&str]) {
        assert!(matches!(self.code, Some(1 | 2)), "{self:?}");
        for word in words {
            assert!(self.err.contains(word) || self.out.contains(word), "`{word}` is missing in: {self:?}");
        }
    }
}

/// The n-th id of a test.
pub fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// The n-th session, in `s<n>.json`: even ones trade, odd ones live. No two have the same artifacts.
pub fn session(place: &Place, n: usize) -> String {
    let trade = n.is_multiple_of(2);
    let mut document: Value =
        serde_json::from_str(if trade { crate::TRADE } else { crate::LIFE }).expect("an example is JSON");
    document["session_id"] = id(n).into();
    if trade {
        document["source_data"]["trades"][0]["symbol"] = format!("T{n}").into();
    } else {
        document["source_data"]["conversations"][0]["artifacts"][0]["name"] = format!("Game {n}").into();
    }
    let name = format!("s{n}.json");
    place.put(&name, serde_json::to_string_pretty(&document).expect("plain JSON"));
    name
}

/// A log, checked: positions without gaps, every key once, the chain whole.
#[derive(Debug, Default)]
pub struct Facts {
    /// In the log's order.
    pub all: Vec<(Key, Value)>,
}

impl Facts {
    #[track_caller]
    pub fn of(export: &str) -> Self {
        let (mut all, mut chain, mut keys) = (vec![], Digest::GENESIS, BTreeSet::new());
        for (index, line) in export.lines().enumerate() {
            let line: flywheel::log::Line<'_> = serde_json::from_str(line).expect("a line of an export");
            assert_eq!(line.position, index as u64 + 1, "no gaps");
            chain = chain.chain(&line.key, &Digest::of(line.event.get().as_bytes()));
            assert_eq!(line.chain, chain, "the chain holds at {}", line.position);
            assert!(keys.insert(line.key.to_string()), "{} is there once", line.key);
            all.push((line.key, serde_json::from_str(line.event.get()).expect("JSON")));
        }
        Self { all }
    }

    pub fn count(&self, step: &str) -> usize {
        self.all.iter().filter(|(key, _)| key.step.as_str() == step).count()
    }

    pub fn ready(&self) -> BTreeSet<String> {
        let ready = self.all.iter().filter(|(key, _)| key.step.as_str().ends_with("-ready"));
        ready.map(|(key, _)| key.id.to_string()).collect()
    }

    /// Each session's steps and the type of the fact each ended in.
    pub fn steps(&self) -> BTreeMap<String, BTreeSet<(String, String)>> {
        let mut steps: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for (key, event) in self.all.iter().filter(|(key, _)| key.session_id().is_some()) {
            let step = (key.step.to_string(), event["type"].as_str().expect("a type").to_owned());
            steps.entry(key.id.to_string()).or_default().insert(step);
        }
        steps
    }

    /// Every artifact's digest is that of its text, in the log and on disk below `folder`. Says how many there are.
    #[track_caller]
    pub fn check_artifacts(&self, folder: &Path) -> usize {
        let made = self.all.iter().filter(|(_, event)| event["type"] == "dev.dreamos.artifact.generated.v1");
        let mut count = 0;
        for (key, event) in made.filter(|(key, _)| key.session_id().is_some()) {
            let data = &event["data"];
            let content = data["content"].as_str().expect("a text");
            assert_eq!(data["sha256"].as_str(), Some(&*Digest::of(content.as_bytes()).to_string()), "{key}");
            let path = folder.join(data["path"].as_str().expect("a path"));
            let found = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(found == content, "{} is what the log has", path.display());
            count += 1;
        }
        count
    }
}

/// What an undisturbed run of the first two sessions writes: the steps of a trade session, and of a life session.
pub fn undisturbed() -> &'static [BTreeSet<(String, String)>; 2] {
    static STEPS: LazyLock<[BTreeSet<(String, String)>; 2]> = LazyLock::new(|| {
        let place = Place::new();
        place.done(&["run", &session(&place, 0), &session(&place, 1)]);
        let steps = place.facts().steps();
        [steps[&id(0)].clone(), steps[&id(1)].clone()]
    });
    &STEPS
}

/// These sessions, and no others, have ended as an undisturbed run ends them.
#[track_caller]
pub fn check_sessions(place: &Place, sessions: impl Iterator<Item = usize>) -> Facts {
    let facts = place.facts();
    let steps = facts.steps();
    let mut count = 0;
    for n in sessions {
        assert_eq!(steps.get(&id(n)), Some(&undisturbed()[n % 2]), "session {n}");
        count += 1;
    }
    assert_eq!(steps.len(), count, "no session but those that were given");
    facts.check_artifacts(&place.data().join("artifacts"));
    facts
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(|entry| entry.expect("reads").path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

/// What processes leave behind when they die.
pub fn leftovers(place: &Place) -> Vec<PathBuf> {
    let left = |path: &PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy();
        name.ends_with(".tmp") || name.ends_with(".lock") || name.ends_with(".new")
    };
    files(&place.path(".")).into_iter().filter(left).collect()
}

/// A log's lines with other events: `change` is given each event, and the ids and the chain are computed anew.
pub fn rechained(facts: &[(Key, Value)], mut change: impl FnMut(usize, &mut Value)) -> String {
    let (mut chain, mut lines) = (Digest::GENESIS, String::new());
    for (index, (key, event)) in facts.iter().enumerate() {
        let mut event = event.clone();
        change(index, &mut event);
        let event = serde_json::value::to_raw_value(&event).expect("plain JSON");
        chain = chain.chain(key, &Digest::of(event.get().as_bytes()));
        let line = flywheel::log::Line { position: index as u64 + 1, key: key.clone(), chain, event: &event };
        lines += &format!("{}\n", serde_json::to_string(&line).expect("plain JSON"));
    }
    lines
}
