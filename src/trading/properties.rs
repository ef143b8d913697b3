//! What holds for any input: no panic, no money lost between fills and figures, fee shares that sum.

use super::decimal::{add, mul, sub, sum};
use crate::{
    stages::trade::{
        equity_curve::equity_curve, journal::journal, lessons::lessons, normalize::normalize, summarize::summarize,
        thread::thread,
    },
    templates::Templates,
};
use flywheel_events::{Direction, SessionCompleted, TradingSummarized};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::LazyLock;

static TEMPLATES: LazyLock<Templates> =
    LazyLock::new(|| Templates::load(None).expect("the built-in templates compile"));

fn session(source_data: Value, metadata: Value) -> Option<SessionCompleted> {
    serde_json::from_value(json!({
        "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "session_type": "trade", "agent_id": "A",
        "timestamp": "2025-12-02T22:00:00Z", "source_data": source_data, "metadata": metadata
    }))
    .ok()
}

/// Runs the whole pipeline; what is refused is refused.
fn run(session: &SessionCompleted) -> Option<TradingSummarized> {
    let trades = normalize(session).ok()?;
    let summary = summarize(&trades, session).ok()?;
    let lessons = lessons(&summary, &trades, session).ok();
    let journal = journal(session, &summary, lessons.as_ref(), &TEMPLATES);
    assert!(journal.is_ok() || trades.fills.is_empty(), "whatever can be used makes a journal: {journal:?}");
    let _ = thread(session, &summary, lessons.as_ref(), &TEMPLATES);
    let _ = equity_curve(session, &summary, &TEMPLATES);
    Some(summary)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-100_i64..100).prop_map(Value::from),
        prop::sample::select(vec![
            "buy",
            "sell",
            "1",
            "0.1",
            "-3",
            "1e28",
            "79228162514264337593543950335",
            "0.0000000000000000000000000001",
            "2025-12-02T10:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "20251202;101112",
            "AAPL",
            "BTC/USDT",
            "BTC",
            "trade_bust",
            "trade_correct",
            "expiration",
            "lifo",
            "ibkr",
            "UTC",
            "17:00",
            "2025-12-02",
            "USD",
            "x.01",
            "x.02"
        ])
        .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let names = vec![
        "exec_id",
        "ts",
        "symbol",
        "account",
        "side",
        "qty",
        "price",
        "fee",
        "fee_currency",
        "currency",
        "multiplier",
        "base_asset",
        "stop",
        "type",
        "ref_exec_id",
        "exit_price",
        "exit_timestamp",
        "profit_loss",
        "action",
        "quantity",
    ];
    let whole = prop::collection::btree_map(prop::sample::select(names), scalar(), 0..14);
    let base = json!({ "ts": "2025-12-02T10:00:00Z", "symbol": "BTC/USDT", "side": "buy", "qty": "2", "price": "3" });
    let patched = (whole, any::<bool>()).prop_map(move |(fields, good)| {
        let mut record = if good { base.clone() } else { json!({}) };
        record
            .as_object_mut()
            .expect("an object")
            .extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        record
    });
    prop_oneof![9 => patched, 1 => scalar()]
}

