//! One record as fills: every field read, every fault named.

use super::settings::{Settings, number, shown};
use flywheel_events::{Fill, FillKind, Leg, RecordClaim, Side, stamp::Stamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// Other names of a field, after the one on the wire.
const SYNONYMS: [(&str, &[&str]); 6] = [
    ("ts", &["time", "timestamp", "datetime"]),
    ("qty", &["quantity"]),
    ("side", &["action"]),
    ("price", &["entry_price"]),
    ("exit_ts", &["exit_timestamp", "exit_time"]),
    ("fee", &["fees"]),
];

/// Figures with a default, which a null does not state.
const DEFAULTED: [&str; 4] = ["fee", "fees", "exit_fee", "multiplier"];

/// Characters of a symbol; the longest option symbols have 30.
const SYMBOL_CHARS_MAX: usize = 64;

/// Every field that is read; the others are kept as they are.
const KNOWN: [&str; 20] = [
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
    "order_id",
    "type",
    "ref_exec_id",
    "exit_price",
    "exit_ts",
    "exit_fee",
    "profit_loss",
];

/// The two forms of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A raw fill.
    Fill,
    /// A trade: an entry and, with `exit_price`, an exit.
    Trade,
}

/// A record under the names of the wire.
#[derive(Debug, Clone)]
pub struct Record {
    /// `fills[3]`, `trades[0]`.
    pub name: String,
    /// The index in its list.
    pub index: u64,
    /// Its form.
    pub form: Form,
    /// Its fields; absent and null are the same.
    pub fields: Map<String, Value>,
    /// Figures that are written as null, though they have a default.
    pub nulls: Vec<&'static str>,
}

/// What a record comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// One fill, or entry and exit.
    pub fills: Vec<Fill>,
    /// What it claims to have earned.
    pub claim: Option<RecordClaim>,
    /// What a reader should know although the record is used.
    pub remarks: Vec<String>,
}

impl Record {
    /// A record of `list` (`fills` or `trades`), or what is wrong with it.
    pub fn of(list: &str, index: usize, value: &Value) -> Result<Self, String> {
        let Some(object) = value.as_object() else { return Err(format!("is {}, not an object", shown(value))) };
        let mut fields: Map<String, Value> = object.clone();
        let nulls = DEFAULTED.into_iter().filter(|name| fields.get(*name).is_some_and(Value::is_null)).collect();
        fields.retain(|_, value| !value.is_null());
        let has = |name: &str| fields.contains_key(name);
        let closed = has("action") || has("exit_price") || has("exit_timestamp");
        let raw = ["side", "qty", "exec_id", "ref_exec_id", "ts", "fee_currency"].iter().any(|name| has(name));
        let form = if list == "fills" || (raw && !closed) { Form::Fill } else { Form::Trade };
        for (name, others) in SYNONYMS {
            for other in others {
                if let Some(value) = fields.get(*other).cloned().filter(|_| !fields.contains_key(name)) {
                    fields.remove(*other);
                    fields.insert(name.to_owned(), value);
                }
            }
        }
        Ok(Self { name: format!("{list}[{index}]"), index: index as u64, form, fields, nulls })
    }

    /// A field's text; numbers (an order id may be one) by their digits.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The account it is of.
    pub fn account(&self) -> String {
        self.text("account").unwrap_or_else(|| "default".into())
    }

