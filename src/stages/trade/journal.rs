//! T4: the journal of a session, for a reader who was not there. It shows money; it never shows an account.

use super::{DISCLOSURE, journal_figures, normalize::settings};
use crate::{
    stages::{IN_A_NEW_SESSION, Stop},
    templates::Templates,
    trading::{
        self,
        decimal::{half_up, parse},
        settings::{Matching, Settings},
        show,
    },
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, ClaimMismatch, LessonsExtracted, NoteKind, OpenLot, SessionCompleted,
    TradingSummarized,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rows of a table; what is beyond is in the log.
const ROWS_MAX: usize = 500;
/// Trades a lesson names.
const EVIDENCE_MAX: usize = 8;
/// Notes on records.
const NOTES_MAX: usize = 200;
/// Most faults a refusal lists.
const FAULTS_LISTED_MAX: usize = 20;

/// Writes the journal; refuses where no record can be used, which the session's author can correct.
pub fn journal(
    session: &SessionCompleted,
    summary: &TradingSummarized,
    lessons: Option<&LessonsExtracted>,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let settings = settings(session)?;
    if summary.daily.is_empty()
        && let Some(faults) = faults(summary)
    {
        let hint = format!("this session is recorded as it was: correct the records {IN_A_NEW_SESSION}");
        return Err(Stop::refused(format!("no trade record can be used: {faults}"), hint));
    }
    let simulated = trading::is_simulated(session);
    let curve = trading::curve(summary).map(|(total, nets)| {
        let kind = if total.equity.is_some() { "Equity" } else { "Net result" };
        let trips = show::count(nets.len(), "closed round trip");
        format!("{kind} over {trips}, ending at a net {}", show::signed_money(*total.net_total, &total.currency))
    });
    let rendered = templates.render(
        "trade_journal.md",
        json!({
            "headline": headline(session, summary, simulated),
            "byline": byline(session),
            "simulated": simulated,
            "lead": lead(summary),
            "curve": curve,
            "figures": journal_figures::tables(summary),
            "trips": round_trips(summary, &settings),
            "days": days(summary),
            "open": open(summary, &settings),
            "market": market(session),
            "lessons": lessons.map(|found| learnt(found, &settings)),
            "claims": claims(summary),
            "notes": notes(summary),
            "disclosure": DISCLOSURE,
        }),
    )?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::TradeJournal, rendered.text);
    artifact.template = Some(rendered.template);
    if !summary.claim_mismatches.is_empty() {
        artifact.notes.insert("claim_mismatches".into(), json!(summary.claim_mismatches));
    }
    Ok(artifact)
}

fn faults(summary: &TradingSummarized) -> Option<String> {
    let skipped = summary.import_notes.iter().filter(|note| note.kind == NoteKind::Skipped);
    let faults: Vec<String> =
        skipped.filter_map(|note| Some(format!("{}: {}", note.record.as_ref()?, note.message))).collect();
    let more = faults.len().saturating_sub(FAULTS_LISTED_MAX);
    let listed = faults[..faults.len() - more].join("; ");
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!faults.is_empty()).then(|| listed + &rest)
}

fn open_positions(summary: &TradingSummarized) -> Vec<&OpenLot> {
    summary.open_lots.iter().filter(|lot| !lot.dust).collect()
}

fn position_count(summary: &TradingSummarized) -> usize {
    let lots = open_positions(summary);
    lots.iter().map(|lot| (&lot.account, &lot.symbol, &lot.currency)).collect::<BTreeSet<_>>().len()
}

fn results(summary: &TradingSummarized) -> String {
    let closed = trading::summaries(summary).into_iter().filter(|total| total.closed > 0);
    let results: Vec<String> = closed.map(|total| show::signed_money(*total.net_total, &total.currency)).collect();
    results.join(" and ")
}

fn headline(session: &SessionCompleted, summary: &TradingSummarized, simulated: bool) -> String {
    let day = session.timestamp.format("%-d %B %Y");
    let kind = if simulated { "Simulated trading journal" } else { "Trading journal" };
    if summary.round_trips.is_empty() {
        let open = position_count(summary);
        let opened = if open > 0 { show::count(open, "position") + " opened, none closed" } else { "no trades".into() };
        return format!("{kind}, {day}: {opened}");
    }
    let trips = show::count(summary.round_trips.len(), "closed round trip");
    format!("{kind}, {day}: {} net over {trips}", results(summary))
}

fn byline(session: &SessionCompleted) -> String {
    let ended = session.timestamp.format("%Y-%m-%d %H:%M (UTC%:z)");
    let lasted = session.metadata.duration_minutes.map(|minutes| minutes.trunc()).and_then(|minutes| {
        let minutes = i64::try_from(minutes.mantissa()).ok()?.checked_mul(60)?;
        Some(format!(" after {}", show::duration(minutes)))
    });
    format!("By {}. The session ended {ended}{}.", session.agent_id, lasted.unwrap_or_default())
}

