//! What happened when, one JSON object a line; and who was harmed when.

use chrono::Utc;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

pub struct History {
    path: PathBuf,
    start: Instant,
    file: Mutex<File>,
    /// Who was killed, stopped or ended, and when, in milliseconds of the machine's clock.
    harmed: Mutex<Vec<(i64, String)>>,
}

impl History {
    pub fn new(name: &str, seed: u64) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{name}-{seed}.ndjson"));
        let file = Mutex::new(File::create(&path)?);
        Ok(Self { path, start: Instant::now(), file, harmed: Mutex::default() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn note(&self, who: &str, what: &str, of: impl Into<Value>) {
        let line = json!({ "ms": self.start.elapsed().as_millis() as u64, "who": who, "what": what, "of": of.into() });
        let mut file = self.file.lock().expect("nobody panics while writing");
        writeln!(file, "{line}").expect("the history can be written");
    }

    /// Notes that a process could not go on with what it had in hand.
    pub fn harm(&self, who: &str) {
        self.harmed.lock().expect("nobody panics while noting").push((Utc::now().timestamp_millis(), who.to_owned()));
    }

    /// How often one of this role was harmed between two moments.
    pub fn harms(&self, role: &str, from: i64, to: i64) -> usize {
        let harmed = self.harmed.lock().expect("nobody panics while noting");
        harmed.iter().filter(|(at, who)| (from..=to).contains(at) && who.starts_with(role)).count()
    }
}
