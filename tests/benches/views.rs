//! The read models on a long log: building them, and asking them.

use crate::{
    Scale,
    made::{self, Size},
    process::{RUNS, flywheel, time, time_and_memory},
    report::{Limit, figure, median, ms, per_second, remark},
};
use std::path::Path;

/// Facts of the long log at full scale.
pub const FACTS: u64 = 1_000_000;

/// Facts of the log in its real sizes, at full scale.
const REAL_FACTS: u64 = 200_000;

pub fn replay(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(FACTS, 1_000);
    let data = made::log(count, Size::Kib)?;
    let bytes = event_bytes(&data)?;
    remark(format_args!("{count} facts, {} bytes in the mean", bytes / count));
    let (took, peak) = time_and_memory(flywheel(&["replay", "--data", text(&data)?]))?;
    figure("flywheel replay: facts", per_second(count, took), "facts/s", Limit::Least(300_000_000));
    match peak {
        Some(peak) => figure("  its peak memory", u128::from(peak) * 1000 / MIB, "MiB", Limit::Most(300_000)),
        None => remark("this system does not tell a process's peak memory"),
    }
    let count = scale.of(REAL_FACTS, 1_000);
    let data = made::log(count, Size::Real)?;
    let bytes = event_bytes(&data)?;
    let (took, _) = time_and_memory(flywheel(&["replay", "--data", text(&data)?]))?;
    let what = format!("in their real sizes ({count} facts, mean {} bytes): facts", bytes / count);
    figure(what, per_second(count, took), "facts/s", Limit::None);
    figure("  the same: bytes", per_second(bytes, took) / 1_000_000, "MB/s", Limit::None);
    Ok(())
}

const MIB: u128 = 1024 * 1024;

pub fn queries(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(FACTS, 1_000);
    for (facts, limit) in [(count, Limit::Most(50_000)), (count / 10, Limit::None)] {
        let data = made::log(facts, Size::Kib)?;
        for arguments in [&["manifest", "list"][..], &["queue", "list"], &["metrics"]] {
            let asked = || time(flywheel(&[arguments, &["--data", text(&data)?]].concat()));
            // The first catches up, where nobody has built the views yet.
            asked()?;
            let times = (0..RUNS).map(|_| asked()).collect::<anyhow::Result<Vec<_>>>()?;
            let what = format!("{} on {facts} facts: median of {RUNS}", arguments.join(" "));
            figure(what, ms(median(times)), "ms", limit);
        }
    }
    Ok(())
}

/// Bytes of all events of a log.
fn event_bytes(data: &Path) -> anyhow::Result<u64> {
    let connection = rusqlite::Connection::open(data.join("log.db"))?;
    Ok(connection.query_row("SELECT sum(length(CAST(event AS BLOB))) FROM facts", [], |row| row.get(0))?)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().ok_or_else(|| anyhow::anyhow!("the path is no text"))
}
