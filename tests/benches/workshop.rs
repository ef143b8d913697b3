//! A data folder with all that sessions need, used as `flywheel run` uses it.

use flywheel::{
    accept, drive,
    intake::{self, Accepted},
    local::Local,
    log::{EmbeddedLog, Log as _, NewFact},
    parallel,
    runner::Tools,
    safety::{self, Cleaner},
    templates::Templates,
    world::World,
};
use flywheel_events::{SessionId, SessionType};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// An open data folder.
pub struct Workshop {
    /// The log.
    pub log: EmbeddedLog,
    local: Local,
    /// What its stages are given.
    pub tools: Arc<Tools>,
    cleaner: Cleaner,
    /// What it runs on.
    pub runtime: Runtime,
}

/// How long each part of running sessions took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Reading, judging and cleaning them.
    pub read: Duration,
    /// Appending them.
    pub append: Duration,
    /// Running every stage, up to the last `ready`.
    pub drive: Duration,
}

impl Times {
    /// From the first byte to the last `ready`.
    pub fn total(self) -> Duration {
        self.read + self.append + self.drive
    }
}

impl Workshop {
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let local = Local::open(data)?;
        let origins = local.clone();
        let world = World {
            origins: Box::new(move |session| origins.origin(session)),
            roots: vec![examples().canonicalize()?],
            ..World::nowhere()
        };
        // The examples hold nothing of this machine's.
        let cleaner = || Cleaner::new(safety::Context::default());
        Ok(Self {
            log: EmbeddedLog::open(data, &local)?,
            tools: Arc::new(Tools { templates: Templates::load(None)?, world, cleaner: cleaner() }),
            cleaner: cleaner(),
            local,
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
        })
    }

    /// Takes sessions from their bytes to their `ready`.
    pub fn run(&self, files: &[Vec<u8>]) -> anyhow::Result<Times> {
        let start = Instant::now();
        let mut facts: Vec<NewFact> = Vec::with_capacity(files.len());
        let mut sessions = HashMap::new();
        let read = parallel::each(files, |file| {
            let accepted = intake::read("bench", file, None).map_err(|report| anyhow::anyhow!("{report:?}"))?;
            let fact = accept::fact(&accepted, &self.cleaner).0;
            anyhow::Ok((accepted, fact))
        });
        for read in read {
            let (accepted, fact) = read?;
            facts.push(fact);
            self.remember(&accepted)?;
            sessions.insert(accepted.session.session_id, 1);
        }
        let read = start.elapsed();
        let start = Instant::now();
        let after = self.log.head_now()?.position;
        self.runtime.block_on(self.log.append(facts))?;
        let append = start.elapsed();
        let start = Instant::now();
        self.runtime.block_on(drive::drive(&self.log, &self.tools, sessions, after, |_| {}))?;
        Ok(Times { read, append, drive: start.elapsed() })
    }

    fn remember(&self, accepted: &Accepted) -> anyhow::Result<()> {
        let origin = accept::origin(accepted, examples());
        self.local.remember_origin(accepted.session.session_id, None, &origin, true)
    }

    /// Appends facts.
    pub fn append(&self, facts: Vec<NewFact>) -> anyhow::Result<()> {
        self.runtime.block_on(self.log.append(facts))?;
        Ok(())
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples")
}

/// One of the example sessions.
pub fn example(session_type: SessionType) -> anyhow::Result<Value> {
    let path = examples().join(format!("{}.json", session_type.as_str()));
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// The n-th session id of a bench.
pub fn id(n: u64) -> SessionId {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::from(n)).into()
}

/// The type of the n-th generated session: one trade, one life.
pub fn type_of(n: u64) -> SessionType {
    if n.is_multiple_of(2) { SessionType::Trade } else { SessionType::LifeAria }
}

/// Generated session files, half trade and half life, no two alike in what they hold.
pub fn sessions(numbers: std::ops::Range<u64>) -> anyhow::Result<Vec<Vec<u8>>> {
    let (trade, life) = (example(SessionType::Trade)?, example(SessionType::LifeAria)?);
    let session = |n| {
        let mut session = if type_of(n) == SessionType::Trade { trade.clone() } else { life.clone() };
        session["session_id"] = json!(id(n).to_string());
        session["agent_id"] = json!(format!("Agent-{}", n % 8));
        match type_of(n) {
            SessionType::Trade => reprice(&mut session, n)?,
            _ => session = serde_json::from_str(&session.to_string().replace("Tide Pool", &format!("Tide Pool {n}")))?,
        }
        Ok(session.to_string().into_bytes())
    };
    numbers.map(session).collect()
}

/// Other prices for the same trades.
fn reprice(session: &mut Value, n: u64) -> anyhow::Result<()> {
    let Some(fills) = session["source_data"]["fills"].as_array_mut() else { return Ok(()) };
    for fill in fills {
        let price: Decimal = fill["price"].as_str().unwrap_or_default().parse()?;
        fill["price"] = json!((price + Decimal::new(i64::try_from(n)?, 2)).to_string());
    }
    Ok(())
}
