//! What a session teaches: detectors with a minimum sample, each naming the trips it rests on. No evidence, no lesson.

use super::{
    decimal::{half_up, ratio, sum},
    show,
};
use chrono::{Duration, Timelike as _};
use chrono_tz::Tz;
use flywheel_events::{Direction, Fill, Lesson, RoundTrip, TripRef};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;

/// Closed trips of each sort that a comparison of two sorts needs.
const SORT_SAMPLE_MIN: usize = 3;
/// How much longer losers are held than winners to be worth a word.
const HOLD_FACTOR_MIN: i64 = 2;
/// A re-entry this soon after a loss is one.
const REENTRY_WITHIN_MINUTES: i64 = 10;
/// Times something has to happen to be a habit.
const HABIT_MIN: usize = 2;
/// Losses that one hour is looked for in.
const CLUSTER_SAMPLE_MIN: usize = 4;

/// The trips a detector looks at: of one currency, in closing order, each with its index in the session's list.
type Trips<'a> = [Trip<'a>];
/// A trip and its index.
type Trip<'a> = (usize, &'a RoundTrip);

/// Every lesson of a session. Trips of different currencies are never compared in money.
pub fn lessons(trips: &[RoundTrip], fills: &[Fill], tz: Tz) -> Vec<Lesson> {
    let mut by_currency: BTreeMap<&str, Vec<Trip<'_>>> = BTreeMap::new();
    for (i, trip) in trips.iter().enumerate() {
        by_currency.entry(&trip.currency).or_default().push((i, trip));
    }
    let mut lessons = vec![];
    for trips in by_currency.values() {
        let detectors = [
            losers_held_longer(trips),
            reentry_after_a_loss(trips),
            size_raised_after_a_loss(trips),
            fees_eat_the_gross(trips),
            dominant_loss(trips),
            time_of_day(trips, tz),
            stop_broken(trips),
            plan_broken(trips, fills),
        ];
        lessons.extend(detectors.into_iter().flatten());
    }
    lessons
}

fn lesson(detector: &str, text: String, sample: usize, evidence: &Trips<'_>) -> Option<Lesson> {
    let named = |(index, trip): &Trip<'_>| TripRef {
        index: *index as u64,
        symbol: trip.symbol.clone(),
        open_ts: trip.open_ts,
        close_ts: trip.close_ts,
        net: trip.net,
        currency: trip.currency.clone(),
    };
    (!evidence.is_empty()).then(|| Lesson {
        detector: detector.into(),
        text,
        sample: sample as u64,
        evidence: evidence.iter().map(named).collect(),
    })
}

fn losses<'a>(trips: &Trips<'a>) -> Vec<Trip<'a>> {
    trips.iter().filter(|(_, trip)| trip.net.0 < Decimal::ZERO).copied().collect()
}

fn wins<'a>(trips: &Trips<'a>) -> Vec<Trip<'a>> {
    trips.iter().filter(|(_, trip)| trip.net.0 > Decimal::ZERO).copied().collect()
}

fn losers_held_longer(trips: &Trips<'_>) -> Option<Lesson> {
    let (wins, losses) = (wins(trips), losses(trips));
    if wins.len() < SORT_SAMPLE_MIN || losses.len() < SORT_SAMPLE_MIN {
        return None;
    }
    let mean = |trips: &Trips<'_>| {
        trips.iter().map(|(_, trip)| trip.hold_seconds).fold(0, i64::saturating_add) / trips.len() as i64
    };
    let (of_wins, of_losses) = (mean(&wins), mean(&losses));
    if of_wins <= 0 || of_losses < of_wins.saturating_mul(HOLD_FACTOR_MIN) {
        return None;
    }
    let text = format!(
        "Losing trades were held {} on average, winning ones {} ({} losses, {} wins).",
        show::duration(of_losses),
        show::duration(of_wins),
        losses.len(),
        wins.len()
    );
    lesson("losers_held_longer", text, wins.len() + losses.len(), &losses)
}

/// The trip that opened next, in the same account, after each loss.
fn after_losses<'a>(trips: &Trips<'a>) -> Vec<(Trip<'a>, Trip<'a>)> {
    let next = |loss: &Trip<'a>| {
        let later = trips.iter().filter(|(_, trip)| trip.account == loss.1.account && trip.open_ts >= loss.1.close_ts);
        later.filter(|(i, _)| *i != loss.0).min_by_key(|(_, trip)| trip.open_ts).copied()
    };
    losses(trips).into_iter().filter_map(|loss| Some((loss, next(&loss)?))).collect()
}

