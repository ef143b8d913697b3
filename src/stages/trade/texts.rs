//! What a reader gets: the texts of whole sessions, and what no text may show.

use super::{
    equity_curve::equity_curve, journal::journal, lessons::lessons, normalize::normalize, summarize::summarize,
    tests::session, thread::thread,
};
use crate::{stages::Stop, templates::Templates};
use flywheel_events::{ArtifactGenerated, SessionCompleted};
use serde_json::{Value, json};

const GUIDE: &str = include_str!("examples/guide.json");
const THREE_OPEN: &str = include_str!("examples/three_open.json");

struct Texts {
    journal: String,
    thread: Result<ArtifactGenerated, Stop>,
    curve: Result<ArtifactGenerated, Stop>,
}

fn texts(session: &SessionCompleted) -> Texts {
    let templates = Templates::load(None).expect("the built-in templates compile");
    let trades = normalize(session).expect("usable records");
    let summary = summarize(&trades, session).expect("figures");
    let lessons = lessons(&summary, &trades, session).ok();
    Texts {
        journal: journal(session, &summary, lessons.as_ref(), &templates).expect("a journal").content,
        thread: thread(session, &summary, lessons.as_ref(), &templates),
        curve: equity_curve(session, &summary, &templates),
    }
}

fn example(text: &str) -> Texts {
    texts(&serde_json::from_str(text).expect("a session"))
}

#[test]
fn the_guides_journal_thread_and_curve() {
    let texts = example(GUIDE);
    insta::assert_snapshot!("guide_journal", texts.journal);
    insta::assert_snapshot!("guide_thread", texts.thread.expect("a thread").content);
    insta::assert_snapshot!("guide_curve", texts.curve.expect("a curve").content);
}

#[test]
fn three_open_positions_are_told_honestly() {
    let texts = example(THREE_OPEN);
    insta::assert_snapshot!("three_open_journal", texts.journal);
    assert!(matches!(texts.thread, Err(Stop::NothingToDo(_))));
    assert!(matches!(texts.curve, Err(Stop::NothingToDo(_))));
}

/// A day with lessons in it: a stop broken, one loss that outweighs the rest, re-entries, two accounts.
fn busy_day() -> SessionCompleted {
    let trade = |symbol: &str, open: &str, close: &str, entry: &str, exit: &str, stop: Value| {
        json!({ "symbol": symbol, "action": "buy", "quantity": 10, "price": entry, "exit_price": exit, "fee": "1.00",
                "stop": stop, "account": "U7654321", "timestamp": format!("2025-12-01T{open}:00Z"),
                "exit_timestamp": format!("2025-12-01T{close}:00Z") })
    };
    let mut trades = vec![
        trade("TSLA", "14:30", "14:50", "400", "396", json!("395")),
        trade("TSLA", "14:55", "15:30", "396", "380", json!("391")),
        trade("TSLA", "15:35", "15:59", "380", "379", Value::Null),
        trade("NVDA", "16:00", "16:05", "180", "183.335", Value::Null),
        trade("@everyone|<b>", "17:00", "17:10", "10", "10.1", Value::Null),
    ];
    trades[4]["exit_timestamp"] = json!("2025-12-02T17:10:00Z");
    trades.push(json!({ "symbol": "BAD", "action": "buy", "quantity": "1,000", "price": 1, "timestamp": "2025-12-01T14:30:00Z" }));
    let trading = json!({ "starting_equity": "10000", "session": { "tz": "America/New_York" } });
    session(json!({ "simulated": true }), json!({ "trades": trades, "trading": trading }))
}

#[test]
fn a_busy_day_teaches_with_evidence_and_names_no_account() {
    let texts = texts(&busy_day());
    let artifact = texts.thread.expect("a thread");
    let parts: Vec<String> = serde_json::from_value(artifact.notes["parts"].clone()).expect("the parts of the thread");
    let thread = artifact.content;
    insta::assert_snapshot!("busy_journal", texts.journal);
    insta::assert_snapshot!("busy_thread", thread);
    assert!(!texts.journal.contains("U7654321") && !thread.contains("U7654321"));
    assert!(!thread.contains("@everyone") && !thread.contains('$'), "{thread}");
    let first = &parts[0];
    assert!(thread.starts_with(&format!("```text\n{first}\n```\n")), "{thread}");
    assert!(first.contains(super::DISCLOSURE) && first.contains("Simulated"), "{first}");
    assert!(texts.journal.trim_end().ends_with(super::DISCLOSURE));
}

