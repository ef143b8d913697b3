//! `trading.summarized`: what a trading session came to, computed from its fills.

use crate::{Fact, Figure, ImportNote, SessionId, stamp::Stamp};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The figures of a session. Inputs, sums and products are exact; quotients keep at least twelve places.
/// What is unknown is null, never zero. Money is in the currency named beside it and never summed over currencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TradingSummarized {
    /// The session.
    pub session_id: SessionId,
    /// Skipped records, duplicates, corrections, busts, and what could not be valued.
    pub import_notes: Vec<ImportNote>,
    /// Every closed piece of a lot, in the order of the exits.
    pub lot_matches: Vec<LotMatch>,
    /// From flat to flat per (account, symbol), in the order they closed.
    pub round_trips: Vec<RoundTrip>,
    /// What is still open. Counted, never valued.
    pub open_lots: Vec<OpenLot>,
    /// Every trading day with a fill, per currency.
    pub daily: Vec<Daily>,
    /// What the agent claimed and the fills do not bear out.
    pub claim_mismatches: Vec<ClaimMismatch>,
    /// The figures, where there is one currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The figures per currency, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary_by_currency: Option<BTreeMap<String, Summary>>,
    /// The figures in the base currency, where every closed trip has a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary_base: Option<Summary>,
}

/// Long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Direction {
    /// Bought first.
    Long,
    /// Sold first.
    Short,
}

impl Direction {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }
}

/// A piece of a lot and the exit that closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LotMatch {
    /// What was traded.
    pub symbol: String,
    /// The account.
    pub account: String,
    /// The currency of the money here.
    pub currency: String,
    /// Long or short.
    pub direction: Direction,
    /// The index of its round trip in `round_trips`; null while that trip is open.
    pub round_trip: Option<u64>,
    /// The record of the entry.
    pub open_record: String,
    /// The record of the exit.
    pub close_record: String,
    /// When the lot was opened.
    pub open_ts: Stamp,
    /// When this piece was closed.
    pub close_ts: Stamp,
    /// The day of the exit.
    pub trading_day: NaiveDate,
    /// The quantity.
    pub qty: Figure,
    /// The price of the entry.
    pub entry_price: Figure,
    /// The price of the exit.
    pub exit_price: Figure,
    /// (exit − entry) · quantity · multiplier · direction.
    pub gross: Figure,
    /// Its shares of both fills' fees.
    pub fees: Figure,
    /// gross − fees.
    pub net: Figure,
}

/// From flat to flat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoundTrip {
    /// What was traded.
    pub symbol: String,
    /// The account.
    pub account: String,
    /// The currency of the money here.
    pub currency: String,
    /// Long or short.
    pub direction: Direction,
    /// The first entry.
    pub open_ts: Stamp,
    /// The last exit.
    pub close_ts: Stamp,
    /// The day of the last exit.
    pub trading_day: NaiveDate,
    /// The quantity that was closed.
    pub qty: Figure,
    /// The most that was open at once.
    pub max_qty: Figure,
    /// Units of the price in one unit of quantity.
    pub multiplier: Figure,
    /// The mean price of the entries, by quantity.
    pub avg_entry: Figure,
    /// The mean price of the exits, by quantity.
    pub avg_exit: Figure,
    /// Before fees.
    pub gross: Figure,
    /// Fees; rebates are negative.
    pub fees: Figure,
    /// gross − fees.
    pub net: Figure,
    /// Whole seconds from the first entry to the last exit.
    pub hold_seconds: i64,
    /// The initial stop.
    pub stop: Option<Figure>,
    /// |average entry − initial stop| · largest quantity · multiplier; null without a stop.
    pub initial_risk: Option<Figure>,
    /// net / initial risk; null without a stop, and where the stop stood at the entry.
    pub r_multiple: Option<Figure>,
    /// The worst excursion against the average entry, not below zero.
    pub mae_per_unit: Option<Figure>,
    /// The best excursion, not below zero.
    pub mfe_per_unit: Option<Figure>,
    /// The worst excursion of the largest quantity.
    pub mae_money: Option<Figure>,
    /// The best excursion of the largest quantity.
    pub mfe_money: Option<Figure>,
    /// What was left behind as dust.
    pub residual_qty: Option<Figure>,
    /// `net` in the base currency at the closing day's rate.
    pub net_base: Option<Figure>,
    /// The records it is made of.
    pub records: Vec<String>,
}

/// What is left of a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenLot {
    /// What was traded.
    pub symbol: String,
    /// The account.
    pub account: String,
    /// The currency of the price.
    pub currency: String,
    /// Long or short.
    pub direction: Direction,
    /// When it was opened.
    pub open_ts: Stamp,
    /// The quantity that is left.
    pub qty: Figure,
    /// The price it was opened at.
    pub price: Figure,
    /// Its share of the entry's fee.
    pub fees: Figure,
    /// Units of the price in one unit of quantity.
    pub multiplier: Figure,
    /// The record of the entry.
    pub record: String,
    /// Whether it is a residue too small to count as an open position.
    pub dust: bool,
}

/// One trading day in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Daily {
    /// The day.
    pub trading_day: NaiveDate,
    /// The currency.
    pub currency: String,
    /// Of the lots closed that day.
    pub realized_gross: Figure,
    /// Of the lots closed that day: their shares of entry and exit fees.
    pub realized_fees: Figure,
    /// realized_gross − realized_fees.
    pub realized_net: Figure,
    /// What the day's fills cost.
    pub fees_cash: Figure,
    /// How many pieces of lots were closed.
    pub lots_closed: u64,
}

/// A claim that does not follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimMismatch {
    /// `trades_executed`, `total_pnl`, `win_rate` (percent), `max_drawdown`, `trades[0].profit_loss`.
    pub claim: String,
    /// The claim as written.
    pub claimed: String,
    /// The figure; null where there is none.
    pub computed: Option<String>,
}

