//! Points in time as people type them: an instant with its zone, or how long ago.

use chrono::TimeDelta;
use flywheel_events::stamp::{self, Stamp};

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// An instant.
    At(Stamp),
    /// That long before something.
    Before(TimeDelta),
}

impl When {
    /// The instant, where lengths count back from `end`.
    ///
    /// # Errors
    /// It lies before the calendar begins.
    pub fn resolve(self, end: Stamp) -> anyhow::Result<Stamp> {
        match self {
            Self::At(stamp) => Ok(stamp),
            Self::Before(length) => end
                .checked_sub_signed(length)
                .ok_or_else(|| anyhow::anyhow!("that lies before the calendar begins: give a shorter time")),
        }
    }
}

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match stamp::parse(text) {
            Ok(stamp) => Ok(Self::At(stamp)),
            Err(error @ stamp::Error::NoZone(_)) => Err(error.to_string()),
            Err(_) => length(text).map(Self::Before).ok_or_else(|| {
                "expected a time like `2025-12-02T05:20:00-06:00`, or a length like `2h` or `90min`".into()
            }),
        }
    }
}

/// `90min`, `2h`, `1h30m`, `3 days`.
fn length(text: &str) -> Option<TimeDelta> {
    let mut rest = text.trim().trim_end_matches("ago").trim_end();
    let mut seconds = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let unit = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return None,
        };
        seconds = number.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(seconds)?;
        rest = after.trim_start();
    }
    TimeDelta::try_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lengths_are_read() {
        let minutes = |text: &str| match text.parse() {
            Ok(When::Before(length)) => Some(length.num_minutes()),
            _ => None,
        };
        for (text, expect) in [("2h", 120), ("90min", 90), ("1h30m", 90), ("1 day 2 hours ago", 1_560), ("120s", 2)] {
            assert_eq!(minutes(text), Some(expect), "{text}");
        }
        assert!(matches!("2025-12-02T05:20:00-06:00".parse(), Ok(When::At(_))));
        for bad in ["", "h", "2", "-2h", "2y", "99999999999999999999h", "9223372036854775807w", "é", "yesterday"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
        assert!("2025-12-02T05:20:00".parse::<When>().expect_err("no zone").contains("no zone"));
    }
}
