//! T5: a thread about the closed trades. Results are relative unless the trader chose otherwise.

use super::{DISCLOSURE, normalize::settings};
use crate::{
    stages::Stop,
    story::posts,
    templates::Templates,
    trading::{
        self,
        decimal::{half_up, ratio},
        lessons::capital,
        settings::Privacy,
        show,
    },
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, LessonsExtracted, RoundTrip, SessionCompleted, TradingSummarized,
};
use rust_decimal::Decimal;

/// Trades a thread shows at most.
const TRADES_SHOWN_MAX: usize = 8;
/// Characters of trades that share one part.
const PART_CHARS_MAX: usize = 230;
/// Characters of a symbol.
const SYMBOL_CHARS_MAX: usize = 24;

/// Writes the thread.
pub fn thread(
    session: &SessionCompleted,
    summary: &TradingSummarized,
    lessons: Option<&LessonsExtracted>,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    if summary.round_trips.is_empty() {
        return Err(Stop::nothing("no trade was closed, and open positions are not published"));
    }
    let privacy = settings(session)?.privacy;
    let post = posts::post(&paragraphs(session, summary, lessons, privacy));
    let rendered = templates.render("social_post.md", &post)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::TradeThread, rendered.text);
    artifact.template = Some(rendered.template);
    artifact.notes.insert("parts".into(), post.parts.into());
    Ok(artifact)
}

fn paragraphs(
    session: &SessionCompleted,
    summary: &TradingSummarized,
    lessons: Option<&LessonsExtracted>,
    privacy: Privacy,
) -> Vec<String> {
    let trips = &summary.round_trips;
    let (mut wins, mut losses) = (0, 0);
    for trip in trips {
        wins += usize::from(trip.net.0 > Decimal::ZERO);
        losses += usize::from(trip.net.0 < Decimal::ZERO);
    }
    let n = trips.len();
    let rate = ratio(Decimal::from(wins), Decimal::from(n)).map(show::percent).unwrap_or_default();
    let scratches = n - wins - losses;
    let scratched = if scratches > 0 { format!(", {scratches} scratched") } else { String::new() };
    let simulated = if trading::is_simulated(session) { "Simulated, no real money. " } else { "" };
    // The disclosure stands in the first part however a platform cuts: what is before it is short.
    let mut paragraphs = vec![format!(
        "{simulated}Trading log {}: {}, {wins} won, {losses} lost{scratched} (win rate {rate}, n = {n}). {DISCLOSURE}",
        session.timestamp.format("%Y-%m-%d"),
        show::count(n, "closed round trip"),
    )];
    let totals: Vec<String> = totals(summary, privacy);
    if !totals.is_empty() {
        let (of, trades) = match (privacy, base(summary)) {
            (Privacy::Percent, Some(_)) => {
                (", in percent of the starting equity", " Each trade below is in percent of it too.")
            }
            (Privacy::Percent, None) => (
                ", in percent of the capital at entry (price × quantity × multiplier)",
                " Each trade below is in percent of its own.",
            ),
            _ => ("", ""),
        };
        paragraphs.push(format!("Net result after fees{of}: {}.{trades}", totals.join("; ")));
    }
    let shown = shown(summary);
    if shown.len() < n {
        paragraphs.push(format!("The {} largest results of {n}, gains and losses alike:", shown.len()));
    }
    let mut part = String::new();
    for i in shown {
        let line = line(summary, i, privacy);
        if !part.is_empty() && part.chars().count() + line.chars().count() > PART_CHARS_MAX {
            paragraphs.push(std::mem::take(&mut part));
        }
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(&line);
    }
    paragraphs.push(part);
    // These two name sums of money.
    let private = ["fees_above_a_fifth", "plan_broken"];
    let tellable = lessons.into_iter().flat_map(|found| &found.lessons);
    let tellable =
        tellable.filter(|lesson| privacy == Privacy::Dollars || !private.contains(&lesson.detector.as_str()));
    paragraphs.extend(tellable.map(|lesson| format!("Lesson: {}", lesson.text)));
    paragraphs
}

/// One rule for winners and losers: all of them, or those furthest from zero; in closing order either way.
fn shown(summary: &TradingSummarized) -> Vec<usize> {
    let trips = &summary.round_trips;
    let mut order: Vec<usize> = (0..trips.len()).collect();
    let size = |trip: &RoundTrip| capital(trip).and_then(|capital| ratio(*trip.net, capital)).unwrap_or_default().abs();
    order.sort_by_key(|i| std::cmp::Reverse(size(&trips[*i])));
    order.truncate(TRADES_SHOWN_MAX);
    order.sort_unstable();
    order
}

