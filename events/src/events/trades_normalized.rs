//! `trades.normalized`: a session's records as fills, in the order they happened.

use crate::{Fact, Figure, SessionId, stamp::Stamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fills of a session after corrections, busts and duplicates, by time. No record is dropped without a note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TradesNormalized {
    /// The session.
    pub session_id: SessionId,
    /// What is left to match, ordered by instant, then by place in the input.
    pub fills: Vec<Fill>,
    /// What was done to get there.
    pub import_notes: Vec<ImportNote>,
    /// What records claim to have earned.
    pub claims: Vec<RecordClaim>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fill {
    /// Where it stands in the input: `fills[3]`, `trades[0]`.
    pub record: String,
    /// Which leg of a closed trade it is; `fill` for a raw fill.
    pub leg: Leg,
    /// The broker's id.
    pub exec_id: Option<String>,
    /// When it was executed, in the offset it was written with.
    pub ts: Stamp,
    /// What was traded.
    pub symbol: String,
    /// The account; `default` where none is named.
    pub account: String,
    /// The side; null for an expiration that closes whatever is open.
    pub side: Option<Side>,
    /// The quantity, above zero; null for an expiration of all that is open.
    pub qty: Option<Figure>,
    /// The price of one unit.
    pub price: Figure,
    /// What it cost, in `fee_currency`; a rebate is negative.
    pub fee: Figure,
    /// The currency of the fee.
    pub fee_currency: String,
    /// The currency of the price; `USD` where none is named.
    pub currency: String,
    /// Units of the price in one unit of quantity.
    pub multiplier: Figure,
    /// The asset that is bought or sold, where fees may be paid in it.
    pub base_asset: Option<String>,
    /// The initial stop.
    pub stop: Option<Figure>,
    /// The broker's id of the order.
    pub order_id: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FillKind,
    /// Every other field of the record.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Side {
    /// Adds to the position.
    Buy,
    /// Takes from it.
    Sell,
}

/// Where a fill comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Leg {
    /// A raw fill.
    Fill,
    /// The entry of a trade.
    Entry,
    /// The exit of a trade.
    Exit,
}

/// What a fill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FillKind {
    /// A trade.
    Trade,
    /// A contract that ran out; it never opens a position.
    Expiration,
}

/// What happened to a record, or what could not be worked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportNote {
    /// What kind of note.
    pub kind: NoteKind,
    /// Where the record stands: `fills[3]`, `trades[0]`; null where the note is about no single record.
    pub record: Option<String>,
    /// Its index in that list.
    pub index: Option<u64>,
    /// Its id at the broker.
    pub exec_id: Option<String>,
    /// What and why, as one lower-case fragment.
    pub message: String,
}

/// The kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum NoteKind {
    /// A record that cannot be used.
    Skipped,
    /// An exact duplicate, counted once.
    Duplicate,
    /// The same execution id with other content; the first one counts.
    Conflict,
    /// A fill that was corrected.
    Correction,
    /// A fill that was taken back.
    Bust,
    /// A fee that could not be valued and is in no figure.
    UnpricedFee,
    /// A rate that is missing.
    MissingRate,
    /// Anything else a reader should know.
    Remark,
}

/// What a record claims to have earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordClaim {
    /// The record: `trades[0]`.
    pub record: String,
    /// Its index.
    pub index: u64,
    /// What was traded.
    pub symbol: String,
    /// Its `profit_loss`, as written.
    pub claimed: Figure,
}

impl Fact for TradesNormalized {
    const TYPE: &'static str = "dev.dreamos.trades.normalized.v1";

    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012",
            "fills": [{
                "record": "trades[0]", "leg": "entry", "exec_id": null, "ts": "2025-12-02T03:00:00Z", "symbol": "AAPL",
                "account": "default", "side": "buy", "qty": "10", "price": "175.50", "fee": "0", "fee_currency": "USD",
                "currency": "USD", "multiplier": "1", "base_asset": null, "stop": null, "order_id": null, "type": "trade"
            }],
            "import_notes": [{
                "kind": "skipped", "record": "trades[1]", "index": 1, "exec_id": null,
                "message": "`quantity` is `1,234.50`, which is not a plain decimal number"
            }],
            "claims": [{ "record": "trades[0]", "index": 0, "symbol": "AAPL", "claimed": "25.0" }]
        }))
        .expect("the example is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_round_trips_and_is_of_the_schema() {
        let event = crate::catalog::find(TradesNormalized::TYPE).expect("a row of the table");
        let example = (event.example)();
        assert_eq!((event.round_trip)(example.clone()).expect("it decodes"), example);
        let schema = serde_json::to_value((event.schema)()).expect("JSON");
        assert!(jsonschema::is_valid(&schema, &example), "{schema:#}");
    }
}
