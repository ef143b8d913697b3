//! From fills to round trips: a round trip runs from flat to flat per (account, symbol).
//!
//! Two passes. The first moves quantities only; the second splits every fill's fee over all the pieces it went into at
//! once, so that the shares sum exactly whatever the order of exits was.

use super::{
    decimal::{self, Inexact, add, mul, product, sub},
    settings::{Matching, Settings},
    trips::{lot_match, round_trip},
};
use flywheel_events::{Direction, Fill, FillKind, ImportNote, LotMatch, NoteKind, OpenLot, RoundTrip, Side};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, VecDeque};

/// What the fills come to.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    /// In the order of the exits.
    pub lot_matches: Vec<LotMatch>,
    /// In the order they closed.
    pub round_trips: Vec<RoundTrip>,
    /// By account, symbol and currency.
    pub open_lots: Vec<OpenLot>,
    /// How many round trips are still open.
    pub open_trips: u64,
    /// What each fill cost, in the currency of its price.
    pub fees: Vec<Decimal>,
    /// What could not be valued.
    pub notes: Vec<ImportNote>,
}

/// A figure that cannot be held, and the record it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{record}: {source}")]
pub struct Error {
    record: String,
    source: Inexact,
}

/// Matches fills that are ordered by time.
///
/// # Errors
/// When a figure needs more digits than can be held exactly.
pub fn match_fills(fills: &[Fill], settings: &Settings) -> Result<Matched, Error> {
    let at = |fill: &Fill| {
        let record = fill.record.clone();
        move |source| Error { record, source }
    };
    let mut pass = Pass::new(settings);
    let mut fees = Vec::with_capacity(fills.len());
    for (i, fill) in fills.iter().enumerate() {
        fees.push(pass.take(fills, i).map_err(at(fill))?);
    }
    let shares = pass.fee_shares(&fees).map_err(|(i, source)| at(&fills[i])(source))?;
    let mut matched = Matched { fees, notes: std::mem::take(&mut pass.notes), ..Matched::default() };
    let closed: BTreeMap<usize, u64> = pass.closed.iter().enumerate().map(|(n, (trip, _))| (*trip, n as u64)).collect();
    for (n, pair) in pass.pairs.iter().enumerate() {
        let round_trip = closed.get(&pair.trip).copied();
        let piece = lot_match(fills, pair, round_trip, shares.of_pair[n], settings).map_err(at(&fills[pair.close]))?;
        matched.lot_matches.push(piece);
    }
    let mut pieces_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (n, pair) in pass.pairs.iter().enumerate() {
        pieces_of.entry(pair.trip).or_default().push(n);
    }
    for (trip, residue) in &pass.closed {
        let pieces = &pieces_of[trip];
        let last = pass.pairs[*pieces.last().expect("a closed trip has an exit")].close;
        let trip = round_trip(fills, &pass.trips[*trip], pieces, &matched.lot_matches, *residue, settings);
        matched.round_trips.push(trip.map_err(at(&fills[last]))?);
    }
    for book in pass.books.values() {
        matched.open_trips += u64::from(book.trip.is_some());
        for lot in &book.lots {
            let fill = &fills[lot.fill];
            matched.open_lots.push(OpenLot {
                symbol: fill.symbol.clone(),
                account: fill.account.clone(),
                currency: fill.currency.clone(),
                direction: book.direction,
                open_ts: fill.ts,
                qty: lot.qty.into(),
                price: fill.price,
                fees: shares.of_open.get(&lot.fill).copied().unwrap_or_default().into(),
                multiplier: fill.multiplier,
                record: fill.record.clone(),
                dust: book.trip.is_none(),
            });
        }
    }
    note_missing_rates(&mut matched, settings);
    Ok(matched)
}

/// A piece of a lot that an exit closed: quantities only.
pub(super) struct Pair {
    pub(super) open: usize,
    pub(super) close: usize,
    pub(super) qty: Decimal,
    trip: usize,
}

pub(super) struct Trip {
    pub(super) direction: Direction,
    /// Every fill of the trip, entries and exits, in order.
    pub(super) fills: Vec<usize>,
    pub(super) max_qty: Decimal,
}

struct Lot {
    fill: usize,
    qty: Decimal,
}

struct Position {
    direction: Direction,
    lots: VecDeque<Lot>,
    /// Σ quantity of the lots, kept so that thousands of them are not summed at every fill.
    held: Decimal,
    /// None while flat, and while nothing but dust is left.
    trip: Option<usize>,
}