fn reentry_after_a_loss(trips: &Trips<'_>) -> Option<Lesson> {
    let soon = Duration::minutes(REENTRY_WITHIN_MINUTES);
    let found: Vec<Trip<'_>> = losses(trips)
        .into_iter()
        .filter_map(|(lost_at, loss)| {
            let again = |(i, trip): &&Trip<'_>| {
                *i != lost_at
                    && (&trip.symbol, &trip.account) == (&loss.symbol, &loss.account)
                    && trip.open_ts >= loss.close_ts
                    && trip.open_ts - loss.close_ts <= soon
            };
            trips.iter().filter(again).min_by_key(|(_, trip)| trip.open_ts).copied()
        })
        .collect();
    let mut distinct = found;
    distinct.sort_by_key(|(i, _)| *i);
    distinct.dedup_by_key(|(i, _)| *i);
    if distinct.len() < HABIT_MIN {
        return None;
    }
    let lost = losses(&distinct).len();
    let text = format!(
        "Re-entered the same symbol within {REENTRY_WITHIN_MINUTES} minutes of a loss {} times; {lost} of these trades \
         lost again.",
        distinct.len()
    );
    lesson("reentry_after_loss", text, losses(trips).len(), &distinct)
}

fn size_raised_after_a_loss(trips: &Trips<'_>) -> Option<Lesson> {
    let pairs = after_losses(trips);
    let value = |trip: &RoundTrip| capital(trip);
    let mut raised: Vec<Trip<'_>> = pairs
        .iter()
        .filter(|((_, loss), (_, next))| {
            let threshold = value(loss).and_then(|value| value.checked_mul(Decimal::new(15, 1)));
            value(next).zip(threshold).is_some_and(|(next, threshold)| next >= threshold)
        })
        .map(|(_, next)| *next)
        .collect();
    raised.sort_by_key(|(i, _)| *i);
    raised.dedup_by_key(|(i, _)| *i);
    if pairs.len() < SORT_SAMPLE_MIN || raised.len() < HABIT_MIN || raised.len() * 2 < pairs.len() {
        return None;
    }
    let text = format!(
        "After a loss the next position was at least half as large again in {} of {} cases.",
        raised.len(),
        pairs.len()
    );
    lesson("size_raised_after_loss", text, pairs.len(), &raised)
}

/// What was put in: average entry · largest quantity · multiplier.
pub fn capital(trip: &RoundTrip) -> Option<Decimal> {
    trip.avg_entry.checked_mul(*trip.max_qty)?.checked_mul(*trip.multiplier).map(|value| value.abs())
}

fn fees_eat_the_gross(trips: &Trips<'_>) -> Option<Lesson> {
    let gross = sum(trips.iter().map(|(_, trip)| *trip.gross)).ok()?;
    let fees = sum(trips.iter().map(|(_, trip)| *trip.fees)).ok()?;
    let share = ratio(fees, gross)?;
    if trips.len() < SORT_SAMPLE_MIN || gross <= Decimal::ZERO || share <= Decimal::new(2, 1) {
        return None;
    }
    let currency = &trips[0].1.currency;
    let text = format!(
        "Fees of {} took {} of the gross result of {} ({} trades).",
        show::money(fees, currency),
        show::percent(share),
        show::money(gross, currency),
        trips.len()
    );
    let paid: Vec<_> = trips.iter().filter(|(_, trip)| trip.fees.0 > Decimal::ZERO).copied().collect();
    lesson("fees_above_a_fifth", text, trips.len(), &paid)
}

fn dominant_loss(trips: &Trips<'_>) -> Option<Lesson> {
    let losses = losses(trips);
    if losses.len() < SORT_SAMPLE_MIN {
        return None;
    }
    let total = sum(losses.iter().map(|(_, trip)| *trip.net)).ok()?;
    let worst = losses.iter().min_by_key(|(_, trip)| trip.net).copied()?;
    let share = ratio(*worst.1.net, total)?;
    if share <= Decimal::new(4, 1) {
        return None;
    }
    let text = format!("One loss made up {} of all losses (1 of {}).", show::percent(share), losses.len());
    lesson("dominant_loss", text, losses.len(), &[worst])
}

