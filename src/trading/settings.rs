//! `source_data.trading`: how the fills are to be read. A setting that would change the figures in silence is refused.

use super::decimal;
use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeZone, Weekday};
use chrono_tz::Tz;
use flywheel_events::{ImportNote, NoteKind, SessionCompleted, stamp, stamp::Stamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Which lot an exit closes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Matching {
    /// The oldest.
    #[default]
    Fifo,
    /// The newest.
    Lifo,
}

/// How a published result is written. The journal is the trader's own and shows money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Privacy {
    /// In R-multiples.
    R,
    /// In percent of what is named.
    #[default]
    Percent,
    /// In coarse steps of money.
    Bucket,
    /// In money.
    Dollars,
}

/// A price bar.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// When it was.
    pub ts: Stamp,
    /// The highest price.
    pub high: Decimal,
    /// The lowest price.
    pub low: Decimal,
}

/// The settings, each with its default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// FIFO by default.
    pub matching: Matching,
    /// The zone that days are counted in; UTC by default.
    pub tz: Tz,
    /// From this local time on, a fill belongs to the next day.
    pub rollover: Option<NaiveTime>,
    /// Whether Saturday and Sunday belong to Monday.
    pub skip_weekends: bool,
    /// The zone of stamps without one.
    pub import_tz: Option<Tz>,
    /// Whether a trailing `.02` corrects `.01`.
    pub ibkr_ids: bool,
    /// `BNB/USDT` → rate.
    pub fee_rates: BTreeMap<String, Decimal>,
    /// A residue worth less closes the trip.
    pub dust_quote: Option<Decimal>,
    /// The currency everything is converted to.
    pub base_currency: Option<String>,
    /// currency → day → rate.
    pub fx_to_base: BTreeMap<String, BTreeMap<NaiveDate, Decimal>>,
    /// What the account began with.
    pub starting_equity: Option<Decimal>,
    /// The days that returns are counted over.
    pub trading_days: BTreeSet<NaiveDate>,
    /// How a thread writes results.
    pub privacy: Privacy,
    /// Price bars by symbol.
    pub bars: BTreeMap<String, Vec<Bar>>,
    /// Entries that could not be read.
    pub notes: Vec<ImportNote>,
}

/// A setting that cannot be used: where, what, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source_data.trading.{path} is {found}: expected {expected}")]
pub struct Error {
    path: &'static str,
    found: String,
    expected: &'static str,
}

impl Error {
    /// The setting, below `source_data.trading`: `session.tz`.
    pub fn path(&self) -> &'static str {
        self.path
    }
}

/// The names of the settings.
pub const NAMES: [&str; 12] = [
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

/// A decimal out of a JSON number or its text.
pub fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => decimal::parse(&number.to_string()),
        Value::String(text) => decimal::parse(text.trim()),
        _ => None,
    }
}

/// A value as a message shows it: short, and on one line.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    };
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(60).collect::<String>()) }
}

fn present<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

