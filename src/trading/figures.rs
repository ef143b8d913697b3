//! From round trips to figures: per day, per currency, in the base currency.

use super::{
    decimal::{self, Inexact, add, ratio, scale, sub, sum},
    matching::Matched,
    settings::Settings,
};
use chrono::NaiveDate;
use flywheel_events::{Daily, Equity, Figure, Fill, RoundTrip, Summary};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Trading days of a year, for annual figures.
const DAYS_PER_YEAR: u32 = 252;

fn figure(value: Option<Decimal>) -> Option<Figure> {
    value.map(Figure)
}

/// Every day with a fill, per currency.
pub fn daily(fills: &[Fill], matched: &Matched, settings: &Settings) -> Result<Vec<Daily>, Inexact> {
    let mut days: BTreeMap<(NaiveDate, &str), Daily> = BTreeMap::new();
    let zero = |(trading_day, currency): (NaiveDate, &str)| Daily {
        trading_day,
        currency: currency.to_owned(),
        realized_gross: Figure::default(),
        realized_fees: Figure::default(),
        realized_net: Figure::default(),
        fees_cash: Figure::default(),
        lots_closed: 0,
    };
    for (fill, fee) in fills.iter().zip(&matched.fees) {
        let key = (settings.trading_day(fill.ts), fill.currency.as_str());
        let day = days.entry(key).or_insert_with(|| zero(key));
        day.fees_cash = add(*day.fees_cash, *fee)?.into();
    }
    for piece in &matched.lot_matches {
        let key = (piece.trading_day, piece.currency.as_str());
        let day = days.entry(key).or_insert_with(|| zero(key));
        day.realized_gross = add(*day.realized_gross, *piece.gross)?.into();
        day.realized_fees = add(*day.realized_fees, *piece.fees)?.into();
        day.realized_net = sub(*day.realized_gross, *day.realized_fees)?.into();
        day.lots_closed += 1;
    }
    Ok(days.into_values().collect())
}

/// One closed trip as the summary sees it: its result in the summary's currency.
#[derive(Debug, Clone, Copy)]
struct Closed<'a> {
    net: Decimal,
    trip: &'a RoundTrip,
}

/// The summaries of a session: of its one currency, or of each; and of the base currency.
#[derive(Debug, Clone, Default)]
pub struct Summaries {
    /// Where there is one currency.
    pub single: Option<Summary>,
    /// Where there are several.
    pub by_currency: Option<BTreeMap<String, Summary>>,
    /// Where a base currency is set and every closed trip has a rate.
    pub base: Option<Summary>,
}

/// Sums up the round trips.
pub fn summaries(
    fills: &[Fill],
    matched: &Matched,
    daily: &[Daily],
    settings: &Settings,
) -> Result<Summaries, Inexact> {
    let mut currencies: BTreeSet<&str> = fills.iter().map(|fill| fill.currency.as_str()).collect();
    if currencies.is_empty() {
        currencies.insert(settings.base_currency.as_deref().unwrap_or("USD"));
    }
    let of = |currency: &str| {
        let trips = matched.round_trips.iter().filter(|trip| trip.currency == currency);
        summary(currency, &trips.map(|trip| Closed { net: *trip.net, trip }).collect::<Vec<_>>())
    };
    let base_currency = settings.base_currency.as_deref();
    let mut result = Summaries::default();
    if let (1, Some(currency)) = (currencies.len(), currencies.first()) {
        let mut summary = of(currency)?;
        // The starting equity is money of the base currency, which is the only one unless it is named.
        if base_currency.is_none_or(|base| base == *currency) {
            let days = daily.iter().map(|day| (day.trading_day, *day.realized_net));
            summary.equity = equity(&nets(&matched.round_trips, |trip| *trip.net), days.collect(), settings)?;
        }
        result.single = Some(summary);
        if base_currency.is_none_or(|base| base == *currency) {
            return Ok(result);
        }
    } else {
        result.by_currency = Some(
            currencies.iter().map(|currency| Ok(((*currency).to_owned(), of(currency)?))).collect::<Result<_, _>>()?,
        );
    }
    let Some(base) = base_currency else { return Ok(result) };
    let closed: Option<Vec<Closed<'_>>> =
        matched.round_trips.iter().map(|trip| Some(Closed { net: *trip.net_base?, trip })).collect();
    let Some(closed) = closed else { return Ok(result) };
    let mut total = summary(base, &closed)?;
    let mut days: BTreeMap<NaiveDate, Decimal> = BTreeMap::new();
    let mut complete = true;
    for day in daily {
        let sum = days.entry(day.trading_day).or_default();
        match settings.rate_to_base(&day.currency, day.trading_day) {
            Some(rate) => *sum = add(*sum, decimal::mul(*day.realized_net, rate)?)?,
            None => complete &= day.realized_net.is_zero(),
        }
    }
    if complete {
        let nets: Vec<Decimal> = closed.iter().map(|closed| closed.net).collect();
        total.equity = equity(&nets, days, settings)?;
    }
    result.base = Some(total);
    Ok(result)
}

