//! How fast the program is: figures beside their limits. `cargo bench --bench speed [-- NAME…]`.
//!
//! It never asserts, because a figure belongs to the machine and to what else runs there; a limit that is missed is
//! marked. `FLYWHEEL_BENCH_SCALE=0.1` makes a tenth of every amount, for a quick look. What is slow to make is kept under
//! `target/tmp/bench`, named by what it holds; delete the folder when the facts of the program have changed.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures, and prints what it measured")]

mod bus;
mod live;
mod made;
mod many;
#[path = "../support/nats.rs"]
mod nats;
mod process;
mod replica;
mod report;
mod repository;
mod swarm;
mod views;
mod workshop;

use anyhow::Context as _;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use std::path::PathBuf;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Scale(Decimal);

impl Scale {
    fn of_environment() -> anyhow::Result<Self> {
        let text = std::env::var("FLYWHEEL_BENCH_SCALE").unwrap_or_else(|_| "1".to_owned());
        let scale: Decimal = text.parse().with_context(|| format!("FLYWHEEL_BENCH_SCALE: `{text}` is no number"))?;
        anyhow::ensure!(scale > Decimal::ZERO, "FLYWHEEL_BENCH_SCALE must be more than 0");
        Ok(Self(scale))
    }

    /// This part of an amount, and not less than `least`.
    pub fn of(self, amount: u64, least: u64) -> u64 {
        (Decimal::from(amount) * self.0).to_u64().unwrap_or(amount).max(least)
    }
}

/// A bench: its name, what it measures, and itself.
type Row = (&'static str, &'static str, fn(Scale) -> anyhow::Result<()>);

/// Every bench. A new one is a function and a row.
const BENCHES: [Row; 11] = [
    ("process", "one session as a whole process, with a fresh data folder", process::bench),
    ("sessions", "many sessions in one process, each durable", many::bench),
    ("replay", "all read models from the beginning", views::replay),
    ("live", "a read model that is kept up", live::bench),
    ("queries", "commands that ask a long log, as processes", views::queries),
    ("replica", "catching up with the bus's log", replica::bench),
    ("scan", "a session of 20 commits in a large repository", repository::bench),
    ("bus", "the pipeline on the bus, beside bare consumers", bus::bench),
    ("workers", "one, two and four worker processes", swarm::workers),
    ("growth", "the memory of processes while a million facts come to be", swarm::growth),
    ("size", "what it takes on disk", many::size),
];

/// Where what is slow to make is kept.
pub fn kept() -> anyhow::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A folder that goes away, on the same disk as the rest.
pub fn fresh() -> anyhow::Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(kept()?)?)
}

/// What else the machine does, where it tells: figures of a busy one mean little.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).map(|load| format!(", load {load}")).unwrap_or_default()
}

fn main() -> anyhow::Result<()> {
    // Cargo says `--bench` to every bench.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let names = || BENCHES.map(|(name, ..)| name).join(", ");
    if let Some(wrong) = asked.iter().find(|asked| BENCHES.iter().all(|(name, ..)| name != asked)) {
        anyhow::bail!("there is no bench `{wrong}`: {}", names());
    }
    let scale = Scale::of_environment()?;
    println!("scale {}, {} cores{}", scale.0, std::thread::available_parallelism()?, load());
    for (name, about, bench) in BENCHES {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            println!("\n{name}: {about}");
            bench(scale).with_context(|| format!("the bench {name}"))?;
        }
    }
    Ok(())
}
