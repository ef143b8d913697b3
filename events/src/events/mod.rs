//! One file per event: its data, its doc comment and one example. The table is in [`catalog`](crate::catalog).

mod artifact_generated;
mod creation_extracted;
mod feedback_recorded;
mod lessons_extracted;
mod metric_changed;
mod publication_queued;
mod repo_scanned;
mod session_completed;
mod session_ready;
mod session_rejected;
mod session_rerun_requested;
mod step_failed;
mod step_skipped;
mod story_extracted;
mod trades_normalized;
mod trading_summarized;

pub use artifact_generated::{ArtifactGenerated, ArtifactType};
pub use creation_extracted::{Claim, Created, CreationExtracted};
pub use feedback_recorded::{FeedbackRecorded, Quality};
pub use lessons_extracted::{Lesson, LessonsExtracted, TripRef};
pub use metric_changed::{MetricChanged, MetricValue};
pub use publication_queued::{PublicationQueued, Target};
pub use repo_scanned::{
    Commit, FiguresFrom, FileChange, LicenseFile, ManifestCommand, ProjectManifest, RepoScanned, RepoStats, SquashItem,
    Structure, TextFile,
};
pub use session_completed::{
    CommitRecord, Conversation, Creation, Metadata, Screenshot, SessionCompleted, SessionType, SourceData,
};
pub use session_ready::{ArtifactRef, Outcome, SessionReady, StepFailure, StepSkip};
pub use session_rejected::SessionRejected;
pub use session_rerun_requested::SessionRerunRequested;
pub use step_failed::{FailureClass, StepFailed};
pub use step_skipped::StepSkipped;
pub use story_extracted::{Evidence, Statement, StoryExtracted};
pub use trades_normalized::{Fill, FillKind, ImportNote, Leg, NoteKind, RecordClaim, Side, TradesNormalized};
pub use trading_summarized::{
    ClaimMismatch, Daily, Direction, Equity, LotMatch, OpenLot, RoundTrip, Summary, TradingSummarized,
};