    /// Reads it as fills.
    ///
    /// # Errors
    /// Every fault it has, as fragments.
    pub fn read(&self, settings: &Settings) -> Result<Read, Vec<String>> {
        let mut reader = Reader { record: self, settings, faults: vec![], remarks: vec![] };
        let kind = match self.text("type").as_deref() {
            Some("expiration") if self.form == Form::Fill => FillKind::Expiration,
            _ => FillKind::Trade,
        };
        let expires = kind == FillKind::Expiration;
        let symbol = reader.required("symbol", Self::text_of);
        if symbol.as_ref().is_some_and(|symbol| symbol.chars().count() > SYMBOL_CHARS_MAX) {
            reader.faults.push(format!("`symbol` is longer than {SYMBOL_CHARS_MAX} characters"));
        }
        let ts = reader.stamp("ts");
        let side = reader.optional("side", "buy or sell", side);
        let qty = reader.optional("qty", "a plain decimal number", number);
        let price = reader.optional("price", "a plain decimal number", number);
        if !expires {
            reader.missing("side", side.is_none());
            reader.missing("qty", qty.is_none());
            reader.missing("price", price.is_none());
        }
        if qty.is_some_and(|qty| qty <= Decimal::ZERO) {
            reader.faults.push("`qty` is not above zero".into());
        }
        let fee = reader.optional("fee", "a plain decimal number", number).unwrap_or_default();
        let exit_fee = reader.optional("exit_fee", "a plain decimal number", number).unwrap_or_default();
        let multiplier = reader.optional("multiplier", "a decimal number above zero", positive).unwrap_or(Decimal::ONE);
        let stop = reader.optional("stop", "a plain decimal number", number);
        let exit_price = reader.optional("exit_price", "a plain decimal number", number);
        let exit_ts = exit_price.is_some().then(|| reader.stamp("exit_ts")).flatten();
        if ts.zip(exit_ts).is_some_and(|(open, close)| close < open) {
            reader.faults.push("the exit is before the entry".into());
        }
        let claimed = self.fields.get("profit_loss").map(number);
        if claimed == Some(None) {
            reader.remarks.push("`profit_loss` is no plain decimal number; it is compared with nothing".into());
        }
        reader.remarks.extend(self.nulls.iter().map(|name| format!("`{name}` is null; read as if it were not there")));
        let (faults, remarks) = (reader.faults, reader.remarks);
        let (Some(symbol), Some(ts), true) = (symbol, ts, faults.is_empty()) else { return Err(faults) };
        let currency = self.text("currency").unwrap_or_else(|| "USD".into());
        let entry = Fill {
            record: self.name.clone(),
            leg: if self.form == Form::Fill { Leg::Fill } else { Leg::Entry },
            exec_id: self.text("exec_id"),
            ts,
            account: self.account(),
            side,
            qty: qty.map(Into::into),
            price: price.unwrap_or_default().into(),
            fee: fee.into(),
            fee_currency: self.text("fee_currency").unwrap_or_else(|| currency.clone()),
            base_asset: self
                .text("base_asset")
                .or_else(|| symbol.split_once('/').map(|(base, _)| base.to_owned()).filter(|base| !base.is_empty())),
            currency,
            multiplier: multiplier.into(),
            stop: stop.map(Into::into),
            order_id: self.text("order_id"),
            kind,
            extra: self.extra(),
            symbol: symbol.clone(),
        };
        let exit = (self.form == Form::Trade).then_some(exit_price.zip(exit_ts)).flatten().map(|(price, ts)| Fill {
            leg: Leg::Exit,
            ts,
            side: side.map(opposite),
            price: price.into(),
            fee: exit_fee.into(),
            stop: None,
            extra: Map::new(),
            ..entry.clone()
        });
        let claim = claimed.flatten().map(|claimed| RecordClaim {
            record: self.name.clone(),
            index: self.index,
            symbol,
            claimed: claimed.into(),
        });
        Ok(Read { fills: std::iter::once(entry).chain(exit).collect(), claim, remarks })
    }

    fn text_of(value: &Value) -> Option<String> {
        value.as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn extra(&self) -> Map<String, Value> {
        let unknown = self.fields.iter().filter(|(name, _)| {
            // The `type` of a trade (`stock`, `swing`) is the agent's own word.
            !KNOWN.contains(&name.as_str()) || (*name == "type" && self.form == Form::Trade)
        });
        unknown.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The other side.
pub fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

fn side(value: &Value) -> Option<Side> {
    match value.as_str()?.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
        "buy" | "b" | "bot" | "bought" | "long" | "buy_to_open" | "buy_to_close" | "buy_to_cover" | "cover" => {
            Some(Side::Buy)
        }
        "sell" | "s" | "sld" | "sold" | "short" | "sell_short" | "short_sell" | "sell_to_open" | "sell_to_close" => {
            Some(Side::Sell)
        }
        _ => None,
    }
}

fn positive(value: &Value) -> Option<Decimal> {
    number(value).filter(|value| *value > Decimal::ZERO)
}

struct Reader<'a> {
    record: &'a Record,
    settings: &'a Settings,
    faults: Vec<String>,
    remarks: Vec<String>,
}

impl Reader<'_> {
    fn optional<T>(&mut self, name: &str, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.record.fields.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.faults.push(format!("`{}` is {}, not {expected}", self.called(name), shown(value)));
        }
        read
    }

    fn required<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let read = self.optional(name, "a text", read);
        self.missing(name, read.is_none());
        read
    }

    fn missing(&mut self, name: &str, none: bool) {
        if none && !self.record.fields.contains_key(name) {
            self.faults.push(format!("`{}` is missing", self.called(name)));
        }
    }

    fn stamp(&mut self, name: &str) -> Option<Stamp> {
        let Some(value) = self.record.fields.get(name) else {
            self.faults.push(format!("`{}` is missing", self.called(name)));
            return None;
        };
        let read = value.as_str().ok_or_else(|| "is not a text".to_owned()).and_then(|text| self.settings.stamp(text));
        match read {
            Ok((stamp, twice)) => {
                if twice {
                    let called = self.called(name);
                    self.remarks.push(format!("the local time of `{called}` happened twice; the earlier one is taken"));
                }
                Some(stamp)
            }
            Err(fault) => {
                self.faults.push(format!("`{}` {} {fault}", self.called(name), shown(value)));
                None
            }
        }
    }

    /// The name a writer of this form of record knows the field by.
    fn called<'a>(&self, name: &'a str) -> &'a str {
        match (self.record.form, name) {
            (Form::Trade, "ts") => "timestamp",
            (Form::Trade, "qty") => "quantity",
            (Form::Trade, "side") => "action",
            (Form::Trade, "exit_ts") => "exit_timestamp",
            _ => name,
        }
    }
}