struct Pass<'a> {
    settings: &'a Settings,
    books: BTreeMap<(String, String, String), Position>,
    pairs: Vec<Pair>,
    trips: Vec<Trip>,
    /// Closed trips in order, with the dust they left.
    closed: Vec<(usize, Option<Decimal>)>,
    notes: Vec<ImportNote>,
}

struct Shares {
    of_pair: Vec<(Decimal, Decimal)>,
    of_open: BTreeMap<usize, Decimal>,
}

impl<'a> Pass<'a> {
    fn new(settings: &'a Settings) -> Self {
        Self { settings, books: BTreeMap::new(), pairs: vec![], trips: vec![], closed: vec![], notes: vec![] }
    }

    fn note(&mut self, fill: &Fill, kind: NoteKind, message: String) {
        let index = fill.record.split_once('[').and_then(|(_, rest)| rest.trim_end_matches(']').parse().ok());
        let exec_id = fill.exec_id.clone();
        self.notes.push(ImportNote { kind, record: Some(fill.record.clone()), index, exec_id, message });
    }

    /// Moves the quantities of one fill, and says what it cost.
    fn take(&mut self, fills: &[Fill], i: usize) -> Result<Decimal, Inexact> {
        let fill = &fills[i];
        let (cost, of_base) = self.cost(fill)?;
        let key = (fill.account.clone(), fill.symbol.clone(), fill.currency.clone());
        let empty = || Position { direction: Direction::Long, lots: VecDeque::new(), held: Decimal::ZERO, trip: None };
        let mut book = self.books.remove(&key).unwrap_or_else(empty);
        let open = book.held;
        let signed = match (fill.kind, fill.side, fill.qty) {
            (FillKind::Trade, Some(side), Some(qty)) => {
                let signed = if side == Side::Buy { *qty } else { -*qty };
                sub(signed, of_base)?
            }
            // An expiration closes what is open and never opens anything, whatever it says.
            (_, _, qty) => {
                let closing = qty.map_or(open, |qty| open.min(*qty));
                if qty.is_some_and(|qty| *qty > open) {
                    self.note(fill, NoteKind::Remark, format!("more expired than the {open} that were open"));
                }
                if book.direction == Direction::Long { -closing } else { closing }
            }
        };
        let direction = if signed > Decimal::ZERO { Direction::Long } else { Direction::Short };
        if signed.is_zero() {
            self.note(fill, NoteKind::Skipped, "moves no quantity".into());
        } else if book.lots.is_empty() || book.direction == direction {
            self.open(&mut book, i, signed.abs(), direction)?;
        } else {
            self.close(&mut book, fills, i, signed.abs())?;
        }
        self.books.insert(key, book);
        Ok(if signed.is_zero() { Decimal::ZERO } else { cost })
    }

    /// What a fill's fee is in the currency of its price, and how much of it was taken in the base asset.
    fn cost(&mut self, fill: &Fill) -> Result<(Decimal, Decimal), Inexact> {
        let (fee, currency) = (*fill.fee, &fill.fee_currency);
        if fee.is_zero() || *currency == fill.currency {
            return Ok((fee, Decimal::ZERO));
        }
        if fill.base_asset.as_ref() == Some(currency) {
            return Ok((product(&[fee, *fill.price, *fill.multiplier])?, fee));
        }
        let pair = format!("{currency}/{}", fill.currency);
        if let Some(rate) = self.settings.fee_rates.get(&pair) {
            return Ok((mul(fee, *rate)?, Decimal::ZERO));
        }
        let message = format!("the fee of {fee} {currency} has no rate {pair} in fee_rates and is in no figure");
        self.note(fill, NoteKind::UnpricedFee, message);
        Ok((Decimal::ZERO, Decimal::ZERO))
    }

    fn open(&mut self, book: &mut Position, i: usize, qty: Decimal, direction: Direction) -> Result<(), Inexact> {
        book.direction = direction;
        book.held = add(book.held, qty)?;
        book.lots.push_back(Lot { fill: i, qty });
        let trip = *book.trip.get_or_insert_with(|| {
            self.trips.push(Trip { direction, fills: vec![], max_qty: Decimal::ZERO });
            self.trips.len() - 1
        });
        let trip = &mut self.trips[trip];
        trip.fills.push(i);
        trip.max_qty = trip.max_qty.max(book.held);
        Ok(())
    }

