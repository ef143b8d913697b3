//! `flywheel watch`: the log as it grows, for people.

use super::{Context, Exit, Mistake, log};
use crate::{
    intake::report::plain,
    log::{Error, Log as _, Record},
};
use flywheel_events::{
    ArtifactGenerated, Fact as _, FeedbackRecorded, Kind, Outcome, PublicationQueued, SessionCompleted, SessionReady,
    SessionRejected, SessionRerunRequested, StepFailed, StepSkipped, envelope::Envelope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::io::IsTerminal as _;

/// From where.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One line a fact: time, session, step, outcome, and what was made or why not. It ends when its reader goes away, or with Ctrl-C.\n\nExamples:\n  flywheel watch\n  flywheel watch --from 1\n  flywheel watch --json | jq 'select(.outcome == \"failed\")'"
)]
pub struct Args {
    /// Begin with the fact at this position, or with those that come.
    #[arg(long, value_name = "POSITION|now", default_value = "now")]
    from: String,
}

/// Most facts read at once.
const READ_MAX: usize = 256;

/// A fact in short.
#[derive(Debug, Serialize)]
struct Short<'a> {
    position: u64,
    time: Option<String>,
    session_id: Option<String>,
    step: &'a str,
    run: u32,
    outcome: Word,
    what: String,
    key: String,
}

/// How a fact stands to its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Accepted,
    Completed,
    Ready,
    Partial,
    Failed,
    Skipped,
    Queued,
    Requested,
    Rejected,
    Recorded,
    Unreadable,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let after = match args.from.as_str() {
        "now" => log.head_now()?.position,
        text => match text.parse::<i64>() {
            Ok(position) if position >= 0 => position.unsigned_abs().saturating_sub(1),
            _ => {
                let message = format!("--from: `{text}` is no position");
                return Err(Mistake::new(message, "give a position as `flywheel log tail` prints it, or `now`").into());
            }
        },
    };
    let console = context.console;
    let coloured = std::io::stdout().is_terminal();
    log::wait(async {
        let mut after = after;
        loop {
            let records = log.read(after, READ_MAX).await?;
            for record in &records {
                let short = short(record);
                if console.json { console.json_line(&short) } else { console.line(line(&short, coloured)) }
            }
            // Nobody reads any more.
            if console.lost().is_some() {
                return Ok::<_, Error>(());
            }
            match records.last() {
                Some(last) => after = last.position,
                None => tokio::select! {
                    grown = log.grown(after) => grown?,
                    () = reader_gone() => return Ok(()),
                },
            }
        }
    })??;
    Ok(Exit::Done)
}

/// Waits until nobody reads standard output any more: while nothing is written, no write says so.
async fn reader_gone() {
    /// How often it is looked at.
    const POLL: std::time::Duration = std::time::Duration::from_millis(250);
    loop {
        tokio::time::sleep(POLL).await;
        if is_reader_gone() {
            return;
        }
    }
}

#[cfg(unix)]
fn is_reader_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    let mut streams = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut streams, Some(&at_once)).is_ok_and(|ready| ready > 0)
        && streams[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(not(unix))]
fn is_reader_gone() -> bool {
    false
}

fn short(record: &Record) -> Short<'_> {
    let key = &record.key;
    let envelope = Envelope::parse(record.event.as_bytes());
    let (outcome, what, session) = match &envelope {
        Ok(envelope) => envelope.data().map_or((Word::Unreadable, "no data".to_owned(), None), |data| {
            says(envelope.event_type(), data).unwrap_or_else(|error| (Word::Unreadable, error.to_string(), None))
        }),
        Err(error) => (Word::Unreadable, error.to_string(), None),
    };
    let session = if key.kind == Kind::Session { Some(key.id.to_string()) } else { session };
    let time = envelope.ok().and_then(|envelope| envelope.time());
    Short {
        position: record.position,
        time: time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        session_id: session,
        step: key.step.as_str(),
        run: key.run,
        outcome,
        what,
        key: key.to_string(),
    }
}

type Says = (Word, String, Option<String>);

/// What a fact says: how it stands to its step, in short what it is, and its session where its key does not name it.
fn says(event_type: &str, data: &RawValue) -> Result<Says, serde_json::Error> {
    fn read<T: DeserializeOwned>(data: &RawValue) -> Result<T, serde_json::Error> {
        serde_json::from_str(data.get())
    }
    let said = match event_type {
        SessionCompleted::TYPE => {
            let it: SessionCompleted = read(data)?;
            (Word::Accepted, format!("{} of {}", it.session_type.as_str(), it.agent_id), None)
        }
        ArtifactGenerated::TYPE => {
            let it: ArtifactGenerated = read(data)?;
            (Word::Completed, format!("{} ({} bytes)", it.path, it.size), it.session_id.map(|id| id.to_string()))
        }
        StepFailed::TYPE => (Word::Failed, read::<StepFailed>(data)?.message, None),
        StepSkipped::TYPE => (Word::Skipped, read::<StepSkipped>(data)?.reason, None),
        SessionReady::TYPE => {
            let it: SessionReady = read(data)?;
            let word = match it.outcome {
                Outcome::Ready => Word::Ready,
                Outcome::Partial => Word::Partial,
                Outcome::Failed => Word::Failed,
            };
            let (made, failed, skipped) = (it.artifacts.len(), it.failures.len(), it.skipped.len());
            (word, format!("{made} made, {failed} failed, {skipped} with nothing to do"), None)
        }
        PublicationQueued::TYPE => {
            let it: PublicationQueued = read(data)?;
            let what = format!("{} for {} as {}", it.artifact_type.as_str(), it.target.as_str(), it.account);
            (Word::Queued, what, it.session_id.map(|id| id.to_string()))
        }
        SessionRerunRequested::TYPE => {
            let it: SessionRerunRequested = read(data)?;
            let steps = if it.steps.is_empty() { "every step".to_owned() } else { it.steps.join(", ") };
            (Word::Requested, format!("run {} of {steps}", it.run), None)
        }
        SessionRejected::TYPE => (Word::Rejected, read::<SessionRejected>(data)?.reasons.join("; "), None),
        FeedbackRecorded::TYPE => (Word::Recorded, String::new(), None),
        _ => (Word::Completed, String::new(), None),
    };
    Ok(said)
}

fn line(short: &Short<'_>, coloured: bool) -> String {
    let time = short.time.as_deref().map_or("", |time| time.get(..19).unwrap_or(time)).replace('T', " ");
    let session = short.session_id.as_deref().map_or("-", |id| id.get(..8).unwrap_or(id));
    let (word, colour) = match short.outcome {
        Word::Accepted => ("accepted", "36"),
        Word::Completed => ("completed", "32"),
        Word::Ready => ("ready", "1;32"),
        Word::Partial => ("partial", "33"),
        Word::Failed => ("failed", "31"),
        Word::Skipped => ("skipped", "2"),
        Word::Queued => ("queued", "34"),
        Word::Requested => ("requested", "36"),
        Word::Rejected => ("rejected", "31"),
        Word::Recorded => ("recorded", "36"),
        Word::Unreadable => ("unreadable", "1;31"),
    };
    let word = format!("{word:<10}");
    let word = if coloured { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word };
    let run =
        if short.run > 1 && short.step != "publication-queued" { format!(" run {}", short.run) } else { String::new() };
    // What was made or said is not ours: one line, without control codes.
    let what = plain(&short.what.replace('\n', " "));
    format!("{time}  {session:<8}  {:<22}  {word}  {what}{run}", short.step).trim_end().to_owned()
}
