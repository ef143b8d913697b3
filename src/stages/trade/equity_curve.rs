//! The net result over the closed trades, as a picture without a script. Every coordinate is computed in decimals.

use crate::{
    stages::Stop,
    templates::Templates,
    trading::{self, decimal::half_up, show},
};
use flywheel_events::{ArtifactGenerated, ArtifactType, SessionCompleted, TradingSummarized};
use rust_decimal::Decimal;
use serde::Serialize;

const WIDTH: u32 = 800;
const HEIGHT: u32 = 400;
const LEFT: u32 = 110;
const RIGHT: u32 = 780;
const TOP: u32 = 36;
const BOTTOM: u32 = 340;
/// About as many steps as an axis has.
const STEPS: u32 = 5;

// A struct, because the numbers of a `serde_json::Value` keep their exact text and are no numbers to a template.
#[derive(Serialize)]
struct Context {
    width: u32,
    height: u32,
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
    title: String,
    desc: String,
    y_label: String,
    x_label: &'static str,
    points: Vec<Point>,
    y_ticks: Vec<Tick>,
    x_ticks: Vec<Tick>,
}

#[derive(Serialize)]
struct Point {
    x: String,
    y: String,
}

#[derive(Serialize)]
struct Tick {
    at: String,
    label: String,
}

/// Draws the running net result, or the equity where a starting equity is known.
pub fn equity_curve(
    session: &SessionCompleted,
    summary: &TradingSummarized,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    if summary.round_trips.is_empty() {
        return Err(Stop::nothing("no trade was closed, so there is no curve to draw"));
    }
    let Some((total, nets)) = trading::curve(summary) else {
        return Err(Stop::nothing("the session has several currencies and no rates, so there is no one curve to draw"));
    };
    let start = total.equity.as_ref().map_or(Decimal::ZERO, |equity| *equity.starting_equity);
    let drawn = levels(start, &nets).and_then(|levels| Some((scaled(&levels)?, levels)));
    let Some(((points, y_range), levels)) = drawn else {
        return Err(Stop::refused(
            "the figures of this session are too large to draw",
            "check the prices and quantities of its records",
        ));
    };
    let currency = &total.currency;
    let kind = if total.equity.is_some() { "Equity" } else { "Net result" };
    let simulated = if trading::is_simulated(session) { " (simulated)" } else { "" };
    let end = *levels.last().expect("the start is a level");
    let fall = match *total.max_drawdown_abs {
        fall if fall.is_zero() => "never fell from a peak".to_owned(),
        fall => format!("fell by at most {} from a peak", show::money(fall, currency)),
    };
    let desc = format!(
        "{kind} in {currency} after each of {}: it begins at {}, ends at {}, and {fall}.",
        show::count(nets.len(), "closed round trip"),
        show::money(start, currency),
        show::money(end, currency),
    );
    let y_ticks: Vec<Tick> = y_range
        .ticks
        .iter()
        .filter_map(|value| Some(Tick { at: y_range.place(*value)?.to_string(), label: show::money(*value, currency) }))
        .collect();
    let context = Context {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        right: RIGHT,
        top: TOP,
        bottom: BOTTOM,
        title: format!("{kind} over closed round trips{simulated}"),
        desc,
        y_label: format!("{kind} ({currency}){simulated}"),
        x_label: "closed round trips",
        points,
        y_ticks,
        x_ticks: x_ticks(nets.len()),
    };
    let rendered = templates.render("equity_curve.svg", context)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::EquityCurve, rendered.text);
    artifact.template = Some(rendered.template);
    Ok(artifact)
}

fn levels(start: Decimal, nets: &[Decimal]) -> Option<Vec<Decimal>> {
    let mut levels = vec![start];
    for net in nets {
        levels.push(levels.last()?.checked_add(*net)?);
    }
    Some(levels)
}

struct Range {
    low: Decimal,
    high: Decimal,
    ticks: Vec<Decimal>,
}

impl Range {
    /// A range on round numbers that holds every level.
    fn of(levels: &[Decimal]) -> Option<Self> {
        let (low, high) = (*levels.iter().min()?, *levels.iter().max()?);
        let span = high.checked_sub(low)?;
        let span = if span.is_zero() { Decimal::ONE } else { span };
        let raw = span.checked_div(Decimal::from(STEPS))?;
        let mut step = Decimal::ONE;
        while step < raw {
            step = step.checked_mul(Decimal::TEN)?;
        }
        while step > raw && step.scale() < 24 {
            step = step.checked_div(Decimal::TEN)?;
        }
        let step =
            [1, 2, 5, 10].iter().find_map(|n| step.checked_mul(Decimal::from(*n)).filter(|step| *step >= raw))?;
        let low = low.checked_div(step)?.floor().checked_mul(step)?;
        let mut ticks = vec![low];
        while *ticks.last()? < high || ticks.len() < 2 {
            let next = ticks.last()?.checked_add(step)?;
            if ticks.len() > 2 * STEPS as usize + 2 {
                return None;
            }
            ticks.push(next);
        }
        Some(Self { low, high: *ticks.last()?, ticks })
    }

    fn place(&self, value: Decimal) -> Option<Decimal> {
        let part = value.checked_sub(self.low)?.checked_div(self.high.checked_sub(self.low)?)?;
        let height = Decimal::from(BOTTOM - TOP);
        Some(half_up(Decimal::from(BOTTOM).checked_sub(part.checked_mul(height)?)?, 2).normalize())
    }
}

fn x_of(i: usize, n: usize) -> String {
    let part = Decimal::from(i).checked_div(Decimal::from(n.max(1))).unwrap_or_default();
    half_up(Decimal::from(LEFT) + part * Decimal::from(RIGHT - LEFT), 2).normalize().to_string()
}

fn scaled(levels: &[Decimal]) -> Option<(Vec<Point>, Range)> {
    let range = Range::of(levels)?;
    let n = levels.len() - 1;
    let point = |(i, level): (usize, &Decimal)| Some(Point { x: x_of(i, n), y: range.place(*level)?.to_string() });
    let points = levels.iter().enumerate().map(point).collect::<Option<_>>()?;
    Some((points, range))
}

/// Whole numbers of trades: 0, then steps of 1, 2, 5, 10, … and the last.
fn x_ticks(n: usize) -> Vec<Tick> {
    let mut step = 1;
    for factor in [2, 5, 2].into_iter().cycle() {
        if n / step <= 10 {
            break;
        }
        step = if factor == 5 { step / 2 * 5 } else { step * 2 };
    }
    (0..=n).step_by(step).map(|i| Tick { at: x_of(i, n), label: i.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_every_level_on_round_numbers() {
        let d = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let ticks = |levels: &[&str]| {
            let levels: Vec<Decimal> = levels.iter().map(|text| d(text)).collect();
            Range::of(&levels)
                .map(|range| range.ticks.iter().map(|tick| tick.normalize().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(ticks(&["0", "25", "75"]), Some(["0", "20", "40", "60", "80"].map(String::from).to_vec()));
        assert_eq!(ticks(&["-3", "4"]), Some(["-4", "-2", "0", "2", "4"].map(String::from).to_vec()));
        assert!(ticks(&["5", "5"]).is_some_and(|ticks| ticks.len() >= 2));
        assert_eq!(ticks(&["-79228162514264337593543950335", "79228162514264337593543950335"]), None);
        let labels: Vec<String> = x_ticks(42).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0", "5", "10", "15", "20", "25", "30", "35", "40"]);
    }
}
