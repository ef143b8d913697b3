//! Points in time as they stand in input: strict for a session's own stamp, forgiving (with a note) for a record's.

use chrono::{DateTime, FixedOffset, NaiveDateTime};

/// A point in time that keeps the offset it was written with. Order by the instant (`DateTime` does).
pub type Stamp = DateTime<FixedOffset>;

/// Why a text is no stamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The date and time read, but without a zone they name no instant.
    #[error("`{0}` has no zone: expected an offset like `Z` or `-06:00` at the end")]
    NoZone(String),
    /// Not a date and time at all.
    #[error("`{0}` is not a date and time: expected RFC 3339, like `2025-12-02T05:20:00Z`")]
    Malformed(String),
}

/// Reads RFC 3339 and nothing else.
///
/// # Errors
/// [`Error::NoZone`] where all but the offset is right, else [`Error::Malformed`].
pub fn parse(text: &str) -> Result<Stamp, Error> {
    if let Ok(stamp) = DateTime::parse_from_rfc3339(text) {
        return Ok(stamp);
    }
    let zoneless = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    if zoneless.iter().any(|format| NaiveDateTime::parse_from_str(text, format).is_ok()) {
        return Err(Error::NoZone(text.to_owned()));
    }
    Err(Error::Malformed(text.to_owned()))
}

/// Reads a record's stamp: RFC 3339, and git's `--date=iso` as the seeds' guide glued it, `2025-12-02 05:15:00 -0600Z`,
/// whose numeric offset is the true one. The flag says that the text was not RFC 3339.
///
/// # Errors
/// As [`parse`].
pub fn parse_lenient(text: &str) -> Result<(Stamp, bool), Error> {
    let error = match parse(text) {
        Ok(stamp) => return Ok((stamp, false)),
        Err(error) => error,
    };
    let trimmed = text.trim();
    let unglued = trimmed.strip_suffix('Z').unwrap_or(trimmed);
    ["%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"]
        .iter()
        .find_map(|format| DateTime::parse_from_str(unglued, format).ok())
        .map(|stamp| (stamp, true))
        .ok_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_glued_offset_reads_as_minus_six() {
        let (stamp, repaired) = parse_lenient("2025-12-02 05:15:00 -0600Z").expect("a stamp");
        assert_eq!(stamp.to_rfc3339(), "2025-12-02T05:15:00-06:00");
        assert!(repaired);
        assert_eq!(parse("2025-12-02 05:15:00 -0600Z"), Err(Error::Malformed("2025-12-02 05:15:00 -0600Z".into())));
    }

    #[test]
    fn a_stamp_without_a_zone_says_so() {
        assert!(matches!(parse("2025-12-02T03:00:00.000000"), Err(Error::NoZone(_))));
        assert!(matches!(parse_lenient("2025-12-02 03:00:00"), Err(Error::NoZone(_))));
        assert!(matches!(parse("2025-13-02T03:00:00Z"), Err(Error::Malformed(_))));
        assert!(parse("2025-12-02T05:20:00.357065-06:00").is_ok());
    }
}