    fn close(&mut self, book: &mut Position, fills: &[Fill], i: usize, qty: Decimal) -> Result<(), Inexact> {
        let mut left = qty;
        let trip = match book.trip {
            Some(trip) => trip,
            // Dust alone is left: what closes it is a trip of its own, from when the dust was bought.
            None => {
                let fills = book.lots.iter().map(|lot| lot.fill).collect();
                self.trips.push(Trip { direction: book.direction, fills, max_qty: book.held });
                self.trips.len() - 1
            }
        };
        self.trips[trip].fills.push(i);
        while !left.is_zero() {
            let lot = match self.settings.matching {
                Matching::Fifo => book.lots.front_mut(),
                Matching::Lifo => book.lots.back_mut(),
            };
            let Some(lot) = lot else { break };
            let qty = lot.qty.min(left);
            if fills[lot.fill].multiplier != fills[i].multiplier {
                let message = format!("its multiplier is not the one of {}, which counts", fills[lot.fill].record);
                self.note(&fills[i], NoteKind::Remark, message);
            }
            lot.qty = sub(lot.qty, qty)?;
            left = sub(left, qty)?;
            book.held = sub(book.held, qty)?;
            let emptied = lot.qty.is_zero();
            self.pairs.push(Pair { open: lot.fill, close: i, qty, trip });
            match self.settings.matching {
                Matching::Fifo if emptied => drop(book.lots.pop_front()),
                Matching::Lifo if emptied => drop(book.lots.pop_back()),
                _ => {}
            }
        }
        if book.lots.is_empty() {
            self.closed.push((trip, None));
            book.trip = None;
            if !left.is_zero() {
                let other = match book.direction {
                    Direction::Long => Direction::Short,
                    Direction::Short => Direction::Long,
                };
                self.open(book, i, left, other)?;
            }
            return Ok(());
        }
        let residue = book.held;
        if self.is_dust(residue, &fills[i])? {
            self.closed.push((trip, Some(residue)));
            book.trip = None;
        } else {
            book.trip = Some(trip);
        }
        Ok(())
    }

    fn is_dust(&self, qty: Decimal, fill: &Fill) -> Result<bool, Inexact> {
        let Some(limit) = self.settings.dust_quote else { return Ok(false) };
        // What expired at 0 is worth nothing, but it is not a residue.
        Ok(fill.kind == FillKind::Trade && product(&[qty, *fill.price, *fill.multiplier])?.abs() < limit)
    }

    /// Splits every fill's cost over the pieces it went into and what is left of it.
    fn fee_shares(&self, costs: &[Decimal]) -> Result<Shares, (usize, Inexact)> {
        enum Piece {
            Entry(usize),
            Exit(usize),
            Open,
        }
        let mut pieces: Vec<Vec<(Piece, Decimal)>> = costs.iter().map(|_| vec![]).collect();
        for (n, pair) in self.pairs.iter().enumerate() {
            pieces[pair.open].push((Piece::Entry(n), pair.qty));
            pieces[pair.close].push((Piece::Exit(n), pair.qty));
        }
        for lot in self.books.values().flat_map(|book| &book.lots) {
            pieces[lot.fill].push((Piece::Open, lot.qty));
        }
        let mut shares =
            Shares { of_pair: vec![(Decimal::ZERO, Decimal::ZERO); self.pairs.len()], of_open: BTreeMap::new() };
        for (i, pieces) in pieces.into_iter().enumerate() {
            if costs[i].is_zero() || pieces.is_empty() {
                continue;
            }
            let weights: Vec<Decimal> = pieces.iter().map(|(_, qty)| *qty).collect();
            let parts = decimal::split(costs[i], &weights).map_err(|source| (i, source))?;
            for ((piece, _), part) in pieces.into_iter().zip(parts) {
                match piece {
                    Piece::Entry(n) => shares.of_pair[n].0 = part,
                    Piece::Exit(n) => shares.of_pair[n].1 = part,
                    Piece::Open => drop(shares.of_open.insert(i, part)),
                }
            }
        }
        Ok(shares)
    }
}

fn note_missing_rates(matched: &mut Matched, settings: &Settings) {
    let Some(base) = &settings.base_currency else { return };
    let mut missing: Vec<(String, chrono::NaiveDate)> = matched
        .round_trips
        .iter()
        .filter(|trip| trip.net_base.is_none())
        .map(|trip| (trip.currency.clone(), trip.trading_day))
        .collect();
    missing.sort();
    missing.dedup();
    matched.notes.extend(missing.into_iter().map(|(currency, day)| ImportNote {
        kind: NoteKind::MissingRate,
        record: None,
        index: None,
        exec_id: None,
        message: format!("fx_to_base has no rate of {currency} to {base} for {day}; there is no total in {base}"),
    }));
}