fn nets(trips: &[RoundTrip], net: impl Fn(&RoundTrip) -> Decimal) -> Vec<Decimal> {
    trips.iter().map(net).collect()
}

fn summary(currency: &str, trips: &[Closed<'_>]) -> Result<Summary, Inexact> {
    let count = |pick: fn(Decimal) -> bool| trips.iter().filter(|closed| pick(closed.net)).count() as u64;
    let wins = count(|net| net > Decimal::ZERO);
    let losses = count(|net| net < Decimal::ZERO);
    let closed = trips.len() as u64;
    let total = |pick: fn(Decimal) -> bool| sum(trips.iter().map(|closed| closed.net).filter(|net| pick(*net)));
    let gross_profit = total(|net| net > Decimal::ZERO)?;
    let gross_loss = total(|net| net < Decimal::ZERO)?;
    let net_total = add(gross_profit, gross_loss)?;
    let per = |value: Decimal, n: u64| ratio(value, Decimal::from(n));
    let (avg_win, avg_loss) = (per(gross_profit, wins), per(gross_loss, losses));
    let holds: i64 = trips.iter().map(|closed| closed.trip.hold_seconds).fold(0, i64::saturating_add);
    let multiples: Vec<Decimal> = trips.iter().filter_map(|closed| closed.trip.r_multiple).map(|r| *r).collect();
    // R-multiples are ratios, so their sum may be rounded in the last digit.
    let total_r = multiples.iter().try_fold(Decimal::ZERO, |sum, r| sum.checked_add(*r));
    let total_r = total_r.filter(|_| !multiples.is_empty()).map(|total| total.normalize());
    let nets = trips.iter().map(|closed| closed.net);
    Ok(Summary {
        currency: currency.to_owned(),
        closed,
        wins,
        losses,
        scratches: closed - wins - losses,
        net_total: net_total.into(),
        win_rate: figure(per(Decimal::from(wins), closed)),
        win_rate_ex_scratch: figure(per(Decimal::from(wins), wins + losses)),
        gross_profit: gross_profit.into(),
        gross_loss: gross_loss.into(),
        profit_factor: figure(ratio(gross_profit, gross_loss.abs())),
        avg_win: figure(avg_win),
        avg_loss: figure(avg_loss),
        payoff_ratio: figure(avg_win.zip(avg_loss).and_then(|(win, loss)| ratio(win, loss.abs()))),
        expectancy: figure(per(net_total, closed)),
        largest_win: figure(nets.clone().max().filter(|net| *net > Decimal::ZERO)),
        largest_loss: figure(nets.clone().min().filter(|net| *net < Decimal::ZERO)),
        max_drawdown_abs: drawdown(&nets.collect::<Vec<_>>(), Decimal::ZERO)?.0.into(),
        max_consecutive_wins: streak(trips, |net| net > Decimal::ZERO),
        max_consecutive_losses: streak(trips, |net| net < Decimal::ZERO),
        avg_hold_seconds: figure(per(Decimal::from(holds), closed)),
        expectancy_r: figure(total_r.and_then(|total| per(total, multiples.len() as u64))),
        total_r: figure(total_r),
        equity: None,
    })
}

/// The longest run; a scratch is in neither, so it breaks both.
fn streak(trips: &[Closed<'_>], of: fn(Decimal) -> bool) -> u64 {
    let (mut longest, mut run) = (0, 0);
    for closed in trips {
        run = if of(closed.net) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// The largest fall from a running peak that starts at `start`: in money, and as a part of the peak.
fn drawdown(nets: &[Decimal], start: Decimal) -> Result<(Decimal, Option<Decimal>), Inexact> {
    let (mut equity, mut peak, mut worst, mut part) = (start, start, Decimal::ZERO, Some(Decimal::ZERO));
    for net in nets {
        equity = add(equity, *net)?;
        peak = peak.max(equity);
        let fall = sub(peak, equity)?;
        worst = worst.max(fall);
        part = if peak > Decimal::ZERO { part.zip(ratio(fall, peak)).map(|(a, b)| a.max(b)) } else { None };
    }
    Ok((worst, part))
}

/// What needs a starting equity; none without one above zero.
fn equity(
    trips: &[Decimal],
    realized: BTreeMap<NaiveDate, Decimal>,
    settings: &Settings,
) -> Result<Option<Equity>, Inexact> {
    let Some(starting_equity) = settings.starting_equity else { return Ok(None) };
    // Named trading days are the days, and a day that realised something is one whether it is named or not.
    let named = &settings.trading_days;
    let counted = realized.iter().filter(|(_, net)| named.is_empty() || !net.is_zero()).map(|(day, _)| *day);
    let days: Vec<NaiveDate> = named.iter().copied().chain(counted).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ending_equity = starting_equity;
    let mut daily_returns = vec![];
    for day in &days {
        let net = realized.get(day).copied().unwrap_or_default();
        let begins_with = Some(ending_equity).filter(|equity| *equity > Decimal::ZERO);
        daily_returns.push(begins_with.and_then(|equity| ratio(net, equity)));
        ending_equity = add(ending_equity, net)?;
    }
    let known: Option<Vec<Decimal>> = daily_returns.iter().copied().collect();
    let statistics = known.as_deref().map(Statistics::of).unwrap_or_default();
    let percent = drawdown(trips, starting_equity)?.1.and_then(|part| scale(part, Decimal::ONE_HUNDRED));
    Ok(Some(Equity {
        starting_equity: starting_equity.into(),
        ending_equity: ending_equity.into(),
        days,
        daily_returns: daily_returns.into_iter().map(figure).collect(),
        mean_daily_return: figure(statistics.mean),
        volatility_daily_ddof1: figure(statistics.volatility),
        max_drawdown_pct: figure(percent),
        sharpe_annualized_252_rf0: figure(statistics.sharpe),
        sortino_annualized_252_mar0: figure(statistics.sortino),
    }))
}

/// Of daily returns; all of them ratios, so the last digit may be rounded.
#[derive(Debug, Clone, Copy, Default)]
struct Statistics {
    mean: Option<Decimal>,
    volatility: Option<Decimal>,
    sharpe: Option<Decimal>,
    sortino: Option<Decimal>,
}

impl Statistics {
    fn of(returns: &[Decimal]) -> Self {
        let n = Decimal::from(returns.len() as u64);
        let total = returns.iter().try_fold(Decimal::ZERO, |sum, value| sum.checked_add(*value));
        let Some(mean) = total.and_then(|total| ratio(total, n)) else { return Self::default() };
        let deviations: Option<Vec<Decimal>> = returns.iter().map(|item| item.checked_sub(mean)).collect();
        let volatility = deviations
            .filter(|_| returns.len() > 1)
            .and_then(|deviations| decimal::root_mean_square(&deviations, n - Decimal::ONE));
        let falls: Vec<Decimal> = returns.iter().map(|item| (*item).min(Decimal::ZERO)).collect();
        let downside = decimal::root_mean_square(&falls, n);
        let annual = |risk: Option<Decimal>| {
            let year = decimal::sqrt(Decimal::from(DAYS_PER_YEAR))?;
            scale(ratio(mean, risk.filter(|risk| !risk.is_zero())?)?, year)
        };
        Self { mean: Some(mean), volatility, sharpe: annual(volatility), sortino: annual(downside) }
    }
}