/// At least four losses, and at least three in five of them opened in one local hour in which most trades lost.
fn time_of_day(trips: &Trips<'_>, tz: Tz) -> Option<Lesson> {
    let losses = losses(trips);
    if losses.len() < CLUSTER_SAMPLE_MIN {
        return None;
    }
    let hour = |trip: &RoundTrip| trip.open_ts.with_timezone(&tz).hour();
    let mut of_hour: BTreeMap<u32, Vec<Trip<'_>>> = BTreeMap::new();
    for loss in &losses {
        of_hour.entry(hour(loss.1)).or_default().push(*loss);
    }
    let (hour_of_losses, cluster) = of_hour.into_iter().rev().max_by_key(|(_, losses)| losses.len())?;
    let opened = trips.iter().filter(|(_, trip)| hour(trip) == hour_of_losses).count();
    // Where every trade was opened in that hour, the hour says nothing.
    if cluster.len() * 5 < losses.len() * 3 || cluster.len() * 2 <= opened || opened == trips.len() {
        return None;
    }
    let text = format!(
        "{} of {} losses were opened between {hour_of_losses:02}:00 and {hour_of_losses:02}:59 ({tz}); {} of the {opened} \
         trades of that hour lost.",
        cluster.len(),
        losses.len(),
        cluster.len()
    );
    lesson("time_of_day_cluster", text, trips.len(), &cluster)
}

/// Lost more before fees than the initial stop allowed, with a tenth for slippage.
fn stop_broken(trips: &Trips<'_>) -> Option<Lesson> {
    let with_stop: Vec<_> = trips.iter().filter(|(_, trip)| trip.r_multiple.is_some()).copied().collect();
    let beyond = |trip: &RoundTrip| {
        let limit = trip.initial_risk.and_then(|risk| risk.checked_mul(Decimal::new(-11, 1)));
        let wrong_way = trip.stop.is_some_and(|stop| match trip.direction {
            Direction::Long => trip.avg_exit < stop,
            Direction::Short => trip.avg_exit > stop,
        });
        wrong_way && limit.is_some_and(|limit| trip.gross.0 < limit)
    };
    let broken: Vec<_> = with_stop.iter().filter(|(_, trip)| beyond(trip)).copied().collect();
    let worst = broken.iter().filter_map(|(_, trip)| trip.r_multiple).min()?;
    let text = format!(
        "Closed beyond the initial stop: {} of {} trades that had one; the worst cost {} R.",
        broken.len(),
        with_stop.len(),
        half_up(worst.abs(), 2)
    );
    lesson("stop_broken", text, with_stop.len(), &broken)
}

