//! One fact as the read models see it: decoded once, for all of them, without what none of them reads.

use chrono::{DateTime, Utc};
use flywheel_events::{
    AgentId, ArtifactGenerated, ArtifactType, CreationExtracted, Digest, Fact as _, FeedbackRecorded, Key,
    LessonsExtracted, PublicationQueued, RepoScanned, SessionCompleted, SessionId, SessionReady, SessionRejected,
    SessionRerunRequested, SessionType, StepFailed, StepSkipped, StoryExtracted, TradesNormalized, TradingSummarized,
    stamp::Stamp,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// One fact.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Where it is in the log.
    pub position: u64,
    /// Its key.
    pub key: Key,
    /// When it was recorded.
    pub time: DateTime<Utc>,
    /// The event that triggered it: of a step's outcome the last of its inputs to be recorded.
    pub cause: Option<Uuid>,
    /// What it says.
    pub body: Body,
}

/// What a fact says, as far as a read model needs it.
#[derive(Debug, Clone)]
pub enum Body {
    /// A session was accepted.
    Session(Session),
    /// A repository was scanned.
    Scanned(Scanned),
    /// Trades were summarised.
    Summarized(Summarized),
    /// An artifact was made.
    Artifact(Artifact),
    /// A step failed.
    Failed(StepFailed),
    /// A step had nothing to do.
    Skipped(StepSkipped),
    /// A run has ended.
    Ready(SessionReady),
    /// Another run was asked for.
    Rerun(SessionRerunRequested),
    /// Input was refused.
    Rejected(SessionRejected),
    /// An artifact waits to be published.
    Queued(PublicationQueued),
    /// Somebody rated a session's artifacts.
    Feedback(Box<FeedbackRecorded>),
    /// A step completed with a fact of which no read model needs more than that.
    Completed,
}

/// Of a session: who, what, when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// The session.
    pub session_id: SessionId,
    /// Its pipeline.
    pub session_type: SessionType,
    /// When it ended, in its own offset.
    pub timestamp: Stamp,
    /// Its agent.
    pub agent_id: AgentId,
}

/// Of a scan: which repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Scanned {
    /// The repository's name.
    pub repo_name: Option<String>,
    /// Why it was not read, where it was not.
    pub unreachable: Option<String>,
}

/// Of a trading session: its days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Summarized {
    /// The session.
    pub session_id: SessionId,
    /// Every trading day with a fill.
    pub daily: Vec<Day>,
    /// The closed trips.
    pub round_trips: Vec<Trip>,
    /// Every closed piece of a lot.
    #[serde(default)]
    pub lot_matches: Vec<Piece>,
    /// What is still open.
    #[serde(default)]
    pub open_lots: Vec<OpenLot>,
}

/// A trading day with a fill.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Day {
    /// The day, `YYYY-MM-DD`.
    pub trading_day: String,
}

/// A closed trip: whose and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trip {
    /// The account, masked.
    pub account: String,
    /// The day it closed, `YYYY-MM-DD`.
    pub trading_day: String,
}

/// A closed piece of a lot: whose, and the days of both its fills.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Piece {
    /// The account, masked.
    pub account: String,
    /// The day of the exit, `YYYY-MM-DD`.
    pub trading_day: String,
    /// When it was opened, RFC 3339 in the fill's own offset.
    pub open_ts: String,
}

/// An open lot: whose and since when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpenLot {
    /// The account, masked.
    pub account: String,
    /// When it was opened, RFC 3339 in the fill's own offset.
    pub open_ts: String,
}

/// Of an artifact: everything but its text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// The session; null for a file that was queued by hand.
    pub session_id: Option<SessionId>,
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
    /// Where it lies under the artifact folder.
    pub path: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// Bytes of its text.
    pub size: u64,
    /// What a reviewer should know.
    #[serde(default)]
    pub notes: Notes,
}

/// Of an artifact's notes: the README's score.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Notes {
    /// The score, where it is a README.
    #[serde(default)]
    pub readme_score: Option<ReadmeScore>,
}

/// A README's score.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadmeScore {
    /// No blocker and 80 points or more.
    pub clean: bool,
    /// Points of 100.
    pub score: u32,
}

/// A fact that a fold cannot take.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not read as what it says it is.
    #[error("the fact {key} at position {position} does not read")]
    Unreadable {
        /// Where it is.
        position: u64,
        /// Its key.
        key: Key,
        /// Why.
        source: serde_json::Error,
    },
    /// It is of a type that this program does not know.
    #[error("the fact {key} at position {position} is a {event_type}, which this program does not know")]
    Unknown {
        /// Where it is.
        position: u64,
        /// Its key.
        key: Key,
        /// Its type.
        event_type: String,
    },
    /// The view's file failed.
    #[error("the view cannot be written")]
    Storage(#[from] rusqlite::Error),
}

/// The envelope, as far as it is needed. Events in the log are valid.
#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    time: DateTime<Utc>,
    #[serde(default, borrow)]
    causationid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Recorded {
    /// Decodes an event of the log.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::Unknown`].
    pub fn decode(position: u64, key: Key, event: &str) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { position, key: key.clone(), source };
        let carrier: Carrier<'_> = serde_json::from_str(event).map_err(unreadable)?;
        let data = carrier.data.get();
        let body = match &*carrier.event_type {
            SessionCompleted::TYPE => Body::Session(parse(data).map_err(unreadable)?),
            RepoScanned::TYPE => Body::Scanned(parse(data).map_err(unreadable)?),
            TradingSummarized::TYPE => Body::Summarized(parse(data).map_err(unreadable)?),
            ArtifactGenerated::TYPE => Body::Artifact(parse(data).map_err(unreadable)?),
            StepFailed::TYPE => Body::Failed(parse(data).map_err(unreadable)?),
            StepSkipped::TYPE => Body::Skipped(parse(data).map_err(unreadable)?),
            SessionReady::TYPE => Body::Ready(parse(data).map_err(unreadable)?),
            SessionRerunRequested::TYPE => Body::Rerun(parse(data).map_err(unreadable)?),
            SessionRejected::TYPE => Body::Rejected(parse(data).map_err(unreadable)?),
            PublicationQueued::TYPE => Body::Queued(parse(data).map_err(unreadable)?),
            FeedbackRecorded::TYPE => Body::Feedback(parse(data).map_err(unreadable)?),
            StoryExtracted::TYPE | TradesNormalized::TYPE | LessonsExtracted::TYPE | CreationExtracted::TYPE => {
                Body::Completed
            }
            other => return Err(Error::Unknown { position, key, event_type: other.to_owned() }),
        };
        // What the bus brought may be caused by an id of any form; none of our own facts is.
        let cause = carrier.causationid.and_then(|id| Uuid::try_parse(&id).ok());
        Ok(Self { position, key, time: carrier.time, cause, body })
    }
}

fn parse<T: DeserializeOwned>(data: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::catalog;

    #[test]
    fn every_event_of_the_catalog_decodes() {
        for event in catalog::all() {
            let key: Key = "x/session/a1b2c3d4-e5f6-7890-abcd-ef1234567890/1".parse().expect("a key");
            let text = serde_json::json!({
                "type": event.event_type, "time": "2025-12-02T05:20:00Z", "data": (event.example)(),
            });
            Recorded::decode(1, key, &text.to_string()).unwrap_or_else(|error| panic!("{}: {error}", event.event_type));
        }
    }
}
