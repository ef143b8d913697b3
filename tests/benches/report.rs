//! Printing a figure beside its limit, without a float.

use std::time::{Duration, Instant};

/// What a figure may be at most, or must be at least.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// It is only told.
    None,
    /// It may be this at most, in thousandths of its unit.
    Most(u128),
    /// It must be this at least, in thousandths of its unit.
    Least(u128),
}

/// Prints a figure that is given in thousandths of its unit.
pub fn figure(what: impl std::fmt::Display, thousandths: u128, unit: &str, limit: Limit) {
    // Arguments that are formatted late ignore their width.
    let (what, value) = (what.to_string(), shown(thousandths));
    let (limit, missed) = match limit {
        Limit::None => (String::new(), false),
        Limit::Most(most) => (format!("at most {} {unit}", shown(most)), thousandths > most),
        Limit::Least(least) => (format!("at least {} {unit}", shown(least)), thousandths < least),
    };
    let missed = if missed { "  MISSED" } else { "" };
    println!("{}", format!("  {what:<58} {value:>10} {unit:<9} {limit}{missed}").trim_end());
}

/// Says how a figure is to be read.
pub fn remark(text: impl std::fmt::Display) {
    println!("  ({text})");
}

/// A whole number from a thousand on, else one decimal or two.
fn shown(thousandths: u128) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match whole {
        0..10 => format!("{whole}.{:02}", rest / 10),
        10..1000 => format!("{whole}.{}", rest / 100),
        _ => whole.to_string(),
    }
}

/// A time in thousandths of a millisecond.
pub fn ms(time: Duration) -> u128 {
    time.as_micros()
}

/// How many a second, in thousandths.
pub fn per_second(count: u64, time: Duration) -> u128 {
    u128::from(count) * 1_000_000_000 / time.as_micros().max(1)
}

/// One amount for each of the other, in thousandths.
pub fn ratio(part: u128, whole: u128) -> u128 {
    part * 1000 / whole.max(1)
}

/// How long it takes.
pub fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, start.elapsed()))
}

/// How long the processors have worked for a process so far, on all its threads; nothing where the system does not tell. It
/// says more than the clock where others use the machine too.
pub fn processor_time(process: u32) -> Option<Duration> {
    /// Of user and of system time, behind the name in parentheses.
    const FIELDS: [usize; 2] = [11, 12];
    /// Linux counts in hundredths of a second, whatever its kernel does.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    FIELDS.iter().map(|field| Some(TICK * fields.get(*field)?.parse().ok()?)).sum()
}

/// The middle one.
pub fn median<T: Ord + Copy>(mut all: Vec<T>) -> T {
    all.sort();
    all[all.len() / 2]
}
