//! One fact as the read models see it: decoded once, for all of them, without what none of them reads.

use crate::event::Event;
use chrono::{DateTime, Utc};
use flywheel_events::{
    AgentId, ArtifactGenerated, ArtifactType, CreationExtracted, Digest, Fact as _, FeedbackRecorded, Key,
    LessonsExtracted, Outcome, PublicationQueued, RepoScanned, SessionCompleted, SessionId, SessionReady,
    SessionRejected, SessionRerunRequested, SessionType, StepFailed, StepSkipped, StoryExtracted, Target,
    TradesNormalized, TradingSummarized, stamp::Stamp,
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use uuid::Uuid;

/// One fact.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Where it is in the log.
    pub position: u64,
    /// Its key.
    pub key: Key,
    /// Its event's id, which follows from the key.
    pub id: Uuid,
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
    Ready(Ready),
    /// Another run was asked for.
    Rerun(SessionRerunRequested),
    /// Input was refused.
    Rejected(SessionRejected),
    /// An artifact waits to be published.
    Queued(Queued),
    /// Somebody rated a session's artifacts.
    Feedback(Feedback),
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

/// Of the end of a run: how, and with what to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// How the run ended.
    pub outcome: Outcome,
    /// What it had to show.
    pub artifacts: Vec<Shown>,
}

/// An artifact that a run had to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shown {
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
}

/// Of an item of the publish queue: what of, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Queued {
    /// The item.
    pub item_id: Uuid,
    /// What it is.
    pub artifact_type: ArtifactType,
    /// SHA-256 of the artifact's text.
    pub sha256: Digest,
    /// Where it is to be published.
    pub target: Target,
    /// Under which account there.
    pub account: String,
}

/// Of an opinion: on what, whose, and how good.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Feedback {
    /// The session.
    pub session_id: SessionId,
    /// The rater.
    pub agent_id: AgentId,
    /// The rating.
    pub feedback: Rating,
}

/// A rating.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rating {
    /// How good the artifacts are, 1 to 5.
    pub artifact_quality: u8,
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

impl Body {
    /// Reads what an event of a type says; none where the type is not known.
    pub(crate) fn read<'de, D: Deserializer<'de>>(event_type: &str, data: D) -> Result<Option<Self>, D::Error> {
        let body = match event_type {
            SessionCompleted::TYPE => Self::Session(Deserialize::deserialize(data)?),
            RepoScanned::TYPE => Self::Scanned(Deserialize::deserialize(data)?),
            TradingSummarized::TYPE => Self::Summarized(Deserialize::deserialize(data)?),
            ArtifactGenerated::TYPE => Self::Artifact(Deserialize::deserialize(data)?),
            StepFailed::TYPE => Self::Failed(Deserialize::deserialize(data)?),
            StepSkipped::TYPE => Self::Skipped(Deserialize::deserialize(data)?),
            SessionReady::TYPE => Self::Ready(Deserialize::deserialize(data)?),
            SessionRerunRequested::TYPE => Self::Rerun(Deserialize::deserialize(data)?),
            SessionRejected::TYPE => Self::Rejected(Deserialize::deserialize(data)?),
            PublicationQueued::TYPE => Self::Queued(Deserialize::deserialize(data)?),
            FeedbackRecorded::TYPE => Self::Feedback(Deserialize::deserialize(data)?),
            StoryExtracted::TYPE | TradesNormalized::TYPE | LessonsExtracted::TYPE | CreationExtracted::TYPE => {
                IgnoredAny::deserialize(data)?;
                Self::Completed
            }
            _ => {
                IgnoredAny::deserialize(data)?;
                return Ok(None);
            }
        };
        Ok(Some(body))
    }
}

impl Recorded {
    /// Decodes an event of the log.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::Unknown`].
    pub fn decode(position: u64, key: Key, event: &str) -> Result<Self, Error> {
        let event: Event<'_> = match serde_json::from_str(event) {
            Ok(event) => event,
            Err(source) => return Err(Error::Unreadable { position, key, source }),
        };
        let Some(body) = event.body else {
            return Err(Error::Unknown { position, key, event_type: event.event_type.0.into_owned() });
        };
        let id = event.id.unwrap_or_else(|| key.event_id());
        Ok(Self { position, key, id, time: event.time, cause: event.cause, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::catalog;

    fn decode(event: &str) -> Result<Recorded, Error> {
        Recorded::decode(1, "x/session/a1b2c3d4-e5f6-7890-abcd-ef1234567890/1".parse().expect("a key"), event)
    }

    #[test]
    fn every_event_of_the_catalog_decodes_wherever_its_data_stands() {
        for event in catalog::all().into_iter().filter(|event| event.in_log) {
            let (name, data) = (event.event_type, (event.example)());
            let first = format!(r#"{{"data":{data},"type":"{name}","time":"2025-12-02T05:20:00.25Z"}}"#);
            let last = format!(r#"{{"other":[1],"time":"2025-12-02T05:20:00.25Z","type":"{name}","data":{data}}}"#);
            let [first, last] =
                [first, last].map(|text| decode(&text).unwrap_or_else(|error| panic!("{name}: {error}")));
            assert_eq!(format!("{first:?}"), format!("{last:?}"));
            assert_eq!((first.time.timestamp_micros() % 1_000_000, first.id), (250_000, first.key.event_id()));
        }
    }

    #[test]
    fn what_does_not_read_is_no_fact() {
        let whole =
            r#"{"type":"dev.dreamos.lessons.extracted.v1","time":"2025-12-02T05:20:00Z","data":{"lessons":[]}}"#;
        assert!(decode(whole).is_ok());
        let unknown = whole.replace("lessons.extracted", "pigs.flew");
        assert!(matches!(decode(&unknown), Err(Error::Unknown { .. })));
        let ready = whole.replace("lessons.extracted", "session.ready");
        for bad in
            [&whole[..whole.len() - 3], &whole.replace("time", "tame"), &whole.replace("Z", ""), &ready, "{}", ""]
        {
            assert!(matches!(decode(bad), Err(Error::Unreadable { .. })), "{bad}");
        }
    }
}
