//! The journal's table of figures: what is known, each with what it is out of; nothing that is null.

use crate::trading::{self, decimal::half_up, show};
use flywheel_events::{Summary, TradingSummarized};
use serde_json::{Value, json};

/// Days of returns under which a ratio over them says nothing and is not shown.
const RATIO_DAYS_MIN: usize = 20;

/// One table a currency, and one in the base currency; none where nothing was closed.
pub(super) fn tables(summary: &TradingSummarized) -> Vec<Value> {
    let several = summary.summary_by_currency.is_some() || summary.summary_base.is_some();
    let table = |title: String, total: &Summary| json!({ "title": title, "rows": rows(total) });
    let mut tables: Vec<Value> = trading::summaries(summary)
        .into_iter()
        .filter(|total| total.closed > 0)
        .map(|total| {
            let title = if several { format!("The figures in {}", total.currency) } else { "The figures".to_owned() };
            table(title, total)
        })
        .collect();
    if let Some(base) = summary.summary_base.as_ref().filter(|base| base.closed > 0) {
        tables.push(table(format!("All together in {}, at each closing day's rate", base.currency), base));
    }
    tables
}

fn rows(total: &Summary) -> Vec<Value> {
    let money = |value| show::money(value, &total.currency);
    let signed = |value| show::signed_money(value, &total.currency);
    let mut rows = vec![];
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push(json!({ "name": name, "value": value }));
        }
    };
    row("Net result", Some(signed(*total.net_total)));
    row(
        "Closed round trips",
        Some(format!("{} ({} won, {} lost, {} even)", total.closed, total.wins, total.losses, total.scratches)),
    );
    row("Win rate", total.win_rate.map(|rate| format!("{} (n = {})", show::percent(*rate), total.closed)));
    if total.scratches > 0 {
        let n = total.wins + total.losses;
        row(
            "Win rate without even trades",
            total.win_rate_ex_scratch.map(|rate| format!("{} (n = {n})", show::percent(*rate))),
        );
    }
    row("Expectancy per trade", total.expectancy.map(|value| signed(*value)));
    row("Profit factor", total.profit_factor.map(|value| half_up(*value, 2).to_string()));
    row("Average win", total.avg_win.map(|value| signed(*value)));
    row("Average loss", total.avg_loss.map(|value| signed(*value)));
    row("Payoff ratio", total.payoff_ratio.map(|value| half_up(*value, 2).to_string()));
    row("Largest win", total.largest_win.map(|value| signed(*value)));
    row("Largest loss", total.largest_loss.map(|value| signed(*value)));
    if total.losses > 0 {
        let percent = total.equity.as_ref().and_then(|equity| equity.max_drawdown_pct);
        let percent = percent.map(|value| format!(" ({} % of the peak)", half_up(*value, 2))).unwrap_or_default();
        row("Largest drawdown", Some(format!("{}{percent}", money(*total.max_drawdown_abs))));
        row(
            "Longest runs",
            Some(format!("{} won, {} lost in a row", total.max_consecutive_wins, total.max_consecutive_losses)),
        );
    }
    row(
        "Average time held",
        total.avg_hold_seconds.and_then(|value| {
            let seconds = half_up(*value, 0);
            i64::try_from(seconds.mantissa()).ok().map(show::duration)
        }),
    );
    row("Total of R-multiples", total.total_r.map(|value| format!("{} R", half_up(*value, 2))));
    row("Expectancy in R", total.expectancy_r.map(|value| format!("{} R", half_up(*value, 2))));
    if let Some(equity) = &total.equity {
        row("Equity", Some(format!("{} to {}", money(*equity.starting_equity), money(*equity.ending_equity))));
        if equity.daily_returns.len() >= RATIO_DAYS_MIN {
            let ratio = |value: &flywheel_events::Figure| {
                format!("{} ({} days)", half_up(**value, 2), equity.daily_returns.len())
            };
            row("Sharpe ratio, annualised", equity.sharpe_annualized_252_rf0.as_ref().map(ratio));
            row("Sortino ratio, annualised", equity.sortino_annualized_252_mar0.as_ref().map(ratio));
        }
    }
    rows
}
