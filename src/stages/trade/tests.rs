//! Hand-computed figures, one table a rule: session in, `trading.summarized` out.

use super::{normalize::normalize, summarize::summarize};
use crate::stages::Stop;
use flywheel_events::SessionCompleted;
use serde_json::{Value, json};

pub(super) fn session(metadata: Value, source_data: Value) -> SessionCompleted {
    serde_json::from_value(json!({
        "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "session_type": "trade", "agent_id": "Agent-5",
        "timestamp": "2025-12-02T22:00:00Z", "metadata": metadata, "source_data": source_data
    }))
    .expect("a session")
}

fn summarized(metadata: Value, source_data: Value) -> Value {
    let session = session(metadata, source_data);
    let trades = normalize(&session).expect("usable records");
    serde_json::to_value(summarize(&trades, &session).expect("figures")).expect("JSON")
}

/// A fill at `hour:00` of 2 December: `["E1", 14, "buy", "10", "100", "1"]`.
fn fills(rows: &[(&str, u32, &str, &str, &str, &str)]) -> Vec<Value> {
    let fill = |(id, hour, side, qty, price, fee): &(&str, u32, &str, &str, &str, &str)| {
        json!({ "exec_id": id, "ts": format!("2025-12-02T{hour:02}:00:00Z"), "symbol": "ES", "side": side,
                "qty": qty, "price": price, "fee": fee })
    };
    rows.iter().map(fill).collect()
}

fn of_fills(rows: &[(&str, u32, &str, &str, &str, &str)], trading: Value) -> Value {
    summarized(json!({}), json!({ "fills": fills(rows), "trading": trading }))
}

/// Every expected member, compared member by member.
fn expect(actual: &Value, expected: Value) {
    for (name, expected) in expected.as_object().expect("an object of expectations") {
        assert_eq!(&actual[name], expected, "{name} of {actual:#}");
    }
}

fn notes(summary: &Value, kind: &str) -> Vec<String> {
    let notes = summary["import_notes"].as_array().expect("notes").iter().filter(|note| note["kind"] == kind);
    notes
        .map(|note| format!("{} {}", note["record"].as_str().unwrap_or("-"), note["message"].as_str().unwrap()))
        .collect()
}

