//! What the commands that ask read models have in common.

use super::{Context, Mistake};
use crate::{
    log::EmbeddedLog,
    views::{self, read::manifest},
};
use flywheel_events::{ArtifactType, SessionId};
use rusqlite::Connection;

/// A page of a list.
#[derive(Debug, clap::Args)]
pub struct Page {
    /// Most rows, up to 1000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=views::read::PAGE_ROWS_MAX as u64))]
    pub limit: usize,
    /// Only what comes behind this: the `next` of the page before.
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

impl Page {
    /// The position behind which a list that is ordered by position goes on.
    ///
    /// # Errors
    /// The cursor is no position.
    pub fn after_position(&self) -> Result<u64, Mistake> {
        let Some(cursor) = &self.after else { return Ok(0) };
        let position: Option<i64> = cursor.parse().ok().filter(|position| *position >= 0);
        position.map(i64::unsigned_abs).ok_or_else(|| {
            Mistake::new(format!("--after: `{cursor}` is no cursor"), "give the `next` of the page before")
        })
    }

    /// The rows of a page that was asked for with one row more, and whether there was one.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        (rows, more)
    }
}

/// A read model, caught up with the log.
pub fn view(context: &Context, log: &EmbeddedLog, name: &str) -> anyhow::Result<Connection> {
    let view = flywheel_projections::find(name).expect("the commands name views that are in the table");
    Ok(views::caught_up(&context.settings.data, log, view)?)
}

/// The session that somebody means by an id or its beginning.
pub fn session(manifest: &Connection, text: &str) -> anyhow::Result<SessionId> {
    /// Fewer digits would soon mean another session.
    const DIGITS_MIN: usize = 4;
    if let Ok(session) = text.to_lowercase().parse::<SessionId>() {
        return Ok(session);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let found = if digits && text.len() >= DIGITS_MIN { manifest::beginning_with(manifest, text)? } else { vec![] };
    match found[..] {
        [session] => Ok(session),
        [] => Err(no_session(text).into()),
        _ => Err(Mistake::new(format!("several sessions begin with `{text}`"), "give more of the id").into()),
    }
}

/// There is none.
pub fn no_session(text: impl std::fmt::Display) -> Mistake {
    let hint = "`flywheel manifest list` prints them; give an id, or at least its first 4 digits";
    Mistake::new(format!("the log has no session `{text}`"), hint)
}

/// One of the artifact types.
///
/// # Errors
/// What there is.
pub fn parse_type(text: &str) -> Result<ArtifactType, String> {
    let found = ArtifactType::ALL.iter().find(|row| row.1 == text).map(|row| row.0);
    found.ok_or_else(|| format!("expected one of {}", ArtifactType::ALL.map(|row| row.1).join(", ")))
}