/// A record that says the plan was not followed.
fn plan_broken(trips: &Trips<'_>, fills: &[Fill]) -> Option<Lesson> {
    let says = |fill: &Fill, names: [&str; 3], value: bool| {
        names.iter().any(|name| fill.extra.get(*name).and_then(Value::as_bool) == Some(value))
    };
    let mut told = BTreeMap::new();
    for fill in fills {
        let broken = says(fill, ["plan_broken", "broke_plan", "off_plan"], true)
            || says(fill, ["plan_followed", "followed_plan", "on_plan"], false);
        let followed = says(fill, ["plan_broken", "broke_plan", "off_plan"], false)
            || says(fill, ["plan_followed", "followed_plan", "on_plan"], true);
        if broken || followed {
            *told.entry(fill.record.as_str()).or_insert(false) |= broken;
        }
    }
    let about = |trip: &RoundTrip| trip.records.iter().filter_map(|record| told.get(record.as_str())).copied().max();
    let known: Vec<_> = trips.iter().filter_map(|(i, trip)| Some((*i, *trip, about(trip)?))).collect();
    let broken: Vec<_> = known.iter().filter(|(_, _, broken)| *broken).map(|(i, trip, _)| (*i, *trip)).collect();
    let net = sum(broken.iter().map(|(_, trip)| *trip.net)).ok()?;
    let currency = &trips.first()?.1.currency;
    let text = format!(
        "Plan not followed in {} of {} trades that say; together these came to {}.",
        broken.len(),
        known.len(),
        show::signed_money(net, currency)
    );
    lesson("plan_broken", text, known.len(), &broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::trade::{lessons::lessons, normalize::normalize, summarize::summarize};
    use serde_json::json;

    /// `(symbol, opened and closed in minutes after 10:00, quantity, net of one unit, extra)`; entry 100, stop at 95.
    fn found(trades: &[(&str, i64, i64, u32, i64, Value)], fee: &str) -> Vec<(String, Vec<u64>)> {
        let at = |minutes: i64| {
            let start: flywheel_events::stamp::Stamp = "2025-12-02T10:00:00Z".parse().expect("a stamp");
            (start + Duration::minutes(minutes)).to_rfc3339()
        };
        let record = |(symbol, open, close, quantity, net, extra): &(&str, i64, i64, u32, i64, Value)| {
            let mut record = json!({ "symbol": symbol, "action": "buy", "quantity": quantity, "price": 100,
                "exit_price": 100 + net, "timestamp": at(*open), "exit_timestamp": at(*close), "fee": fee });
            record.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
            record
        };
        let session = serde_json::from_value(json!({
            "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "session_type": "trade", "agent_id": "A",
            "timestamp": "2025-12-02T22:00:00Z", "source_data": { "trades": trades.iter().map(record).collect::<Vec<_>>() }
        }))
        .expect("a session");
        let trades = normalize(&session).expect("usable records");
        let summary = summarize(&trades, &session).expect("figures");
        let lessons = lessons(&summary, &trades, &session).expect("closed trades").lessons;
        lessons.into_iter().map(|l| (l.detector, l.evidence.iter().map(|trip| trip.index).collect())).collect()
    }

    fn check(trades: &[(&str, i64, i64, u32, i64, Value)], fee: &str, expected: &[(&str, &[u64])]) {
        let expected: Vec<_> = expected.iter().map(|(name, trips)| ((*name).to_owned(), trips.to_vec())).collect();
        assert_eq!(found(trades, fee), expected);
    }

    #[test]
    fn no_evidence_no_lesson() {
        check(&[("A", 0, 5, 1, 10, Value::Null), ("B", 60, 65, 1, -10, Value::Null)], "0", &[]);
    }

    #[test]
    fn losers_held_twice_as_long_as_winners() {
        let none = Value::Null;
        let mut trades: Vec<_> = (0..6)
            .map(|i| {
                let (length, net) = if i < 3 { (10, 7) } else { (20, -5) };
                (["A", "B", "C", "D", "E", "F"][i], i as i64 * 60, i as i64 * 60 + length, 1, net, none.clone())
            })
            .collect();
        check(&trades, "0", &[("losers_held_longer", &[3, 4, 5])]);
        trades[5].2 -= 1;
        check(&trades, "0", &[]);
        check(&trades[..5], "0", &[]);
    }

    #[test]
    fn reentry_within_ten_minutes_of_a_loss_twice() {
        let none = Value::Null;
        let mut trades = vec![
            ("A", 0, 5, 1, -5, none.clone()),
            ("A", 10, 12, 1, -5, none.clone()),
            ("A", 22, 30, 1, 5, none.clone()),
        ];
        check(&trades, "0", &[("reentry_after_loss", &[1, 2])]);
        trades[2].1 = 23;
        check(&trades, "0", &[]);
    }

    #[test]
    fn size_raised_after_a_loss_in_half_of_three_cases() {
        let none = Value::Null;
        let mut trades = vec![
            ("A", 0, 5, 10, -3, none.clone()),
            ("B", 60, 65, 15, -2, none.clone()),
            ("C", 120, 125, 30, -1, none.clone()),
            ("D", 180, 185, 30, 1, none.clone()),
        ];
        check(&trades, "0", &[("size_raised_after_loss", &[1, 2])]);
        trades[1].3 = 14;
        check(&trades, "0", &[]);
    }

    #[test]
    fn fees_above_a_fifth_of_gross() {
        let none = Value::Null;
        let trades: Vec<_> =
            (0..3).map(|i| (["A", "B", "C"][i], i as i64 * 60, i as i64 * 60 + 5, 1, 5, none.clone())).collect();
        check(&trades, "1.01", &[("fees_above_a_fifth", &[0, 1, 2])]);
        check(&trades, "1", &[]);
    }

    #[test]
    fn one_loss_above_two_fifths_of_all() {
        let none = Value::Null;
        let mut trades: Vec<_> = [-41, -30, -29]
            .iter()
            .enumerate()
            .map(|(i, net)| (["A", "B", "C"][i], i as i64 * 60, i as i64 * 60 + 5, 1, *net, none.clone()))
            .collect();
        check(&trades, "0", &[("dominant_loss", &[0])]);
        trades[0].4 = -39;
        check(&trades, "0", &[]);
    }

    #[test]
    fn losses_that_cluster_in_an_hour() {
        let none = Value::Null;
        let row = |i: usize, minute, net| (["A", "B", "C", "D", "E", "F"][i], minute, minute + 1, 1, net, none.clone());
        let mut trades =
            vec![row(0, 60, -1), row(1, 70, -1), row(2, 80, -1), row(3, 0, 9), row(4, 180, -1), row(5, 240, 9)];
        check(&trades, "0", &[("time_of_day_cluster", &[1, 2, 3])]);
        trades[2].1 = 300;
        trades[2].2 = 301;
        check(&trades, "0", &[]);
    }

    #[test]
    fn a_stop_or_a_plan_that_was_broken() {
        let plan = |followed: bool| json!({ "stop": 95, "followed_plan": followed });
        let trades =
            [("A", 0, 5, 1, -6, plan(false)), ("B", 60, 65, 1, -5, plan(true)), ("C", 120, 125, 1, 9, Value::Null)];
        check(&trades, "0", &[("stop_broken", &[0]), ("plan_broken", &[0])]);
    }
}