#[test]
fn partial_exits_make_one_trip_and_are_realised_on_their_own_days() {
    let mut rows = fills(&[
        ("1", 10, "buy", "10", "100", "1"),
        ("2", 12, "sell", "4", "110", "0.4"),
        ("3", 14, "sell", "6", "90", "0.6"),
    ]);
    rows[2]["ts"] = json!("2025-12-03T14:00:00Z");
    let got = summarized(json!({}), json!({ "fills": rows }));
    // 4·10 = 40, less 0.4 + 0.4; 6·(−10) = −60, less 0.6 + 0.6.
    expect(
        &got["round_trips"][0],
        json!({ "qty": "10", "avg_entry": "100", "avg_exit": "98", "gross": "-20", "fees": "2", "net": "-22",
                "hold_seconds": 100_800, "trading_day": "2025-12-03", "direction": "long", "account": "default",
                "currency": "USD", "r_multiple": null, "residual_qty": null }),
    );
    expect(&got["lot_matches"][0], json!({ "gross": "40", "fees": "0.8", "net": "39.2", "round_trip": 0 }));
    expect(
        &got["daily"][0],
        json!({ "trading_day": "2025-12-02", "realized_gross": "40", "realized_fees": "0.8", "realized_net": "39.2",
                "fees_cash": "1.4", "lots_closed": 1 }),
    );
    expect(
        &got["daily"][1],
        json!({ "trading_day": "2025-12-03", "realized_net": "-61.2", "fees_cash": "0.6", "lots_closed": 1 }),
    );
    assert_eq!(got["round_trips"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_flip_closes_one_trip_and_opens_the_next_and_splits_its_fee() {
    let got = of_fills(
        &[("1", 10, "buy", "2", "100", "0"), ("2", 11, "sell", "3", "104", "1"), ("3", 12, "buy", "1", "101", "0")],
        json!({}),
    );
    expect(&got["round_trips"][0], json!({ "gross": "8", "fees": "0.6666666666666667", "net": "7.3333333333333333" }));
    expect(
        &got["round_trips"][1],
        json!({ "direction": "short", "gross": "3", "fees": "0.3333333333333333", "net": "2.6666666666666667" }),
    );
    expect(&got["summary"], json!({ "net_total": "10", "closed": 2, "wins": 2, "max_consecutive_wins": 2 }));
}

#[test]
fn lifo_closes_the_newest_lot() {
    let rows =
        [("1", 10, "buy", "1", "100", "0"), ("2", 11, "buy", "1", "110", "0"), ("3", 12, "sell", "1", "120", "0")];
    let fifo = of_fills(&rows, json!({}));
    let lifo = of_fills(&rows, json!({ "matching": "lifo" }));
    assert_eq!((&fifo["lot_matches"][0]["net"], &fifo["open_lots"][0]["price"]), (&json!("20"), &json!("110")));
    assert_eq!((&lifo["lot_matches"][0]["net"], &lifo["open_lots"][0]["price"]), (&json!("10"), &json!("100")));
    assert_eq!(lifo["round_trips"], json!([]), "one lot is still open");
    expect(&lifo["daily"][0], json!({ "realized_net": "10" }));
}

#[test]
fn a_short_a_multiplier_a_rebate_and_a_stop() {
    let mut rows = fills(&[("1", 10, "sell", "2", "5000.25", "4.20"), ("2", 11, "buy", "2", "4990.00", "-0.70")]);
    rows[0]["multiplier"] = json!(50);
    rows[0]["stop"] = json!("5005.25");
    let bars = json!({ "ES": [{ "ts": "2025-12-02T10:30:00Z", "high": "5002.25", "low": 4989 },
                              { "ts": "2025-12-02T12:00:00Z", "high": "9999", "low": "1" }] });
    let got = summarized(json!({}), json!({ "fills": rows, "trading": { "bars": bars } }));
    // 10.25 · 2 · 50 = 1025; fees 4.20 − 0.70 = 3.50; risk 5 · 2 · 50 = 500.
    expect(
        &got["round_trips"][0],
        json!({ "direction": "short", "gross": "1025", "fees": "3.5", "net": "1021.5", "initial_risk": "500",
                "r_multiple": "2.043", "mae_per_unit": "2", "mfe_per_unit": "11.25", "mae_money": "200",
                "mfe_money": "1125" }),
    );
    expect(
        &got["summary"],
        json!({ "total_r": "2.043", "expectancy_r": "2.043", "profit_factor": null, "avg_loss": null,
        "payoff_ratio": null, "largest_loss": null, "gross_loss": "0" }),
    );
}

#[test]
fn a_fee_in_the_base_asset_reduces_the_quantity_and_is_valued_once() {
    let fill = |id: &str, hour: u32, side: &str, qty: &str, price: &str, fee: &str, currency: &str| {
        json!({ "exec_id": id, "ts": format!("2025-12-02T{hour}:00:00Z"), "symbol": "BTC/USDT", "side": side, "qty": qty,
                "price": price, "fee": fee, "fee_currency": currency, "currency": "USDT", "base_asset": "BTC" })
    };
    let rows =
        [fill("1", 10, "buy", "1", "50000", "0.001", "BTC"), fill("2", 11, "sell", "0.999", "51000", "0.05", "BNB")];
    let got = summarized(json!({}), json!({ "fills": rows, "trading": { "fee_rates": { "BNB/USDT": "600" } } }));
    // 0.999 · 1000 = 999; 0.001 · 50000 = 50 and 0.05 · 600 = 30.
    expect(
        &got["round_trips"][0],
        json!({ "qty": "0.999", "gross": "999", "fees": "80", "net": "919", "currency": "USDT" }),
    );
    assert_eq!(got["open_lots"], json!([]));

    let got = summarized(json!({}), json!({ "fills": rows }));
    expect(&got["round_trips"][0], json!({ "fees": "50", "net": "949" }));
    assert_eq!(
        notes(&got, "unpriced_fee"),
        ["fills[1] the fee of 0.05 BNB has no rate BNB/USDT in fee_rates and is in no figure"]
    );
}

#[test]
fn dust_closes_the_trip_and_keeps_its_fee_share() {
    let rows = [
        ("1", 10, "buy", "1", "100", "1"),
        ("2", 11, "sell", "0.999", "110", "0"),
        ("3", 12, "sell", "0.001", "110", "0"),
    ];
    let got = of_fills(&rows[..2], json!({ "dust_quote": "1" }));
    expect(
        &got["round_trips"][0],
        json!({ "qty": "0.999", "residual_qty": "0.001", "gross": "9.99", "fees": "0.999", "net": "8.991" }),
    );
    expect(&got["open_lots"][0], json!({ "qty": "0.001", "fees": "0.001", "dust": true }));
    assert_eq!(of_fills(&rows[..2], json!({ "dust_quote": "0.1" }))["round_trips"], json!([]), "0.11 is not below 0.1");
    let sold = of_fills(&rows, json!({ "dust_quote": "1" }));
    expect(&sold["round_trips"][1], json!({ "net": "0.009", "direction": "long", "open_ts": "2025-12-02T10:00:00Z" }));
    assert_eq!(sold["open_lots"], json!([]));
}

#[test]
fn busts_corrections_and_duplicates_are_settled_and_noted() {
    let mut rows = fills(&[
        ("A", 10, "buy", "10", "100", "0"),
        ("A", 10, "buy", "10.0", "100.00", "0"),
        ("A", 10, "buy", "11", "100", "0"),
        ("B", 12, "sell", "10", "111", "0"),
        ("C", 12, "sell", "5", "111", "0"),
        ("D", 15, "buy", "10", "101", "0"),
        ("E", 15, "buy", "1", "1", "0"),
        ("F", 15, "buy", "1", "1", "0"),
    ]);
    rows[5]["type"] = json!("trade_correct");
    rows[5]["ref_exec_id"] = json!("A");
    rows[6]["type"] = json!("trade_bust");
    rows[6]["ref_exec_id"] = json!("C");
    rows[7]["type"] = json!("dividend");
    let got = summarized(json!({}), json!({ "fills": rows }));
    expect(&got["round_trips"][0], json!({ "net": "100", "qty": "10", "open_ts": "2025-12-02T10:00:00Z" }));
    assert_eq!(got["open_lots"], json!([]));
    assert_eq!(notes(&got, "duplicate"), ["fills[1] the same as fills[0]; counted once"]);
    assert_eq!(
        notes(&got, "conflict"),
        ["fills[2] has the execution id of fills[0] with other content; fills[0] counts"]
    );
    assert_eq!(notes(&got, "correction"), ["fills[5] corrects fills[0] (A); only the correction counts"]);
    assert_eq!(notes(&got, "bust"), ["fills[6] fills[4] (C) was busted and counts nowhere"]);
    assert_eq!(notes(&got, "skipped").len(), 1);
}

#[test]
fn the_readable_one_of_two_records_with_an_id_counts() {
    let mut rows = fills(&[
        ("A", 10, "buy", "1,0", "100", "0"),
        ("A", 10, "buy", "10", "100", "0"),
        ("B", 12, "sell", "10", "101", "0"),
        ("B", 12, "sell", "10", "1o1", "0"),
    ]);
    rows[0]["note"] = json!("a bad print");
    let got = summarized(json!({}), json!({ "fills": rows }));
    expect(&got["round_trips"][0], json!({ "net": "10", "records": ["fills[1]", "fills[2]"] }));
    let bad = "not a plain decimal number";
    assert_eq!(
        notes(&got, "skipped"),
        [format!("fills[0] `qty` is `1,0`, {bad}"), format!("fills[3] `price` is `1o1`, {bad}")]
    );
    assert_eq!(got["import_notes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn two_accounts_may_use_the_same_ids() {
    let mut rows = fills(&[
        ("1", 10, "buy", "1", "100", "0"),
        ("2", 11, "sell", "1", "101", "0"),
        ("1", 10, "buy", "1", "100", "0"),
        ("2", 11, "sell", "1", "103", "0"),
        ("3", 12, "sell", "9", "103", "0"),
    ]);
    rows[2]["account"] = json!("ira");
    rows[3]["account"] = json!("ira");
    rows[4]["account"] = json!("ira");
    for (id, meant) in [("1", None), ("3", Some("ira"))] {
        // A bust without an account is meant for the one account that knows the id, else for the unnamed one.
        rows.push(json!({ "exec_id": format!("b{id}"), "type": "trade_bust", "ref_exec_id": id }));
        let got = summarized(json!({}), json!({ "fills": rows }));
        let busted = notes(&got, "bust");
        let expected = if meant.is_some() { "fills[4] (3)" } else { "fills[0] (1)" };
        assert!(busted.last().is_some_and(|note| note.contains(expected)), "{busted:?}");
        assert_eq!(notes(&got, "conflict"), [""; 0]);
        expect(&got["round_trips"][0], json!({ "account": "ira", "net": "3" }));
    }
}

#[test]
fn an_ibkr_id_that_ends_in_02_corrects_01() {
    let rows = [
        ("0000e0d5.6576fd38.01.01", 10, "buy", "10", "100", "0"),
        ("0000e0d5.6576fd38.01.02", 10, "buy", "10", "101", "0"),
        ("0000e0d5.6576fd39.01.01", 12, "sell", "10", "111", "0"),
    ];
    expect(&of_fills(&rows, json!({ "exec_id_style": "ibkr" }))["round_trips"][0], json!({ "net": "100" }));
    assert_eq!(of_fills(&rows, json!({}))["round_trips"], json!([]), "without the style they are two fills");
}

#[test]
fn an_expiration_closes_what_is_open_and_opens_nothing() {
    for expiry in [
        json!({ "ts": "2025-12-02T21:00:00Z", "symbol": "ES", "type": "expiration", "price": 0 }),
        json!({ "ts": "2025-12-02T21:00:00Z", "symbol": "ES", "type": "expiration", "side": "sell", "qty": 5, "price": "0" }),
    ] {
        let mut rows = fills(&[("1", 10, "buy", "2", "1.5", "1")]);
        rows[0]["multiplier"] = json!("100");
        rows.push(expiry);
        let got = summarized(json!({}), json!({ "fills": rows }));
        expect(&got["round_trips"][0], json!({ "gross": "-300", "fees": "1", "net": "-301", "avg_exit": "0" }));
        assert_eq!(got["open_lots"], json!([]));
    }
}

#[test]
fn a_trading_day_is_the_exits_local_date_and_may_roll() {
    let day = |ts: &str, session: Value| {
        let fill = |ts: &str, side: &str| json!({ "ts": ts, "symbol": "ES", "side": side, "qty": 1, "price": 1 });
        let rows = [fill("2025-11-03T00:00:00Z", "buy"), fill(ts, "sell")];
        let got = summarized(
            json!({}),
            json!({ "fills": rows, "trading": { "session": session, "import_tz": "America/New_York" } }),
        );
        got["round_trips"][0]["trading_day"].as_str().expect("a day").to_owned()
    };
    let futures = json!({ "tz": "America/Chicago", "rollover": "17:00", "skip_weekends": true });
    for (ts, session, expected) in [
        ("2025-12-02T23:30:00-05:00", json!({}), "2025-12-03"),
        ("2025-12-03T01:00:00Z", json!({ "tz": "America/New_York" }), "2025-12-02"),
        ("2025-12-02T22:59:00Z", futures.clone(), "2025-12-02"),
        ("2025-12-02T23:00:00Z", futures.clone(), "2025-12-03"),
        ("2025-12-05T23:00:00Z", futures.clone(), "2025-12-08"),
        ("2025-12-07T23:30:00Z", futures, "2025-12-08"),
        ("20251202;235959", json!({ "tz": "America/New_York" }), "2025-12-02"),
        ("2025-12-06T12:00:00Z", json!({}), "2025-12-06"),
    ] {
        assert_eq!(day(ts, session.clone()), expected, "{ts} {session}");
    }
}

/// Trips of one unit bought at 1000, one an hour, that come to these nets.
fn nets(nets: &[i64], metadata: Value, trading: Value) -> Value {
    let trade = |(i, net): (usize, &i64)| {
        json!({ "symbol": format!("S{i}"), "action": "buy", "quantity": 1, "price": 1000, "exit_price": 1000 + net,
                "timestamp": format!("2025-12-{:02}T10:00:00Z", i + 1), "exit_timestamp": format!("2025-12-{:02}T11:00:00Z", i + 1) })
    };
    let trades: Vec<Value> = nets.iter().enumerate().map(trade).collect();
    summarized(metadata, json!({ "trades": trades, "trading": trading }))
}

#[test]
fn drawdown_streaks_and_rates_over_closed_trips() {
    let got = nets(&[100, -30, -40, 0, -10, 50, 20, 5], json!({}), json!({}));
    expect(
        &got["summary"],
        json!({ "closed": 8, "wins": 4, "losses": 3, "scratches": 1, "net_total": "95", "win_rate": "0.5",
                "win_rate_ex_scratch": "0.5714285714285714285714285714", "gross_profit": "175", "gross_loss": "-80",
                "profit_factor": "2.1875", "avg_win": "43.75", "avg_loss": "-26.666666666666666666666666667",
                "payoff_ratio": "1.640625", "expectancy": "11.875", "largest_win": "100", "largest_loss": "-40",
                "max_drawdown_abs": "80", "max_consecutive_wins": 3, "max_consecutive_losses": 2,
                "avg_hold_seconds": "3600", "total_r": null, "expectancy_r": null }),
    );
    assert!(got["summary"].get("equity").is_none());
    // Losing from the start: the peak is 0.
    expect(&nets(&[-30, 10], json!({}), json!({}))["summary"], json!({ "max_drawdown_abs": "30" }));
}

#[test]
fn equity_figures_over_the_trading_days() {
    let trading =
        json!({ "starting_equity": "1000", "trading_days": ["2025-12-01", "2025-12-02", "2025-12-03", "2025-12-04"] });
    let got = nets(&[100, -110, 99], json!({}), trading);
    let equity = &got["summary"]["equity"];
    // 100/1000, −110/1100, 99/990 and a day without a trade: 0.1, −0.1, 0.1, 0; mean 0.025; fall of 110 from 1100.
    expect(
        equity,
        json!({ "ending_equity": "1089", "daily_returns": ["0.1", "-0.1", "0.1", "0"], "mean_daily_return": "0.025",
                "max_drawdown_pct": "10" }),
    );
    // Σ (r − m)² = 0.005625·2 + 0.015625 + 0.000625 = 0.0275; /3 → 0.00916…; root 0.0957427107756338.
    let close = |name: &str, expected: &str| {
        let text = equity[name].as_str().expect("a figure");
        assert!(text.starts_with(expected), "{name} is {text}, not {expected}…");
    };
    close("volatility_daily_ddof1", "0.09574271077563");
    // 0.025 / 0.0957427107756 · 15.8745078664 = 4.145091… ; downside √(0.01/4) = 0.05 → 0.5 · 15.8745… = 7.937253933…
    close("sharpe_annualized_252_rf0", "4.14509");
    close("sortino_annualized_252_mar0", "7.93725393319377");
}

#[test]
fn nothing_closed_is_null_and_never_zero() {
    let got = of_fills(&[("1", 10, "buy", "1", "100", "1")], json!({}));
    expect(
        &got["summary"],
        json!({ "closed": 0, "win_rate": null, "expectancy": null, "largest_win": null, "largest_loss": null,
                "avg_hold_seconds": null, "profit_factor": null, "net_total": "0" }),
    );
    expect(&got["open_lots"][0], json!({ "qty": "1", "fees": "1", "dust": false }));
    expect(&got["daily"][0], json!({ "fees_cash": "1", "realized_net": "0", "lots_closed": 0 }));
}

#[test]
fn currencies_are_summed_only_with_a_rate() {
    let mut rows = fills(&[
        ("1", 10, "buy", "1", "100", "0"),
        ("2", 11, "sell", "1", "110", "0"),
        ("3", 12, "buy", "1", "1000", "0"),
        ("4", 13, "sell", "1", "700", "0"),
    ]);
    for row in &mut rows[2..] {
        row["symbol"] = json!("7203");
        row["currency"] = json!("JPY");
    }
    let source = |rates: Value| json!({ "fills": rows, "trading": { "base_currency": "USD", "fx_to_base": rates, "starting_equity": 100 } });
    let got = summarized(json!({ "total_pnl": "8.02" }), source(json!({ "JPY": { "2025-12-02": "0.0066" } })));
    assert!(got.get("summary").is_none());
    expect(&got["summary_by_currency"]["JPY"], json!({ "net_total": "-300", "currency": "JPY" }));
    expect(&got["summary_by_currency"]["USD"], json!({ "net_total": "10" }));
    // 10 − 300 · 0.0066 = 8.02
    expect(&got["summary_base"], json!({ "net_total": "8.02", "closed": 2, "largest_loss": "-1.98" }));
    expect(&got["summary_base"]["equity"], json!({ "ending_equity": "108.02", "daily_returns": ["0.0802"] }));
    assert_eq!(got["claim_mismatches"], json!([]));
    assert_eq!(got["round_trips"][1]["net_base"], json!("-1.98"));

    let got = summarized(json!({}), source(json!({})));
    assert!(got.get("summary_base").is_none());
    assert_eq!(notes(&got, "missing_rate").len(), 1);
}

#[test]
fn bad_records_are_named_by_index_and_the_rest_is_used() {
    let good =
        json!({ "symbol": "A", "action": "buy", "quantity": "1", "price": "1", "timestamp": "2025-12-02T10:00:00Z" });
    let with = |name: &str, value: Value| {
        let mut record = good.clone();
        record[name] = value;
        record
    };
    let records = [
        good.clone(),
        with("price", json!("1,234.50")),
        with("quantity", json!("NaN")),
        with("quantity", Value::Null),
        with("timestamp", json!("2025-12-02 10:00:00")),
        with("exit_price", json!(2)),
        json!("what"),
        with("quantity", json!(-1)),
        with("action", json!("hold")),
    ];
    let got = summarized(json!({}), json!({ "trades": records }));
    assert_eq!(
        notes(&got, "skipped"),
        [
            "trades[1] `price` is `1,234.50`, not a plain decimal number",
            "trades[2] `quantity` is `NaN`, not a plain decimal number",
            "trades[3] `quantity` is missing",
            "trades[4] `timestamp` `2025-12-02 10:00:00` has no zone; set source_data.trading.import_tz to its IANA name",
            "trades[5] `exit_timestamp` is missing",
            "trades[6] the record is `what`, not an object",
            "trades[7] `qty` is not above zero",
            "trades[8] `action` is `hold`, not buy or sell",
        ]
    );
    assert_eq!(got["open_lots"].as_array().map(Vec::len), Some(1));
    assert!(matches!(normalize(&session(json!({}), json!({}))), Err(Stop::NothingToDo(_))));
    let refused = normalize(&session(json!({}), json!({ "trades": [good], "trading": { "matching": "hifo" } })));
    assert!(
        matches!(refused, Err(Stop::Refused { message, .. }) if message.contains("`hifo`: expected `fifo` or `lifo`"))
    );
}

#[test]
fn claims_are_compared_at_their_own_precision() {
    let claims = |metadata: Value| {
        let got = nets(&[100, 20, -10], metadata, json!({}));
        got["claim_mismatches"].clone()
    };
    assert_eq!(
        claims(json!({ "trades_executed": 3, "total_pnl": "110.0", "win_rate": 66.67, "max_drawdown": -10 })),
        json!([])
    );
    assert_eq!(
        claims(json!({ "trades_executed": 4, "total_pnl": 110.01, "win_rate": 66.66, "max_drawdown": "ten" })),
        json!([
            { "claim": "trades_executed", "claimed": "4", "computed": "3" },
            { "claim": "total_pnl", "claimed": "110.01", "computed": "110" },
            { "claim": "win_rate", "claimed": "66.66", "computed": "66.66666666666666666666666667" },
            { "claim": "max_drawdown", "claimed": "ten", "computed": "10" }
        ])
    );
}

#[test]
fn the_guides_session_adds_up_and_its_claims_do_not() {
    let got = summarized(
        json!({ "trades_executed": 5, "total_pnl": 325.75, "win_rate": 80.0, "max_drawdown": 50.0 }),
        json!({ "trades": [
            { "symbol": "AAPL", "action": "buy", "quantity": 10, "price": 175.5, "timestamp": "2025-12-02T03:00:00Z",
              "profit_loss": 25.0, "exit_price": 178.0, "exit_timestamp": "2025-12-02T03:45:00Z" },
            { "symbol": "MSFT", "action": "sell", "quantity": 5, "price": 380.25, "timestamp": "2025-12-02T04:00:00Z",
              "profit_loss": 50.0, "exit_price": 370.25, "exit_timestamp": "2025-12-02T04:30:00Z" },
            { "symbol": "GOOGL", "action": "sell", "quantity": 8, "price": 142.75, "timestamp": "2025-12-02T04:40:00Z",
              "profit_loss": 111.0 }
        ] }),
    );
    expect(&got["summary"], json!({ "closed": 2, "wins": 2, "net_total": "75", "win_rate": "1" }));
    expect(&got["round_trips"][1], json!({ "direction": "short", "net": "50" }));
    assert_eq!(
        got["claim_mismatches"],
        json!([
            { "claim": "trades_executed", "claimed": "5", "computed": "2" },
            { "claim": "total_pnl", "claimed": "325.75", "computed": "75" },
            { "claim": "win_rate", "claimed": "80.0", "computed": "100" },
            { "claim": "max_drawdown", "claimed": "50.0", "computed": "0" },
            { "claim": "trades[2].profit_loss", "claimed": "111.0", "computed": null }
        ])
    );
}

#[test]
fn accounts_are_matched_apart_and_an_exit_is_of_its_entrys_contract() {
    let mut rows = fills(&[
        ("1", 10, "buy", "1", "100", "0"),
        ("2", 11, "sell", "1", "110", "0"),
        ("3", 12, "sell", "1", "120", "0"),
    ]);
    rows[0]["account"] = json!("one");
    rows[0]["multiplier"] = json!("50");
    rows[0]["currency"] = json!("EUR");
    rows[1]["account"] = json!("two");
    rows[2]["account"] = json!("one");
    let got = summarized(json!({}), json!({ "fills": rows }));
    expect(&got["round_trips"][0], json!({ "account": "one", "gross": "1000", "currency": "EUR" }));
    expect(&got["open_lots"][0], json!({ "account": "two", "direction": "short", "currency": "USD" }));
    expect(&got["summary_by_currency"]["USD"], json!({ "closed": 0 }));
}

#[test]
fn r_is_over_the_largest_quantity_and_the_mean_entry() {
    let mut rows = fills(&[
        ("1", 10, "buy", "1", "100", "0"),
        ("2", 11, "buy", "3", "104", "0"),
        ("3", 12, "sell", "2", "110", "0"),
        ("4", 13, "sell", "2", "106", "0"),
    ]);
    rows[0]["stop"] = json!("98");
    rows[1]["stop"] = json!("101");
    let got = summarized(json!({}), json!({ "fills": rows }));
    // Mean entry (100 + 312) / 4 = 103; (103 − 98) · 4 = 20; gross 432 − 412 = 20.
    expect(
        &got["round_trips"][0],
        json!({ "avg_entry": "103", "avg_exit": "108", "net": "20", "initial_risk": "20", "r_multiple": "1" }),
    );
}

#[test]
fn a_stop_at_the_entry_risks_nothing_and_gives_no_multiple() {
    let mut rows = fills(&[("1", 10, "buy", "1", "100", "0"), ("2", 12, "sell", "1", "110", "0")]);
    rows[0]["stop"] = json!("100");
    let got = summarized(json!({}), json!({ "fills": rows }));
    expect(&got["round_trips"][0], json!({ "stop": "100", "initial_risk": "0", "r_multiple": null }));
    expect(&got["summary"], json!({ "expectancy_r": null, "total_r": null }));
}

#[test]
fn a_null_that_has_a_default_is_noted() {
    let mut rows = fills(&[("1", 10, "buy", "1", "100", "0"), ("2", 12, "sell", "1", "110", "0")]);
    rows[0]["fee"] = Value::Null;
    rows[1]["stop"] = Value::Null;
    let got = summarized(json!({}), json!({ "fills": rows }));
    assert_eq!(notes(&got, "remark"), ["fills[0] `fee` is null; read as if it were not there"]);
    expect(&got["summary"], json!({ "net_total": "10" }));
}

#[test]
fn figures_out_of_tiny_fees_keep_ten_digits() {
    let got = of_fills(
        &[
            ("1", 10, "buy", "3", "100", "0.0000001"),
            ("2", 11, "sell", "2", "100", "0"),
            ("3", 12, "sell", "1", "100", "0"),
            ("4", 13, "sell", "3", "100", "0.0000001"),
            ("5", 14, "buy", "1", "99.99", "0"),
        ],
        json!({}),
    );
    // A third of 10⁻⁷.
    expect(&got["lot_matches"][2], json!({ "fees": "0.0000000333333333", "net": "0.0099999666666667" }));
    let got = summarized(
        json!({}),
        json!({ "fills": [
            { "ts": "2025-12-01T10:00:00Z", "symbol": "A", "side": "buy", "qty": "1", "price": "100" },
            { "ts": "2025-12-01T11:00:00Z", "symbol": "A", "side": "sell", "qty": "1", "price": "101" },
            { "ts": "2025-12-02T10:00:00Z", "symbol": "A", "side": "buy", "qty": "1", "price": "100", "fee": "0.0000001234567" },
            { "ts": "2025-12-02T11:00:00Z", "symbol": "A", "side": "sell", "qty": "1", "price": "100" }
        ], "trading": { "starting_equity": "9999" } }),
    );
    // r₁ = 1/9999, r₂ = −1.234567·10⁻¹¹; Sortino = (r₁ + r₂)/2 ÷ √(r₂²/2) · √252 = (r₁ + r₂)/|r₂| · √126.
    let sortino = got["summary"]["equity"]["sortino_annualized_252_mar0"].as_str().expect("a Sortino ratio");
    assert!(sortino.starts_with("90931422.79034498"), "{sortino}");
}

#[test]
fn a_local_time_that_happened_twice_is_noted_and_one_that_never_did_is_refused() {
    let rows = [
        json!({ "ts": "20251102;013000", "symbol": "A", "side": "buy", "qty": 1, "price": 1 }),
        json!({ "ts": "20250309;023000", "symbol": "A", "side": "buy", "qty": 1, "price": 1 }),
    ];
    let got = summarized(json!({}), json!({ "fills": rows, "trading": { "import_tz": "America/New_York" } }));
    assert_eq!(got["open_lots"][0]["open_ts"], json!("2025-11-02T01:30:00-04:00"));
    assert_eq!(notes(&got, "remark"), ["fills[0] the local time of `ts` happened twice; the earlier one is taken"]);
    assert_eq!(
        notes(&got, "skipped"),
        ["fills[1] `ts` `20250309;023000` does not exist in America/New_York: the clocks were set forward"]
    );
}

#[test]
fn a_raw_fill_among_trades_is_a_fill_and_its_claim_is_what_it_realised() {
    let got = summarized(
        json!({}),
        json!({ "trades": [
            { "side": "buy", "qty": "2", "price": "10", "time": "2025-12-02T10:00:00Z", "symbol": "A", "fee": "0.1" },
            { "side": "sell", "qty": "2", "price": "11", "time": "2025-12-02T11:00:00Z", "symbol": "A", "fee": "0.1",
              "profit_loss": "2.0" }
        ] }),
    );
    expect(&got["round_trips"][0], json!({ "net": "1.8" }));
    assert_eq!(
        got["claim_mismatches"],
        json!([{ "claim": "trades[1].profit_loss", "claimed": "2.0", "computed": "1.8" }])
    );
}

#[test]
fn a_figure_that_cannot_be_held_exactly_is_refused_and_names_its_record() {
    let digits = "1.23456789012345678901234567";
    let rows = fills(&[("1", 10, "buy", digits, digits, "0"), ("2", 11, "sell", digits, "0", "0")]);
    let session = session(json!({}), json!({ "fills": rows }));
    let trades = normalize(&session).expect("usable records");
    let Err(Stop::Refused { message, .. }) = summarize(&trades, &session) else { panic!("expected a refusal") };
    assert_eq!(message, "fills[1]: a figure needs more than 28 digits and cannot be held exactly");
}