fn lead(summary: &TradingSummarized) -> String {
    let open = position_count(summary);
    let is_open = if open == 1 { "1 position is".to_owned() } else { format!("{open} positions are") };
    if summary.round_trips.is_empty() {
        let read = match open {
            0 => "No trade is left to report once the records are read.".into(),
            _ => format!(
                "Nothing was closed in this session, so there is no result to report: {is_open} still open. What an open \
                 position is worth is not known from these records, and no figure here pretends to know."
            ),
        };
        return [vec![read], missing(summary)].concat().join(" ");
    }
    let mut sentences = vec![];
    for total in trading::summaries(summary).into_iter().filter(|total| total.closed > 0) {
        let rate = total.win_rate.map(|rate| show::percent(*rate)).unwrap_or_default();
        let of = if summary.summary_by_currency.is_some() { format!(" in {}", total.currency) } else { String::new() };
        sentences.push(format!(
            "The net result{of} after fees is {}: {} won, {} lost{} (win rate {rate}, n = {}).",
            show::signed_money(*total.net_total, &total.currency),
            total.wins,
            total.losses,
            if total.scratches > 0 { format!(", {} came out even", total.scratches) } else { String::new() },
            total.closed
        ));
    }
    if open > 0 {
        sentences.push(format!("{is_open} still open and in no figure."));
    }
    sentences.extend(missing(summary));
    sentences.join(" ")
}

/// What the figures leave out, said beside them and not only in the notes.
fn missing(summary: &TradingSummarized) -> Vec<String> {
    let of =
        |kind: NoteKind| summary.import_notes.iter().filter(|note| note.kind == kind && note.record.is_some()).count();
    let mut sentences = vec![];
    for (n, one, why) in [
        (of(NoteKind::Skipped), "record", "could not be used"),
        (of(NoteKind::Conflict), "record", "contradicted an earlier one"),
        (of(NoteKind::UnpricedFee), "fee", "could not be valued"),
    ] {
        if n > 0 {
            let verb = if n == 1 { "is" } else { "are" };
            sentences.push(format!("{} {why} and {verb} in no figure; the notes say why.", show::count(n, one)));
        }
    }
    sentences
}

fn round_trips(summary: &TradingSummarized, settings: &Settings) -> Value {
    let trips = &summary.round_trips;
    let has_r = trips.iter().any(|trip| trip.r_multiple.is_some());
    let has_excursion = trips.iter().any(|trip| trip.mae_money.is_some());
    let mut columns =
        vec!["#", "Symbol", "Side", "Quantity", "Entry", "Exit", "Opened", "Held", "Gross", "Fees", "Net"];
    columns.extend(has_r.then_some("R"));
    columns.extend(has_excursion.then_some(["Worst", "Best"]).into_iter().flatten());
    let row = |(i, trip): (usize, &flywheel_events::RoundTrip)| {
        let money = |value| show::money(value, &trip.currency);
        let mut cells = vec![
            (i + 1).to_string(),
            trip.symbol.clone(),
            trip.direction.as_str().to_owned(),
            show::number(*trip.qty),
            show::price(*trip.avg_entry),
            show::price(*trip.avg_exit),
            show::time(trip.open_ts, settings.tz),
            show::duration(trip.hold_seconds),
            money(*trip.gross),
            money(*trip.fees),
            show::signed_money(*trip.net, &trip.currency),
        ];
        let none = || "–".to_owned();
        if has_r {
            cells.push(trip.r_multiple.map_or_else(none, |r| half_up(*r, 2).to_string()));
        }
        if has_excursion {
            cells.push(trip.mae_money.map_or_else(none, |value| money(-*value)));
            cells.push(trip.mfe_money.map_or_else(none, |value| money(*value)));
        }
        cells
    };
    let rows: Vec<_> = trips.iter().enumerate().take(ROWS_MAX).map(row).collect();
    let rule = match settings.matching {
        Matching::Fifo => "oldest lot first (FIFO)",
        Matching::Lifo => "newest lot first (LIFO)",
    };
    let mut about = format!("From flat to flat, matched {rule}, in the order they closed. Times are {}.", settings.tz);
    if has_excursion {
        about.push_str(" Worst and best: how far price went against and for the position, from the bars given.");
    }
    let dust = trips.iter().enumerate().filter_map(|(i, trip)| Some((i, trip.residual_qty?)));
    let left: Vec<String> =
        dust.take(EVIDENCE_MAX).map(|(i, qty)| format!("{} after trade {}", show::number(*qty), i + 1)).collect();
    if !left.is_empty() {
        about.push_str(&format!(" Left behind as too small to count as a position: {}.", left.join(", ")));
    }
    if trips.len() > ROWS_MAX {
        about.push_str(&format!(" The first {ROWS_MAX} of {} are shown; every one is in the figures.", trips.len()));
    }
    json!({ "about": about, "columns": columns, "rows": rows })
}