fn trading() -> impl Strategy<Value = Value> {
    let names = vec![
        "matching",
        "session",
        "import_tz",
        "exec_id_style",
        "fee_rates",
        "dust_quote",
        "base_currency",
        "fx_to_base",
        "starting_equity",
        "trading_days",
        "bars",
        "privacy",
    ];
    let nested = scalar().prop_recursive(3, 12, 3, |inner| {
        let names = prop::sample::select(vec![
            "tz",
            "rollover",
            "BTC/USD",
            "USD",
            "2025-12-02",
            "BTC/USDT",
            "ts",
            "high",
            "low",
        ]);
        prop_oneof![
            prop::collection::btree_map(names, inner.clone(), 0..4).prop_map(|map| json!(map)),
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    });
    prop::collection::btree_map(prop::sample::select(names), nested, 0..3).prop_map(|map| json!(map))
}

/// Fills of two symbols: side, quantity in hundredths, price in cents, fee in tenths of a cent.
fn fills() -> impl Strategy<Value = Vec<(bool, bool, u32, u32, i32)>> {
    prop::collection::vec((any::<bool>(), any::<bool>(), 1_u32..500, 1_u32..50_000, -500..5_000), 1..24)
}

fn fill(i: usize, (symbol, buy, qty, price, fee): (bool, bool, u32, u32, i32)) -> Value {
    json!({ "exec_id": i.to_string(), "ts": format!("2025-12-02T10:{:02}:00Z", i % 60), "multiplier": 5,
            "symbol": if symbol { "A" } else { "B" }, "side": if buy { "buy" } else { "sell" },
            "qty": Decimal::new(qty.into(), 2).to_string(), "price": Decimal::new(price.into(), 2).to_string(),
            "fee": Decimal::new(fee.into(), 3).to_string() })
}

fn decimal(value: &Value) -> Decimal {
    super::settings::number(value).expect("a decimal")
}

/// What the fills paid and took: −Σ signed quantity · price · multiplier − Σ fees.
fn cash(fills: &[Value]) -> Decimal {
    fills.iter().fold(Decimal::ZERO, |cash, fill| {
        let value = decimal(&fill["qty"]) * decimal(&fill["price"]) * Decimal::from(5);
        let signed = if fill["side"] == "buy" { -value } else { value };
        cash + signed - decimal(&fill["fee"])
    })
}

/// Realised, less what the open lots cost and the fees they keep.
fn accounted(summary: &TradingSummarized) -> Decimal {
    let realised = sum(summary.lot_matches.iter().map(|piece| *piece.net)).expect("exact");
    summary.open_lots.iter().fold(realised, |total, lot| {
        let value = mul(mul(*lot.qty, *lot.price).expect("exact"), *lot.multiplier).expect("exact");
        let signed = if lot.direction == Direction::Long { -value } else { value };
        sub(add(total, signed).expect("exact"), *lot.fees).expect("exact")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_input_makes_the_pipeline_panic(
        fills in prop::collection::vec(record(), 0..6), trades in prop::collection::vec(record(), 0..4),
        trading in trading(), pnl in scalar(), rate in scalar()
    ) {
        let source = json!({ "fills": fills, "trades": trades, "trading": trading });
        if let Some(session) = session(source, json!({ "total_pnl": pnl, "win_rate": rate, "max_drawdown": rate })) {
            let _ = run(&session);
        }
    }

    #[test]
    fn realised_and_open_are_the_cash_flow(rows in fills(), lifo in any::<bool>(), dust in 0..50) {
        let fills: Vec<Value> = rows.into_iter().enumerate().map(|(i, row)| fill(i, row)).collect();
        let trading = json!({ "matching": if lifo { "lifo" } else { "fifo" }, "dust_quote": dust });
        let session = session(json!({ "fills": fills, "trading": trading }), json!({})).expect("a session");
        let summary = run(&session).expect("figures");
        prop_assert_eq!(accounted(&summary), cash(&fills));
        let fees = sum(fills.iter().map(|fill| decimal(&fill["fee"])));
        let shares = summary.lot_matches.iter().map(|piece| *piece.fees);
        prop_assert_eq!(sum(shares.chain(summary.open_lots.iter().map(|lot| *lot.fees))), fees);
    }

    #[test]
    fn once_flat_fifo_and_lifo_come_to_the_same(rows in fills()) {
        let mut fills: Vec<Value> = rows.into_iter().enumerate().map(|(i, row)| fill(i, row)).collect();
        for symbol in ["A", "B"] {
            let held = fills.iter().filter(|fill| fill["symbol"] == symbol).fold(Decimal::ZERO, |held, fill| {
                if fill["side"] == "buy" { held + decimal(&fill["qty"]) } else { held - decimal(&fill["qty"]) }
            });
            if !held.is_zero() {
                let side = if held > Decimal::ZERO { "sell" } else { "buy" };
                fills.push(json!({ "ts": "2025-12-02T11:30:00Z", "symbol": symbol, "side": side, "multiplier": 5,
                                   "qty": held.abs().to_string(), "price": "7.5", "fee": "0.1" }));
            }
        }
        let total = |matching: &str| {
            let source = json!({ "fills": fills, "trading": { "matching": matching } });
            let summary = run(&session(source, json!({})).expect("a session")).expect("figures");
            assert!(summary.open_lots.is_empty());
            *summary.summary.expect("one currency").net_total
        };
        prop_assert_eq!(total("fifo"), total("lifo"));
        prop_assert_eq!(total("fifo"), cash(&fills));
    }
}