#[test]
fn where_no_record_can_be_used_the_notes_stand_and_nothing_is_written() {
    let session = session(json!({}), json!({ "trades": [{ "symbol": "A", "price": "1,234.50" }, 5] }));
    let trades = normalize(&session).expect("notes");
    assert_eq!((trades.fills.len(), trades.import_notes.len()), (0, 2));
    let summary = summarize(&trades, &session).expect("figures");
    assert_eq!((summary.import_notes.len(), summary.summary.as_ref().map(|all| all.closed)), (2, Some(0)));
    let templates = Templates::load(None).expect("the built-in templates compile");
    let Err(Stop::Refused { message, .. }) = journal(&session, &summary, None, &templates) else {
        panic!("expected a refusal")
    };
    assert!(message.starts_with("no trade record can be used: trades[0]: ") && message.contains("; trades[1]: "));
    assert!(matches!(thread(&session, &summary, None, &templates), Err(Stop::NothingToDo(_))));
}

#[test]
fn dust_and_two_currencies_are_told() {
    let fill = |symbol: &str, currency: &str, hour: u32, side: &str, qty: &str, price: &str| {
        json!({ "ts": format!("2025-12-02T{hour:02}:00:00Z"), "symbol": symbol, "currency": currency, "side": side,
                "qty": qty, "price": price })
    };
    let texts = texts(&session(
        json!({}),
        json!({ "fills": [
            fill("BTC/USDT", "USDT", 10, "buy", "1", "100"), fill("BTC/USDT", "USDT", 11, "sell", "0.991", "110"),
            fill("7203", "JPY", 10, "buy", "100", "2500"), fill("7203", "JPY", 12, "sell", "100", "2475")
        ], "trading": { "dust_quote": "5" } }),
    ));
    assert!(texts.journal.contains("Left behind as too small to count as a position: 0.009 after trade 1."));
    assert!(texts.journal.contains("-¥2,500 and +9.91 USDT net"), "{}", texts.journal);
    let thread = texts.thread.expect("a thread").content;
    let told = "Net result after fees, in percent of the capital at entry (price × quantity × multiplier): JPY -1.00 %; \
                USDT +9.91 %. Each trade below is in percent of its own.";
    assert!(thread.contains(told), "{thread}");
}

#[test]
fn a_thread_writes_results_as_the_trader_chose() {
    for (privacy, shown, hidden) in [
        ("dollars", "-$161.00", "-1.61 %"),
        ("bucket", "a loss of 100 to 1,000 USD", "161"),
        ("r", "-3.22 R", "161"),
        ("percent", "-1.61 %", "161.00"),
    ] {
        let mut session = busy_day();
        session.source_data.trading.as_mut().expect("settings").insert("privacy".into(), json!(privacy));
        let thread = texts(&session).thread.expect("a thread").content;
        assert!(thread.contains(shown) && !thread.contains(hidden), "{privacy}: {thread}");
    }
}

#[test]
fn simulated_records_are_never_mixed_with_real_ones() {
    let mut session = busy_day();
    session.metadata.extra.clear();
    session.source_data.trades[0]["paper"] = json!(true);
    let trades = normalize(&session).expect("usable records");
    assert!(trades.fills.iter().all(|fill| fill.record != "trades[0]"));
    assert!(trades.import_notes[0].message.contains("is simulated"));
}

#[test]
fn a_long_thread_shows_the_largest_results_of_either_sign() {
    let trade = |i: i64| {
        json!({ "symbol": format!("S{i}"), "action": "buy", "quantity": 1, "price": 100, "exit_price": 100 + i,
                "timestamp": format!("2025-12-02T{:02}:00:00Z", i + 8), "exit_timestamp": format!("2025-12-02T{:02}:30:00Z", i + 8) })
    };
    let trades: Vec<Value> = (-5..=5).map(trade).collect();
    let thread = texts(&session(json!({}), json!({ "trades": trades }))).thread.expect("a thread").content;
    for (symbol, is_shown) in
        [("S-5 ", true), ("S-2 ", true), ("S-1 ", false), ("S0 ", false), ("S1 ", false), ("S5 ", true)]
    {
        assert_eq!(thread.contains(symbol), is_shown, "{symbol} in {thread}");
    }
    assert!(thread.contains("The 8 largest results of 11, gains and losses alike"), "{thread}");
}