/// Per day, where there is more than one.
fn days(summary: &TradingSummarized) -> Vec<Value> {
    let distinct: BTreeSet<_> = summary.daily.iter().map(|day| day.trading_day).collect();
    if distinct.len() < 2 || summary.lot_matches.is_empty() {
        return vec![];
    }
    let row = |day: &flywheel_events::Daily| {
        json!({
            "day": day.trading_day.to_string(),
            "gross": show::money(*day.realized_gross, &day.currency),
            "fees": show::money(*day.realized_fees, &day.currency),
            "net": show::signed_money(*day.realized_net, &day.currency),
            "closed": day.lots_closed.to_string(),
        })
    };
    summary.daily.iter().take(ROWS_MAX).map(row).collect()
}

fn open(summary: &TradingSummarized, settings: &Settings) -> Value {
    let lots = open_positions(summary);
    let row = |lot: &&OpenLot| {
        json!([
            lot.symbol,
            lot.direction.as_str(),
            show::number(*lot.qty),
            show::price(*lot.price),
            show::time(lot.open_ts, settings.tz)
        ])
    };
    let rows: Vec<Value> = lots.iter().take(ROWS_MAX).map(row).collect();
    let count = position_count(summary);
    let subject = if count == 1 { "1 position is".to_owned() } else { format!("{count} positions are") };
    let mut about = format!("{subject} counted here and not valued. Times are {}.", settings.tz);
    if lots.len() > ROWS_MAX {
        about.push_str(&format!(" The first {ROWS_MAX} of {} lots are shown.", lots.len()));
    }
    json!({ "about": about, "rows": rows })
}

fn market(session: &SessionCompleted) -> Vec<Value> {
    let conditions = session.source_data.market_conditions.iter().flatten();
    conditions
        .filter(|(_, value)| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()))
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            json!({ "name": name.replace('_', " "), "value": text })
        })
        .collect()
}

fn learnt(found: &LessonsExtracted, settings: &Settings) -> Vec<Value> {
    let row = |lesson: &flywheel_events::Lesson| {
        let named = lesson.evidence.iter().take(EVIDENCE_MAX).map(|trip| {
            let net = show::signed_money(*trip.net, &trip.currency);
            format!("trade {} ({}, {}, {net})", trip.index + 1, trip.symbol, show::time(trip.open_ts, settings.tz))
        });
        let mut evidence = named.collect::<Vec<_>>().join(", ");
        if lesson.evidence.len() > EVIDENCE_MAX {
            evidence.push_str(&format!(" and {} more", lesson.evidence.len() - EVIDENCE_MAX));
        }
        json!({ "text": lesson.text, "evidence": evidence })
    };
    found.lessons.iter().map(row).collect()
}

fn claims(summary: &TradingSummarized) -> Vec<Value> {
    let all = &summary.claim_mismatches;
    let shown = all.iter().take(ROWS_MAX).map(|claim| claim_row(claim, summary));
    let more = all.len().saturating_sub(ROWS_MAX);
    let rest = (more > 0).then(|| json!({ "name": format!("and {more} more"), "claimed": "", "computed": "" }));
    shown.chain(rest).collect()
}

fn claim_row(claim: &ClaimMismatch, summary: &TradingSummarized) -> Value {
    let name = match claim.claim.as_str() {
        "trades_executed" => "Trades executed".to_owned(),
        "total_pnl" => "Total profit or loss".to_owned(),
        "win_rate" => "Win rate, in percent".to_owned(),
        "max_drawdown" => "Largest drawdown".to_owned(),
        other => other.strip_suffix(".profit_loss").map_or(other.to_owned(), |record| {
            let symbol =
                summary.lot_matches.iter().find(|piece| piece.close_record == record).map(|piece| &piece.symbol);
            let open = summary.open_lots.iter().find(|lot| lot.record == record).map(|lot| &lot.symbol);
            let symbol = symbol.or(open).map(|symbol| format!(" ({symbol})")).unwrap_or_default();
            format!("Profit or loss of {record}{symbol}")
        }),
    };
    let exact = claim.computed.as_deref().and_then(parse);
    let computed = match (exact, &claim.computed) {
        (Some(_), _) if claim.claim == "total_pnl" && summary.lot_matches.is_empty() => {
            "none: nothing was closed".into()
        }
        (Some(figure), _) => {
            // As precise as the claim, and never so coarse that the two look alike.
            let places = parse(&claim.claimed).map_or(2, |claimed| claimed.scale()).max(figure.scale().min(2));
            half_up(figure, places).to_string()
        }
        (None, Some(text)) => text.clone(),
        (None, None) if claim.claim.ends_with(".profit_loss") => "none: not closed".to_owned(),
        (None, None) if summary.round_trips.is_empty() => "none: nothing was closed".to_owned(),
        (None, None) => "none: several currencies, no rates".to_owned(),
    };
    json!({ "name": name, "claimed": claim.claimed, "computed": computed })
}

fn notes(summary: &TradingSummarized) -> Vec<Value> {
    let all = &summary.import_notes;
    let shown = all.iter().take(NOTES_MAX).map(|note| json!({ "record": note.record, "message": note.message }));
    let more = all.len().saturating_sub(NOTES_MAX);
    let rest = (more > 0).then(|| json!({ "record": null, "message": format!("and {more} more, all in the log") }));
    shown.chain(rest).collect()
}
