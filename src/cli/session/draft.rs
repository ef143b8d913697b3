//! A session file in the making: what `new` and `stop` have in common.
//!
//! Invariant: what is written has passed the intake; what does not pass is shown and not written.
#![expect(clippy::disallowed_methods, reason = "the edge: clock, random ids and the current folder")]

use super::{
    super::{Console, Context, Exit, Mistake, check_utf8},
    repository::{self, Figures},
};
use crate::{
    cli::workshop::own_context,
    files, intake,
    safety::{Cleaner, Scope},
};
use anyhow::Context as _;
use chrono::Timelike as _;
use flywheel_events::{
    AgentId, CommitRecord, Conversation, Creation, Metadata, Screenshot, SessionCompleted, SessionId, SessionType,
    SourceData, stamp::Stamp,
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a person or an agent adds.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Contents {
    /// What the session was to achieve.
    #[arg(long, value_name = "TEXT")]
    pub goal: Option<String>,

    /// Something worth telling; may be given more than once.
    #[arg(long, value_name = "TEXT")]
    pub note: Vec<String>,

    /// A picture of the work; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub screenshot: Vec<PathBuf>,

    /// Trades: a JSON list, or an object with `trades` or `fills`.
    #[arg(long, value_name = "FILE")]
    pub trades: Option<PathBuf>,
}

/// Where the file goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Output {
    /// The file to write, or a folder for it; `-` is standard output [default: <id>_<type>.json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
}

/// Everything a session file is made of.
#[derive(Debug)]
pub struct Draft {
    pub id: SessionId,
    pub kind: SessionType,
    pub agent: AgentId,
    pub since: Option<Stamp>,
    pub until: Stamp,
    pub repo: Option<PathBuf>,
    pub author: Option<String>,
    /// The head when the session began: what it reaches is not the session's.
    pub after: Option<String>,
    pub conversations: Vec<Conversation>,
    pub contents: Contents,
}

/// The file as it is written: its fields in the order of the guide.
#[derive(Serialize)]
struct WorkSession {
    #[serde(flatten)]
    session: SessionCompleted,
    artifacts: Map<String, Value>,
    pipeline_status: BTreeMap<&'static str, &'static str>,
}

/// The present in whole seconds, in this machine's offset.
pub fn now() -> Stamp {
    let now = chrono::Local::now().fixed_offset();
    now.with_nanosecond(0).unwrap_or(now)
}

/// A new session's id.
pub fn new_id() -> SessionId {
    uuid::Uuid::new_v4().into()
}

/// Writes the session file and says where.
pub fn write(draft: Draft, output: &Output, context: &Context) -> anyhow::Result<Exit> {
    let console = &context.console;
    let (id, kind) = (draft.id, draft.kind);
    let target = target(output, id, kind)?;
    let session = session(draft, target.as_deref())?;
    let file = WorkSession { artifacts: Map::new(), pipeline_status: pipeline_status(kind), session };
    let mut text = serde_json::to_string_pretty(&file).context("cannot write the session as JSON")?;
    text.push('\n');
    let name = target.as_ref().map_or_else(|| "<stdout>".to_owned(), |path| path.display().to_string());
    if let Err(report) = intake::read(&name, text.as_bytes(), Some(kind)) {
        return Ok(refuse(&report, console));
    }
    let Some(path) = target else {
        console.text(&text);
        return Ok(Exit::Done);
    };
    if output.force || holds(&path, id) {
        files::write_atomically(&path, text.as_bytes())?;
    } else {
        files::write_new(&path, text.as_bytes())?;
    }
    if console.json {
        console.document(&json!({ "path": path, "session_id": id, "session_type": kind }));
    } else {
        console.line(path.display());
    }
    Ok(Exit::Done)
}

fn refuse(report: &intake::Report, console: &Console) -> Exit {
    if console.json {
        console.document(&report.json());
    } else {
        console.note(report.render(console.interactive));
    }
    Exit::Wrong
}

