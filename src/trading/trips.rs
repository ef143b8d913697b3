//! The figures of one closed piece and of one round trip, once the quantities are matched.

use super::{
    decimal::{self, Inexact, add, mul, product, ratio, sub, sum},
    matching::{Pair, Trip},
    settings::{Bar, Settings},
};
use flywheel_events::{Direction, Fill, LotMatch, RoundTrip, Side};
use rust_decimal::Decimal;

/// The figures of one piece, with its shares of the fees of entry and exit.
pub(super) fn lot_match(
    fills: &[Fill],
    pair: &Pair,
    round_trip: Option<u64>,
    (entry_fee, exit_fee): (Decimal, Decimal),
    settings: &Settings,
) -> Result<LotMatch, Inexact> {
    let (open, close) = (&fills[pair.open], &fills[pair.close]);
    // The entry's side decides; an expiration never opens a lot, so an entry has one.
    let direction = if open.side == Some(Side::Buy) { Direction::Long } else { Direction::Short };
    let move_ = match direction {
        Direction::Long => sub(*close.price, *open.price)?,
        Direction::Short => sub(*open.price, *close.price)?,
    };
    let gross = product(&[move_, pair.qty, *open.multiplier])?;
    let fees = add(entry_fee, exit_fee)?;
    Ok(LotMatch {
        symbol: open.symbol.clone(),
        account: open.account.clone(),
        currency: open.currency.clone(),
        direction,
        round_trip,
        open_record: open.record.clone(),
        close_record: close.record.clone(),
        open_ts: open.ts,
        close_ts: close.ts,
        trading_day: settings.trading_day(close.ts),
        qty: pair.qty.into(),
        entry_price: open.price,
        exit_price: close.price,
        gross: gross.into(),
        fees: fees.into(),
        net: sub(gross, fees)?.into(),
    })
}

/// The figures of one trip out of its pieces.
pub(super) fn round_trip(
    fills: &[Fill],
    trip: &Trip,
    pieces: &[usize],
    matches: &[LotMatch],
    residue: Option<Decimal>,
    settings: &Settings,
) -> Result<RoundTrip, Inexact> {
    let total = |figure: fn(&LotMatch) -> Decimal| sum(pieces.iter().map(|n| figure(&matches[*n])));
    let qty = total(|piece| *piece.qty)?;
    let mut cost = [Decimal::ZERO; 2];
    for piece in pieces.iter().map(|n| &matches[*n]) {
        cost[0] = add(cost[0], mul(*piece.entry_price, *piece.qty)?)?;
        cost[1] = add(cost[1], mul(*piece.exit_price, *piece.qty)?)?;
    }
    let mean = |cost: Decimal| ratio(cost, qty).ok_or(Inexact);
    let (avg_entry, avg_exit) = (mean(cost[0])?, mean(cost[1])?);
    let (gross, fees) = (total(|piece| *piece.gross)?, total(|piece| *piece.fees)?);
    let net = sub(gross, fees)?;
    let first = &fills[trip.fills[0]];
    let last = &fills[*trip.fills.last().expect("a closed trip has fills")];
    let entry_side = if trip.direction == Direction::Long { Side::Buy } else { Side::Sell };
    let stop =
        trip.fills.iter().map(|i| &fills[*i]).find(|fill| fill.side == Some(entry_side)).and_then(|fill| fill.stop);
    let size = decimal::scale(trip.max_qty, *first.multiplier).ok_or(Inexact)?;
    let of_size = |per_unit: Decimal| decimal::scale(per_unit, size);
    let initial_risk = stop.and_then(|stop| avg_entry.checked_sub(*stop)).and_then(|distance| of_size(distance.abs()));
    let excursion = settings.bars.get(&first.symbol).and_then(|bars| {
        let inside: Vec<&Bar> = bars.iter().filter(|bar| bar.ts >= first.ts && bar.ts <= last.ts).collect();
        let low = inside.iter().map(|bar| bar.low).min()?;
        let high = inside.iter().map(|bar| bar.high).max()?;
        let (down, up) = (avg_entry.checked_sub(low)?, high.checked_sub(avg_entry)?);
        let (worst, best) = if trip.direction == Direction::Long { (down, up) } else { (up, down) };
        Some((worst.max(Decimal::ZERO).normalize(), best.max(Decimal::ZERO).normalize()))
    });
    let trading_day = settings.trading_day(last.ts);
    let net_base = match settings.rate_to_base(&first.currency, trading_day) {
        Some(rate) => Some(mul(net, rate)?.into()),
        None => None,
    };
    let mut records: Vec<String> = vec![];
    for i in &trip.fills {
        if !records.contains(&fills[*i].record) {
            records.push(fills[*i].record.clone());
        }
    }
    Ok(RoundTrip {
        symbol: first.symbol.clone(),
        account: first.account.clone(),
        currency: first.currency.clone(),
        direction: trip.direction,
        open_ts: first.ts,
        close_ts: last.ts,
        trading_day,
        qty: qty.into(),
        max_qty: trip.max_qty.normalize().into(),
        multiplier: first.multiplier,
        avg_entry: avg_entry.into(),
        avg_exit: avg_exit.into(),
        gross: gross.into(),
        fees: fees.into(),
        net: net.into(),
        hold_seconds: (last.ts - first.ts).num_seconds(),
        stop,
        initial_risk: initial_risk.map(Into::into),
        r_multiple: initial_risk.and_then(|risk| ratio(net, risk)).map(Into::into),
        mae_per_unit: excursion.map(|(worst, _)| worst.into()),
        mfe_per_unit: excursion.map(|(_, best)| best.into()),
        mae_money: excursion.and_then(|(worst, _)| of_size(worst)).map(Into::into),
        mfe_money: excursion.and_then(|(_, best)| of_size(best)).map(Into::into),
        residual_qty: residue.map(Into::into),
        net_base,
        records,
    })
}