/// The figures over closed round trips of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The currency of the money here.
    pub currency: String,
    /// wins + losses + scratches.
    pub closed: u64,
    /// net > 0.
    pub wins: u64,
    /// net < 0.
    pub losses: u64,
    /// net = 0.
    pub scratches: u64,
    /// Σ net.
    pub net_total: Figure,
    /// wins / closed, as a ratio.
    pub win_rate: Option<Figure>,
    /// wins / (wins + losses), as a ratio.
    pub win_rate_ex_scratch: Option<Figure>,
    /// Σ net of the wins.
    pub gross_profit: Figure,
    /// Σ net of the losses; not above zero.
    pub gross_loss: Figure,
    /// gross_profit / |gross_loss|.
    pub profit_factor: Option<Figure>,
    /// gross_profit / wins.
    pub avg_win: Option<Figure>,
    /// gross_loss / losses; below zero.
    pub avg_loss: Option<Figure>,
    /// avg_win / |avg_loss|.
    pub payoff_ratio: Option<Figure>,
    /// net_total / closed.
    pub expectancy: Option<Figure>,
    /// The best win.
    pub largest_win: Option<Figure>,
    /// The worst loss; below zero.
    pub largest_loss: Option<Figure>,
    /// max(running peak − equity), in closing order.
    pub max_drawdown_abs: Figure,
    /// The longest run of wins.
    pub max_consecutive_wins: u64,
    /// The longest run of losses.
    pub max_consecutive_losses: u64,
    /// Mean seconds from first entry to last exit.
    pub avg_hold_seconds: Option<Figure>,
    /// The mean R-multiple of the trips that have one.
    pub expectancy_r: Option<Figure>,
    /// Σ R-multiples.
    pub total_r: Option<Figure>,
    /// What needs a starting equity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equity: Option<Equity>,
}

/// What needs a starting equity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Equity {
    /// As given.
    pub starting_equity: Figure,
    /// With everything realised.
    pub ending_equity: Figure,
    /// The days of `daily_returns`: the named trading days and any other that realised something; where none is named,
    /// every day with a fill.
    pub days: Vec<NaiveDate>,
    /// The day's realised net / the equity it began with; null where that was not above zero.
    pub daily_returns: Vec<Option<Figure>>,
    /// Their mean.
    pub mean_daily_return: Option<Figure>,
    /// Their standard deviation with n − 1.
    pub volatility_daily_ddof1: Option<Figure>,
    /// max((peak − equity) / peak), in percent.
    pub max_drawdown_pct: Option<Figure>,
    /// mean / volatility · √252, risk-free 0. Not shown under 20 days.
    pub sharpe_annualized_252_rf0: Option<Figure>,
    /// mean / √(Σ min(r, 0)² / days) · √252. Not shown under 20 days.
    pub sortino_annualized_252_mar0: Option<Figure>,
}

impl Fact for TradingSummarized {
    const TYPE: &'static str = "dev.dreamos.trading.summarized.v1";

    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012",
            "import_notes": [],
            "lot_matches": [{
                "symbol": "AAPL", "account": "default", "currency": "USD", "direction": "long", "round_trip": 0,
                "open_record": "trades[0]", "close_record": "trades[0]",
                "open_ts": "2025-12-02T03:00:00Z", "close_ts": "2025-12-02T03:45:00Z", "trading_day": "2025-12-02",
                "qty": "10", "entry_price": "175.5", "exit_price": "178.0", "gross": "25", "fees": "0", "net": "25"
            }],
            "round_trips": [{
                "symbol": "AAPL", "account": "default", "currency": "USD", "direction": "long",
                "open_ts": "2025-12-02T03:00:00Z", "close_ts": "2025-12-02T03:45:00Z", "trading_day": "2025-12-02",
                "qty": "10", "max_qty": "10", "multiplier": "1", "avg_entry": "175.5", "avg_exit": "178",
                "gross": "25", "fees": "0", "net": "25", "hold_seconds": 2700, "stop": null, "initial_risk": null,
                "r_multiple": null, "mae_per_unit": null, "mfe_per_unit": null, "mae_money": null, "mfe_money": null,
                "residual_qty": null, "net_base": null, "records": ["trades[0]"]
            }],
            "open_lots": [],
            "daily": [{
                "trading_day": "2025-12-02", "currency": "USD", "realized_gross": "25", "realized_fees": "0",
                "realized_net": "25", "fees_cash": "0", "lots_closed": 1
            }],
            "claim_mismatches": [{ "claim": "total_pnl", "claimed": "325.75", "computed": "25" }],
            "summary": {
                "currency": "USD", "closed": 1, "wins": 1, "losses": 0, "scratches": 0, "net_total": "25",
                "win_rate": "1", "win_rate_ex_scratch": "1", "gross_profit": "25", "gross_loss": "0",
                "profit_factor": null, "avg_win": "25", "avg_loss": null, "payoff_ratio": null, "expectancy": "25",
                "largest_win": "25", "largest_loss": null, "max_drawdown_abs": "0", "max_consecutive_wins": 1,
                "max_consecutive_losses": 0, "avg_hold_seconds": "2700", "expectancy_r": null, "total_r": null
            }
        }))
        .expect("the example is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_round_trips_and_is_of_the_schema() {
        let event = crate::catalog::find(TradingSummarized::TYPE).expect("a row of the table");
        let example = (event.example)();
        assert_eq!((event.round_trip)(example.clone()).expect("it decodes"), example);
        let schema = serde_json::to_value((event.schema)()).expect("JSON");
        assert!(jsonschema::is_valid(&schema, &example), "{schema:#}");
    }
}