fn read<T>(
    map: &Map<String, Value>,
    path: &'static str,
    expected: &'static str,
    parse: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Error> {
    let name = path.rsplit('.').next().expect("a path has a last part");
    let Some(value) = present(map, name) else { return Ok(None) };
    parse(value).map(Some).ok_or_else(|| Error { path, found: shown(value), expected })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn zone(value: &Value) -> Option<Tz> {
    value.as_str()?.trim().parse().ok()
}

impl Settings {
    /// The settings of a session.
    ///
    /// # Errors
    /// When a setting that decides figures cannot be read. Single rates, days and bars that cannot are noted instead.
    pub fn of(session: &SessionCompleted) -> Result<Self, Error> {
        let empty = Map::new();
        let map = session.source_data.trading.as_ref().unwrap_or(&empty);
        let day = present(map, "session").and_then(Value::as_object).unwrap_or(&empty);
        read(map, "session", "an object with `tz`, `rollover`, `skip_weekends`", |value| {
            value.is_object().then_some(())
        })?;
        let zone_expected = "an IANA name like `America/New_York`";
        let mut notes = Notes::default();
        let mut settings = Self {
            matching: read(map, "matching", "`fifo` or `lifo`", |value| match value.as_str()? {
                "fifo" | "FIFO" => Some(Matching::Fifo),
                "lifo" | "LIFO" => Some(Matching::Lifo),
                _ => None,
            })?
            .unwrap_or_default(),
            tz: read(day, "session.tz", zone_expected, zone)?.unwrap_or(Tz::UTC),
            rollover: read(day, "session.rollover", "a local time like `17:00`", |value| {
                NaiveTime::parse_from_str(value.as_str()?, "%H:%M").ok()
            })?
            .filter(|time| *time != NaiveTime::MIN),
            skip_weekends: read(day, "session.skip_weekends", "true or false", Value::as_bool)?.unwrap_or(false),
            import_tz: read(map, "import_tz", zone_expected, zone)?,
            ibkr_ids: read(map, "exec_id_style", "`ibkr`, or nothing", |value| match value.as_str()? {
                "ibkr" => Some(true),
                "" | "plain" | "none" | "default" => Some(false),
                _ => None,
            })?
            .unwrap_or(false),
            dust_quote: read(map, "dust_quote", "a decimal number", number)?,
            privacy: read(map, "privacy", "`percent`, `r`, `bucket` or `dollars`", |value| match value.as_str()? {
                "percent" => Some(Privacy::Percent),
                "r" | "R" | "r_multiple" => Some(Privacy::R),
                "bucket" | "bucketed" => Some(Privacy::Bucket),
                "dollars" => Some(Privacy::Dollars),
                _ => None,
            })?
            .unwrap_or_default(),
            base_currency: read(map, "base_currency", "a currency like `USD`", text)?,
            starting_equity: read(map, "starting_equity", "a decimal number", number)?,
            ..Self::default()
        };
        for (pair, rate) in notes.object(map, "fee_rates") {
            if let Some(rate) = notes.number(&format!("fee_rates.{pair}"), rate) {
                settings.fee_rates.insert(pair.clone(), rate);
            }
        }
        for (currency, days) in notes.object(map, "fx_to_base") {
            if !days.is_object() {
                notes.add(&format!("fx_to_base.{currency}"), days, "an object of days with rates");
            }
            for (day, rate) in days.as_object().unwrap_or(&empty) {
                let path = format!("fx_to_base.{currency}.{day}");
                let (parsed, rate) = (day.parse::<NaiveDate>().ok(), notes.number(&path, rate));
                match (parsed, rate) {
                    (Some(day), Some(rate)) => {
                        settings.fx_to_base.entry(currency.clone()).or_default().insert(day, rate);
                    }
                    (None, _) => notes.add(&path, &Value::from(day.as_str()), "a day like `2025-12-02`"),
                    _ => {}
                }
            }
        }
        for day in notes.array(map, "trading_days") {
            match day.as_str().and_then(|day| day.parse::<NaiveDate>().ok()) {
                Some(day) => {
                    settings.trading_days.insert(day);
                }
                None => notes.add("trading_days", day, "a day like `2025-12-02`"),
            }
        }
        for (symbol, bars) in notes.object(map, "bars") {
            if !bars.is_array() {
                notes.add(&format!("bars.{symbol}"), bars, "a list of bars");
            }
            for (i, bar) in bars.as_array().into_iter().flatten().enumerate() {
                let figure = |name| bar.get(name).and_then(number);
                let ts = bar.get("ts").and_then(Value::as_str).and_then(|text| settings.stamp(text).ok());
                match (ts, figure("high"), figure("low")) {
                    (Some((ts, _)), Some(high), Some(low)) => {
                        settings.bars.entry(symbol.clone()).or_default().push(Bar { ts, high, low });
                    }
                    _ => notes.add(&format!("bars.{symbol}[{i}]"), bar, "`ts`, `high` and `low`"),
                }
            }
        }
        settings.notes = notes.0;
        Ok(settings)
    }

    /// Reads a record's stamp: RFC 3339, IBKR's `YYYYMMDD;HHMMSS`, or without a zone in `import_tz`. The flag says that
    /// the local time happened twice and the earlier one was taken.
    ///
    /// # Errors
    /// Says why not, as a fragment.
    pub fn stamp(&self, text: &str) -> Result<(Stamp, bool), String> {
        let text = text.trim();
        if let Ok((stamp, _)) = stamp::parse_lenient(text) {
            return Ok((stamp, false));
        }
        let formats = [
            "%Y%m%d;%H%M%S",
            "%Y%m%d;%H:%M:%S",
            "%Y%m%d %H%M%S",
            "%Y%m%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%d;%H:%M:%S",
            "%Y-%m-%dT%H:%M",
        ];
        let local = formats.iter().find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
        let Some(local) = local else { return Err("is not a date and time (RFC 3339, or `YYYYMMDD;HHMMSS`)".into()) };
        let Some(tz) = self.import_tz else {
            return Err("has no zone; set source_data.trading.import_tz to its IANA name".into());
        };
        match tz.from_local_datetime(&local) {
            chrono::LocalResult::Single(stamp) => Ok((stamp.fixed_offset(), false)),
            chrono::LocalResult::Ambiguous(earlier, _) => Ok((earlier.fixed_offset(), true)),
            chrono::LocalResult::None => Err(format!("does not exist in {tz}: the clocks were set forward")),
        }
    }

    /// The trading day of an instant; none only at the end of the calendar.
    pub fn trading_day(&self, stamp: Stamp) -> NaiveDate {
        // Chrono's calendar ends long after any offset could matter, so a shift that fails keeps the day.
        let local: DateTime<Tz> = stamp.with_timezone(&self.tz);
        let (mut day, time) = (local.date_naive(), local.time());
        if self.rollover.is_some_and(|rollover| time >= rollover) {
            day = day.checked_add_days(Days::new(1)).unwrap_or(day);
        }
        let ahead = match day.weekday() {
            Weekday::Sat if self.skip_weekends => 2,
            Weekday::Sun if self.skip_weekends => 1,
            _ => 0,
        };
        day.checked_add_days(Days::new(ahead)).unwrap_or(day)
    }

    /// What one unit of `currency` is in the base currency on a day.
    pub fn rate_to_base(&self, currency: &str, day: NaiveDate) -> Option<Decimal> {
        if self.base_currency.as_deref()? == currency {
            return Some(Decimal::ONE);
        }
        self.fx_to_base.get(currency)?.get(&day).copied()
    }
}

#[derive(Default)]
struct Notes(Vec<ImportNote>);

impl Notes {
    fn add(&mut self, path: &str, value: &Value, expected: &str) {
        self.0.push(ImportNote {
            kind: NoteKind::Skipped,
            record: None,
            index: None,
            exec_id: None,
            message: format!("source_data.trading.{path} is {}: expected {expected}; it is not used", shown(value)),
        });
    }

    fn number(&mut self, path: &str, value: &Value) -> Option<Decimal> {
        let parsed = number(value);
        if parsed.is_none() {
            self.add(path, value, "a decimal number");
        }
        parsed
    }

    fn object<'a>(&mut self, map: &'a Map<String, Value>, name: &str) -> Vec<(&'a String, &'a Value)> {
        let Some(value) = present(map, name) else { return vec![] };
        if !value.is_object() {
            self.add(name, value, "an object");
        }
        value.as_object().into_iter().flatten().collect()
    }

    fn array<'a>(&mut self, map: &'a Map<String, Value>, name: &str) -> Vec<&'a Value> {
        let Some(value) = present(map, name) else { return vec![] };
        if !value.is_array() {
            self.add(name, value, "a list");
        }
        value.as_array().into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(trading: Value) -> Result<Settings, String> {
        let session = json!({
            "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "session_type": "trade", "agent_id": "A",
            "timestamp": "2025-12-02T22:00:00Z", "source_data": { "trading": trading }
        });
        Settings::of(&serde_json::from_value(session).expect("a session")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_setting_that_decides_figures_is_read_or_refused() {
        for (trading, path) in [
            (json!({ "matching": "hifo" }), "matching"),
            (json!({ "session": "UTC" }), "session"),
            (json!({ "session": { "tz": "EST5" } }), "session.tz"),
            (json!({ "session": { "rollover": "25:00" } }), "session.rollover"),
            (json!({ "session": { "skip_weekends": "yes" } }), "session.skip_weekends"),
            (json!({ "import_tz": 5 }), "import_tz"),
            (json!({ "dust_quote": "1,0" }), "dust_quote"),
            (json!({ "starting_equity": "NaN" }), "starting_equity"),
            (json!({ "privacy": "open" }), "privacy"),
        ] {
            let error = settings(trading).expect_err(path);
            assert!(error.starts_with(&format!("source_data.trading.{path} is ")), "{error}");
        }
        assert!(settings(json!({ "matching": null, "session": null })).is_ok());
    }

    #[test]
    fn a_single_rate_day_or_bar_that_cannot_be_read_is_noted() {
        let read = settings(json!({
            "fee_rates": { "BNB/USDT": "six", "BTC/USDT": 50_000 }, "fx_to_base": { "EUR": "1.1", "JPY": { "today": 1 } },
            "trading_days": ["2025-12-02", "2025-13-02"], "bars": { "A": [{ "ts": "2025-12-02T10:00:00Z", "high": 2 }], "B": 1 }
        }))
        .expect("settings");
        assert_eq!((read.fee_rates.len(), read.trading_days.len(), read.notes.len()), (1, 1, 6));
        let first = "source_data.trading.fee_rates.BNB/USDT is `six`: expected a decimal number; it is not used";
        assert_eq!(read.notes[0].message, first);
    }
}
