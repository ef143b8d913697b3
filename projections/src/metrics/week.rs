//! ISO weeks.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeZone, Utc, Weekday};
use std::{fmt, str::FromStr};

/// An ISO week in UTC: `2025-W49`. Its year is the one its Thursday lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    year: i32,
    week: u32,
}

/// A text that is no week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO week that exists, like 2025-W49")]
pub struct NoWeek;

impl Week {
    /// The week of an instant, in UTC.
    pub fn of<Z: TimeZone>(instant: &DateTime<Z>) -> Self {
        let week = instant.with_timezone(&Utc).date_naive().iso_week();
        Self { year: week.year(), week: week.week() }
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-W{:02}", self.year, self.week)
    }
}

impl FromStr for Week {
    type Err = NoWeek;

    fn from_str(text: &str) -> Result<Self, NoWeek> {
        let (year, week) = text.split_once("-W").ok_or(NoWeek)?;
        let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(week, 2) {
            return Err(NoWeek);
        }
        let (year, week) = (year.parse().map_err(|_| NoWeek)?, week.parse().map_err(|_| NoWeek)?);
        NaiveDate::from_isoywd_opt(year, week, Weekday::Thu).map(|_| Self { year, week }).ok_or(NoWeek)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_that_of_utc_and_its_year_that_of_its_thursday() {
        for (stamp, expected) in [
            ("2025-12-02T05:20:00-06:00", "2025-W49"),
            ("2025-12-29T00:00:00Z", "2026-W01"),
            ("2024-12-30T12:00:00Z", "2025-W01"),
            ("2027-01-01T12:00:00Z", "2026-W53"),
            // Monday in Kathmandu, Sunday in UTC.
            ("2025-12-01T05:44:59+05:45", "2025-W48"),
            ("2025-12-01T05:45:00+05:45", "2025-W49"),
        ] {
            let stamp = DateTime::parse_from_rfc3339(stamp).expect("a stamp");
            assert_eq!(Week::of(&stamp).to_string(), expected, "{stamp}");
            assert_eq!(expected.parse(), Ok(Week::of(&stamp)));
        }
        for bad in ["", "2025-W54", "2025-W53", "2025-W00", "2025W49", "2025-W9", "+025-W49", "2025-w49"] {
            assert_eq!(bad.parse::<Week>(), Err(NoWeek), "{bad}");
        }
    }
}