/// The file to write; none for standard output.
fn target(output: &Output, id: SessionId, kind: SessionType) -> anyhow::Result<Option<PathBuf>> {
    let default = PathBuf::from(format!("{id}_{}.json", kind.as_str()));
    let path = match &output.out {
        Some(path) if path.as_os_str() == "-" => return Ok(None),
        Some(path) if path.is_dir() => path.join(default),
        Some(path) => path.clone(),
        None => default,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    check_utf8(&path, "the session file")?;
    let names_a_folder = path.to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    if names_a_folder || !folder.is_dir() {
        let folder = if names_a_folder { &path } else { folder };
        let message = format!("there is no folder {}", folder.display());
        return Err(Mistake::new(message, "make it first, or give another --out").into());
    }
    if path.symlink_metadata().is_ok() && !output.force && !holds(&path, id) {
        let message = format!("{} exists already", path.display());
        return Err(Mistake::new(message, "give another --out, or --force to replace it").into());
    }
    Ok(Some(path))
}

/// Whether a file is this very session's: a `stop` that was cut short may be repeated.
fn holds(path: &Path, id: SessionId) -> bool {
    let bytes = files::read_at_most(path, intake::document::SIZE_BYTES_MAX + 1).unwrap_or_default();
    intake::read("", &bytes, None).is_ok_and(|accepted| accepted.session.session_id == id)
}

fn session(draft: Draft, target: Option<&Path>) -> anyhow::Result<SessionCompleted> {
    let mut metadata = Metadata { git_author: draft.author.clone(), ..Metadata::default() };
    if let Some(since) = draft.since {
        metadata.duration_minutes = Some(Decimal::from(minutes(since, draft.until)?));
    }
    let mut source = SourceData::default();
    if let Some(repo) = &draft.repo {
        let (commits, figures) = collected(&draft, repo)?;
        metadata.commits = Some(commits.len() as u64);
        metadata.files_changed = Some(figures.files_changed);
        metadata.lines_added = Some(figures.lines_added);
        metadata.lines_removed = Some(figures.lines_removed);
        source.repo_path = Some(repo.display().to_string());
        source.git_commits = commits;
    }
    source.conversations = draft.conversations;
    for note in &draft.contents.note {
        source.conversations.push(note_record(note, draft.until, Vec::new()));
    }
    source.screenshots = screenshots(&draft.contents.screenshot, target)?;
    if !source.screenshots.is_empty() {
        metadata.screenshots_taken = Some(source.screenshots.len() as u64);
    }
    let creations: usize = source.conversations.iter().map(|conversation| conversation.artifacts.len()).sum();
    if creations > 0 {
        metadata.artifacts_created = Some(creations as u64);
    }
    if let Some(path) = &draft.contents.trades {
        (source.trades, source.fills) = trades(path)?;
    }
    // The file is the agent's own, and may lie anywhere: what `run` would not store does not stand in it either.
    let cleaner = Cleaner::new(own_context());
    let clean = |text: &mut String| *text = cleaner.clean_text(text, &Scope::default()).0.into_owned();
    source.conversations.iter_mut().for_each(|conversation| clean(&mut conversation.content));
    source.git_commits.iter_mut().filter_map(|commit| commit.message.as_mut()).for_each(clean);
    let mut goal = draft.contents.goal;
    goal.iter_mut().for_each(clean);
    let goal = goal.map(|goal| ("goal".to_owned(), Value::from(goal)));
    Ok(SessionCompleted {
        session_id: draft.id,
        session_type: draft.kind,
        timestamp: draft.until,
        agent_id: draft.agent,
        metadata,
        source_data: source,
        extra: goal.into_iter().collect(),
    })
}

fn collected(draft: &Draft, repo: &Path) -> anyhow::Result<(Vec<CommitRecord>, Figures)> {
    let since = draft.since.ok_or_else(|| {
        Mistake::new("--repo needs --since: without a window no commit is the session's", "add `--since 2h`")
    })?;
    repository::commits(repo, since, draft.until, draft.author.as_deref(), draft.after.as_deref())
        .with_context(|| format!("cannot read the commits of {}", repo.display()))
}

/// Whole minutes; a begun minute counts, so that the window [end − duration, end] holds the whole session.
fn minutes(since: Stamp, until: Stamp) -> anyhow::Result<i64> {
    let seconds = (until - since).num_seconds();
    if seconds < 0 {
        let message = format!("the session would end before it begins: {since} to {until}");
        return Err(Mistake::new(message, "check --since, --until and this machine's clock").into());
    }
    Ok(seconds.saturating_add(59) / 60)
}

/// A note as a conversation record.
pub fn note_record(text: &str, at: Stamp, made: Vec<Creation>) -> Conversation {
    Conversation {
        source: Some("note".to_owned()),
        content: text.to_owned(),
        timestamp: Some(Value::from(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))),
        artifacts: made,
        extra: Map::new(),
    }
}

/// A picture's own path, wherever the command runs.
pub fn screenshot_path(path: &Path) -> anyhow::Result<PathBuf> {
    let hint = "check the path, or leave the screenshot out";
    let path = path
        .canonicalize()
        .map_err(|error| Mistake::new(format!("cannot find the screenshot {}: {error}", path.display()), hint))?;
    match path.is_file() {
        true => Ok(path),
        false => Err(Mistake::new(format!("the screenshot {} is no file", path.display()), hint).into()),
    }
}

/// Pictures as the session file names them: relative to its folder where they lie under it.
fn screenshots(paths: &[PathBuf], target: Option<&Path>) -> anyhow::Result<Vec<Screenshot>> {
    let folder = match target.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => folder.canonicalize().ok(),
        None => std::env::current_dir().ok().and_then(|folder| folder.canonicalize().ok()),
    };
    let named = |path: &PathBuf| {
        let path = screenshot_path(path)?;
        let inside = folder.as_ref().and_then(|folder| path.strip_prefix(folder).ok());
        Ok(Screenshot::Path(inside.unwrap_or(&path).display().to_string()))
    };
    paths.iter().map(named).collect()
}

/// Trades and fills of a JSON file. They are judged by the trade pipeline, record by record.
fn trades(path: &Path) -> anyhow::Result<(Vec<Value>, Vec<Value>)> {
    let name = path.display();
    let bytes = files::read_at_most(path, intake::document::SIZE_BYTES_MAX + 1)
        .map_err(|error| Mistake::new(format!("cannot read the trades in {name}: {error}"), "check the path"))?;
    let document = intake::Document::parse(&bytes).map_err(|unread| {
        let report = intake::Report::new(name.to_string(), unread.source, unread.problems);
        Mistake::new(format!("cannot read the trades in {name}:\n{report}"), "mend the file; it must be JSON")
    })?;
    let mut value = document.value;
    let list = |value: &mut Value, key: &str| match value.get_mut(key).map(Value::take) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    };
    match &mut value {
        Value::Array(trades) => Ok((std::mem::take(trades), Vec::new())),
        object => match (list(object, "trades"), list(object, "fills")) {
            (None, None) => Err(Mistake::new(
                format!("there are no trades in {name}"),
                "give a JSON list, or an object with a list `trades` or `fills`",
            )
            .into()),
            (trades, fills) => Ok((trades.unwrap_or_default(), fills.unwrap_or_default())),
        },
    }
}

fn pipeline_status(kind: SessionType) -> BTreeMap<&'static str, &'static str> {
    let status = |other| if other == kind { "pending" } else { "not_applicable" };
    SessionType::ALL.into_iter().map(|other| (other.status_key(), status(other))).collect()
}
