//! What happened when, one JSON object a line.

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
}

impl History {
    pub fn new(name: &str, seed: u64) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{name}-{seed}.ndjson"));
        let file = Mutex::new(File::create(&path)?);
        Ok(Self { path, start: Instant::now(), file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn note(&self, who: &str, what: &str, of: impl Into<Value>) {
        let line = json!({ "ms": self.start.elapsed().as_millis() as u64, "who": who, "what": what, "of": of.into() });
        let mut file = self.file.lock().expect("nobody panics while writing");
        writeln!(file, "{line}").expect("the history can be written");
    }
}