fn line(summary: &TradingSummarized, i: usize, privacy: Privacy) -> String {
    let trip = &summary.round_trips[i];
    let r = trip.r_multiple.map(|r| signed(half_up(*r, 2), " R"));
    let result = match privacy {
        Privacy::R => r.unwrap_or_else(|| "no stop, so no R".into()),
        Privacy::Percent => {
            let part = match base(summary) {
                Some(start) => trip.net_base.or(Some(trip.net)).and_then(|net| ratio(*net, start)),
                None => capital(trip).and_then(|capital| ratio(*trip.net, capital)),
            };
            let percent = part.map_or_else(|| "no percentage".into(), show::signed_percent);
            r.map_or(percent.clone(), |r| format!("{percent} ({r})"))
        }
        Privacy::Bucket => bucket(*trip.net, &trip.currency),
        Privacy::Dollars => show::signed_money(*trip.net, &plain(&trip.currency)),
    };
    let held = show::duration(trip.hold_seconds);
    format!("{}. {} {}, held {held}: {result}.", i + 1, plain(&trip.symbol), trip.direction.as_str())
}

/// The starting equity, where one is known and above zero.
fn base(summary: &TradingSummarized) -> Option<Decimal> {
    let total = summary.summary_base.as_ref().or(summary.summary.as_ref())?;
    total.equity.as_ref().map(|equity| *equity.starting_equity).filter(|start| *start > Decimal::ZERO)
}

fn totals(summary: &TradingSummarized, privacy: Privacy) -> Vec<String> {
    if let (Privacy::Percent, Some(start), Some((total, _))) = (privacy, base(summary), trading::curve(summary)) {
        return vec![ratio(*total.net_total, start).map_or_else(|| "no percentage".into(), show::signed_percent)];
    }
    let several = summary.summary_by_currency.is_some();
    let of = |total: &flywheel_events::Summary| {
        let currency = &total.currency;
        let text = match privacy {
            Privacy::R => format!("{} in R-multiples", signed(half_up(**total.total_r.as_ref()?, 2), " R")),
            Privacy::Percent => {
                let trips = summary.round_trips.iter().filter(|trip| trip.currency == *currency);
                let put_in = trips.map(capital).try_fold(Decimal::ZERO, |sum, value| sum.checked_add(value?))?;
                show::signed_percent(ratio(*total.net_total, put_in)?)
            }
            Privacy::Bucket => bucket(*total.net_total, currency),
            Privacy::Dollars => show::signed_money(*total.net_total, &plain(currency)),
        };
        (total.closed > 0).then(|| if several { format!("{} {text}", plain(currency)) } else { text })
    };
    trading::summaries(summary).into_iter().filter_map(of).collect()
}

fn signed(value: Decimal, unit: &str) -> String {
    if value > Decimal::ZERO { format!("+{value}{unit}") } else { format!("{value}{unit}") }
}

/// A sum in steps of ten: enough to follow, too little to work back from.
fn bucket(net: Decimal, currency: &str) -> String {
    if net.is_zero() {
        return "no gain, no loss".into();
    }
    let what = if net > Decimal::ZERO { "gain" } else { "loss" };
    let mut upper = Decimal::from(100);
    while upper < net.abs() {
        match upper.checked_mul(Decimal::TEN) {
            Some(next) => upper = next,
            None => return format!("a {what} in {}", plain(currency)),
        }
    }
    let steps = |value: Decimal| show::number(value);
    let lower = upper.checked_div(Decimal::TEN).unwrap_or_default();
    let currency = plain(currency);
    if upper == Decimal::from(100) {
        return format!("a {what} of up to {} {currency}", steps(upper));
    }
    format!("a {what} of {} to {} {currency}", steps(lower), steps(upper))
}

/// A symbol as a post may carry it: no mention, no tag, no markup.
fn plain(symbol: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || "./-=^:+& ".contains(*c);
    let text: String = symbol.chars().filter(kept).take(SYMBOL_CHARS_MAX).collect();
    if text.trim().is_empty() { "a symbol".into() } else { text.trim().to_owned() }
}
