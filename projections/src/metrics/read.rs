//! The metrics as rows, from the view's sums.

use super::{Week, duration, session};
use flywheel_events::{Figure, SessionType};
use rusqlite::{Connection, OptionalExtension as _, params};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Every metric's name, in the order of the rows.
pub const NAMES: [&str; 8] = [
    "artifacts_per_week",
    "repos_with_clean_readmes",
    "trading_days_documented",
    "publication_rate",
    "pipeline_success_rate",
    "artifact_quality",
    "step_duration_seconds",
    "sessions",
];

/// One value of one metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The metric.
    pub name: &'static str,
    /// Its value; null where there is nothing to divide by.
    pub value: Option<Value>,
    /// What was counted above the line; null where the value is no quotient's.
    pub numerator: Option<u64>,
    /// What was counted below the line, or how many observations a quantile rests on; null for a plain count.
    pub denominator: Option<u64>,
    /// The ISO week it is of, or `all`.
    pub window: String,
    /// What it is of.
    pub dimensions: BTreeMap<&'static str, String>,
    /// The position of the log up to which it counts.
    pub log_position: u64,
}

/// A count, or a figure that is no whole number by nature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// How many; a JSON number.
    Count(u64),
    /// A ratio, a mean or seconds; a JSON string with its exact digits.
    Figure(Figure),
}

const ALL: &str = "all";

/// Every row, in the order of [`NAMES`], then of window and dimensions. With a week, only what is of that week.
///
/// `log_position` is the view's checkpoint.
///
/// # Errors
/// When the view cannot be read.
pub fn rows(connection: &Connection, log_position: u64, week: Option<Week>) -> rusqlite::Result<Vec<Row>> {
    let mut rows = Rows { rows: vec![], log_position };
    if let Some(week) = week {
        let count = total(connection, session::READY, &week.to_string())?;
        rows.count(NAMES[0], count, week.to_string(), []);
        return Ok(rows.rows);
    }
    for ([week, ..], n) in counts(connection, session::READY)? {
        rows.count(NAMES[0], n, week, []);
    }
    let sql = "SELECT coalesce(sum(clean), 0), count(*) FROM repositories";
    rows.quotient(NAMES[1], two(connection, sql)?, []);
    let sql = "SELECT coalesce(sum(documented), 0), count(*) FROM trading_days";
    rows.quotient(NAMES[2], two(connection, sql)?, []);
    let generated = total(connection, session::GENERATED, "")?;
    rows.quotient(NAMES[3], (0, generated), [("of", "generated")]);
    rows.quotient(NAMES[3], (0, 0), [("of", "approved_or_expired")]);
    for pipeline in SessionType::ALL.map(SessionType::as_str) {
        let completed = total(connection, session::RUNS_COMPLETED, pipeline)?;
        let finished = total(connection, session::RUNS_FINISHED, pipeline)?;
        rows.quotient(NAMES[4], (completed, finished), [("pipeline", pipeline)]);
    }
    let ratings = total(connection, session::RATINGS_SUM, "")?;
    rows.quotient(NAMES[5], (ratings, total(connection, session::RATINGS, "")?), [("measure", "rating")]);
    rows.quotient(NAMES[5], (0, 0), [("measure", "edit_distance")]);
    for (step, buckets) in durations(connection)? {
        let n = buckets.iter().map(|(_, n)| n).sum();
        for (quantile, percent) in [("p50", 50), ("p95", 95), ("p99", 99)] {
            let micros = duration::quantile(&buckets, percent);
            let seconds = micros.map(|micros| Decimal::from_i128_with_scale(i128::from(micros), 6).normalize());
            let value = seconds.map(|seconds| Value::Figure(seconds.into()));
            rows.push(NAMES[6], value, (None, Some(n)), ALL.into(), [("step", &*step), ("quantile", quantile)]);
        }
    }
    for ([agent, pipeline, outcome], n) in counts(connection, session::SESSIONS)? {
        rows.count(NAMES[7], n, ALL.into(), [("agent", &*agent), ("pipeline", &*pipeline), ("outcome", &*outcome)]);
    }
    Ok(rows.rows)
}

struct Rows {
    rows: Vec<Row>,
    log_position: u64,
}

impl Rows {
    fn count<const N: usize>(&mut self, name: &'static str, n: u64, window: String, of: [(&'static str, &str); N]) {
        self.push(name, Some(Value::Count(n)), (Some(n), None), window, of);
    }

    fn quotient<const N: usize>(&mut self, name: &'static str, (a, b): (u64, u64), of: [(&'static str, &str); N]) {
        let value = Decimal::from(a).checked_div(Decimal::from(b)).map(|ratio| Value::Figure(ratio.normalize().into()));
        self.push(name, value, (Some(a), Some(b)), ALL.into(), of);
    }

    fn push<const N: usize>(
        &mut self,
        name: &'static str,
        value: Option<Value>,
        (numerator, denominator): (Option<u64>, Option<u64>),
        window: String,
        of: [(&'static str, &str); N],
    ) {
        let dimensions = of.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let log_position = self.log_position;
        self.rows.push(Row { name, value, numerator, denominator, window, dimensions, log_position });
    }
}

fn two(connection: &Connection, sql: &str) -> rusqlite::Result<(u64, u64)> {
    connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// One sum.
fn total(connection: &Connection, name: &str, a: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT n FROM counts WHERE name = ?1 AND a = ?2 AND b = '' AND c = ''";
    let found = connection.prepare_cached(sql)?.query_row(params![name, a], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}

/// Every sum of a name, with what it is of.
fn counts(connection: &Connection, name: &str) -> rusqlite::Result<Vec<([String; 3], u64)>> {
    connection
        .prepare_cached("SELECT a, b, c, n FROM counts WHERE name = ?1 ORDER BY a, b, c")?
        .query_map([name], |row| Ok(([row.get(0)?, row.get(1)?, row.get(2)?], row.get(3)?)))?
        .collect()
}

/// The buckets of every step, in order.
fn durations(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<(u32, u64)>>> {
    let mut steps: BTreeMap<String, Vec<(u32, u64)>> = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT step, bucket, n FROM durations ORDER BY step, bucket")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        steps.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
    }
    Ok(steps)
}
