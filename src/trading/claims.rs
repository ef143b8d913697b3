//! What the agent claimed against what the fills say, at the claim's own precision.

use super::{
    decimal::{add, half_up, product, sub, sum},
    figures::Summaries,
    matching::Matched,
    settings::{number, shown},
};
use flywheel_events::{
    ClaimMismatch, Fill, ImportNote, Leg, NoteKind, RecordClaim, SessionCompleted, Side, TradesNormalized,
};
use rust_decimal::Decimal;
use serde_json::Value;

/// Claims that do not follow, and notes on claims that cannot be read.
pub fn check(
    session: &SessionCompleted,
    trades: &TradesNormalized,
    matched: &Matched,
    summaries: &Summaries,
) -> (Vec<ClaimMismatch>, Vec<ImportNote>) {
    let mut mismatches = vec![];
    let mut notes = vec![];
    let metadata = &session.metadata;
    let closed = matched.round_trips.len() as u64;
    // A trade that is still open was executed too; a claim may count it or not.
    if let Some(claimed) = metadata.trades_executed
        && ![closed, closed + matched.open_trips].contains(&claimed)
    {
        mismatches.push(mismatch("trades_executed", claimed, Some(closed.to_string())));
    }
    // Claims about all trades are about one currency: the only one, or the base.
    let summary = summaries.single.as_ref().or(summaries.base.as_ref());
    let of = |pick: fn(&flywheel_events::Summary) -> Option<Decimal>| summary.and_then(pick);
    // A share of trips needs no rate.
    let wins = matched.round_trips.iter().filter(|trip| *trip.net > Decimal::ZERO).count() as u64;
    let rate = Decimal::from(wins).checked_div(Decimal::from(closed));
    let percent = rate.and_then(|rate| rate.checked_mul(Decimal::ONE_HUNDRED));
    let checks = [
        ("total_pnl", &metadata.total_pnl, of(|summary| Some(*summary.net_total)), false),
        ("win_rate", &metadata.win_rate, percent, false),
        ("max_drawdown", &metadata.max_drawdown, of(|summary| Some(*summary.max_drawdown_abs)), true),
    ];
    for (name, claim, computed, unsigned) in checks {
        let Some(claim) = claim.as_ref().filter(|claim| !claim.is_null()) else { continue };
        match number(claim) {
            None => {
                mismatches.push(ClaimMismatch {
                    claim: name.into(),
                    claimed: text_of(claim),
                    computed: computed.map(|computed| computed.normalize().to_string()),
                });
                notes.push(remark(None, format!("metadata.{name} is {}, not a number", shown(claim))));
            }
            Some(claimed) => {
                // A drawdown is written as 50 or as -50.
                let compared = if unsigned { claimed.abs() } else { claimed };
                if !computed.is_some_and(|computed| follows(compared, computed)) {
                    let computed = computed.map(|computed| computed.normalize().to_string());
                    mismatches.push(mismatch(name, claimed, computed));
                }
            }
        }
    }
    for claim in &trades.claims {
        let computed = earned(&trades.fills, matched, claim);
        if !computed.is_some_and(|computed| follows(*claim.claimed, computed)) {
            let computed = computed.map(|computed| computed.normalize().to_string());
            mismatches.push(mismatch(&format!("{}.profit_loss", claim.record), claim.claimed, computed));
        }
    }
    (mismatches, notes)
}

fn mismatch(claim: &str, claimed: impl ToString, computed: Option<String>) -> ClaimMismatch {
    ClaimMismatch { claim: claim.into(), claimed: claimed.to_string(), computed }
}

fn remark(record: Option<String>, message: String) -> ImportNote {
    ImportNote { kind: NoteKind::Remark, record, index: None, exec_id: None, message }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Whether a figure, rounded as the claim is, is the claim.
fn follows(claimed: Decimal, computed: Decimal) -> bool {
    half_up(computed, claimed.scale()) == claimed
}

/// What one record earned: of a trade, from its own entry and exit; of a raw fill, what it realised.
fn earned(fills: &[Fill], matched: &Matched, claim: &RecordClaim) -> Option<Decimal> {
    let of_record = |leg: Leg| fills.iter().position(|fill| fill.record == claim.record && fill.leg == leg);
    let Some(entry) = of_record(Leg::Entry) else {
        let pieces: Vec<Decimal> = matched
            .lot_matches
            .iter()
            .filter(|piece| piece.close_record == claim.record)
            .map(|piece| *piece.net)
            .collect();
        return if pieces.is_empty() { None } else { sum(pieces).ok() };
    };
    let (fees, entry, exit) = (&matched.fees, entry, of_record(Leg::Exit)?);
    let fee = add(*fees.get(entry)?, *fees.get(exit)?).ok()?;
    let (entry, exit) = (&fills[entry], &fills[exit]);
    let up = sub(*exit.price, *entry.price).ok()?;
    let gain = if entry.side == Some(Side::Buy) { up } else { -up };
    sub(product(&[gain, **entry.qty.as_ref()?, *entry.multiplier]).ok()?, fee).ok()
}
