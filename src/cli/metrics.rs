//! `flywheel metrics`: the metrics, computed from the log.

use super::{Context, Exit, log};
use crate::views;
use flywheel_events::Figure;
use flywheel_projections::metrics::{self, NAMES, Row, Value, Week};
use serde_json::json;

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A value is null (-) where there is nothing to divide by. Beside it stands what it is out of.\n\nExamples:\n  flywheel metrics\n  flywheel metrics --week 2025-W49\n  flywheel metrics --name pipeline_success_rate --json"
)]
pub struct Args {
    /// Only what is counted by week, of this ISO week (UTC): 2025-W49.
    #[arg(long, value_name = "WEEK")]
    week: Option<Week>,
    /// Only this metric.
    #[arg(long, value_name = "NAME", value_parser = NAMES)]
    name: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = log::open(context)?;
    let view = flywheel_projections::find("metrics").expect("a row of the table");
    let connection = views::caught_up(&context.settings.data, &store, view)?;
    let position = connection.query_row("SELECT position FROM checkpoint", [], |row| row.get(0))?;
    let rows: Vec<Row> = metrics::rows(&connection, position, args.week)?
        .into_iter()
        .filter(|row| args.name.as_deref().is_none_or(|name| row.name == name))
        .collect();
    if context.console.json {
        context.console.document(&json!({ "log_position": position, "metrics": rows }));
    } else {
        print(&rows, context);
    }
    Ok(Exit::Done)
}

fn print(rows: &[Row], context: &Context) {
    let of = |row: &Row| -> String {
        let window = (row.window != "all").then_some(row.window.as_str());
        window.into_iter().chain(row.dimensions.values().map(String::as_str)).collect::<Vec<_>>().join(" ")
    };
    let width = rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    for row in rows {
        let value = match &row.value {
            None => "-".to_owned(),
            Some(Value::Count(n)) => n.to_string(),
            Some(Value::Figure(figure)) => rounded(figure),
        };
        let out_of = match (row.numerator, row.denominator) {
            (Some(numerator), Some(denominator)) => format!("{numerator} / {denominator}"),
            (None, Some(n)) => format!("n = {n}"),
            _ => String::new(),
        };
        let line = format!("{:<24}  {:<width$}  {value:>10}  {out_of}", row.name, of(row));
        context.console.line(line.trim_end());
    }
}

/// Four places are enough for a reader; programs get them all.
fn rounded(figure: &Figure) -> String {
    figure.round_dp(4).normalize().to_string()
}
