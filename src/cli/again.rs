//! Running a session again: what `retry` and `rerun` share.
//!
//! Doing it again is a new fact, never an overwrite. A run that was interrupted is driven to its end first, so either
//! command may be given again after a crash.
#![expect(clippy::disallowed_methods, reason = "reads the session file that is updated")]

use super::{
    Context, Exit, Mistake,
    bus::Reach,
    log, parse_session,
    run::report::{self, SessionReport},
    through::{Through, on_bus, through},
    workshop::{self, own_context},
};
use crate::{
    accept,
    bus::BusLog,
    drive, intake,
    local::Local,
    log::{Appended, EmbeddedLog, Log, NewFact, Record},
    output,
    runner::{RERUN_REQUESTED, SESSION_COMPLETED, Tools},
    safety::Cleaner,
};
use flywheel_events::{ArtifactType, Key, SessionId, SessionRerunRequested, SessionType, Step};
use flywheel_projections::{Session, SessionView};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What both commands take.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The session's id.
    #[arg(value_name = "SESSION", value_parser = parse_session)]
    session: SessionId,
    /// Leave the session file as it is.
    #[arg(long)]
    no_update: bool,
    /// Repositories under these folders may be scanned [env: FLYWHEEL_REPO_ROOTS] [default: the current folder and
    /// below]
    #[arg(long, value_name = "DIR")]
    repo_root: Vec<PathBuf>,
    /// A folder with templates that replace the built-in ones of the same name [env: FLYWHEEL_TEMPLATES]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// A session that is in the log.
struct Known {
    id: SessionId,
    session_type: SessionType,
    entry: Record,
}

/// Which steps are to be repeated; none where there is nothing to repeat, an empty list for all of them.
pub type Choice<'a> = dyn Fn(SessionType, &SessionView) -> Result<Option<Vec<Step>>, Mistake> + 'a;

/// Asks for another run, drives it to its end, writes the files and reports.
pub fn run(command: &'static str, options: &Options, choice: &Choice<'_>, context: &Context) -> anyhow::Result<Exit> {
    if through(&options.reach, context)? == Through::Bus {
        return on_bus(&options.reach, context, async |log| ask(command, options, choice, log, context).await);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run_async(command, options, choice, context))
}

async fn run_async(
    command: &'static str,
    options: &Options,
    choice: &Choice<'_>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let templates = workshop::templates(options.templates.as_deref(), &context.settings)?;
    let default_out = workshop::out_folder(None, &context.settings)?;
    let (log, local) = log::open_both(context)?;
    let known = known(&log, options.session).await?;
    let cleaner = Cleaner::new(own_context());
    let blobs = workshop::blobs(&options.reach, &context.settings)?;
    let tools = workshop::tools(templates, cleaner.clone(), &local, blobs, &options.repo_root, context)?;

    let file = local.session_file(known.id)?;
    let mut report = SessionReport::of(file.as_deref(), known.id, known.session_type, vec![]);
    let begun = begin(command, &known, choice, &log, &mut report).await?;
    if let Some((run, after)) = begun {
        drive_one(&log, tools, known.id, run, after, context).await?;
    }
    let run = drive::newest_run(&log, known.id).await?;
    report.run = Some(run);
    let (view, remarks) = drive::view(&log, known.id, known.session_type, run).await?;
    report.fill(&view, begun.is_none(), remarks);

    let places = places(&local, known.id, &default_out)?;
    // The session file names one place: where artifacts go by default, if they are there.
    let main = places.iter().position(|place| *place == default_out).unwrap_or(0);
    let mut unwritten = HashSet::new();
    for (at, place) in places.iter().enumerate() {
        let missed = report.write(&view, place, begun.is_none());
        if at == main {
            unwritten = missed;
        }
    }
    if let Some(file) = file.filter(|_| !options.no_update) {
        update(&file, &known, &view, &places[main], &unwritten, &cleaner, &mut report);
    }
    report.settle();
    report::print(std::slice::from_ref(&report), context.console);
    Ok(report.status.exit())
}

/// Asks the swarm for another run: its workers drive it.
async fn ask(
    command: &'static str,
    options: &Options,
    choice: &Choice<'_>,
    log: &BusLog,
    context: &Context,
) -> anyhow::Result<Exit> {
    let known = known(log, options.session).await?;
    let run = drive::newest_run(log, known.id).await?;
    let (status, run) = if !drive::has_ended(log, known.id, known.session_type, run).await? {
        ("running", run)
    } else {
        let (view, _) = drive::view(log, known.id, known.session_type, run).await?;
        match choice(known.session_type, &view)? {
            None => ("nothing has failed", run),
            Some(steps) => {
                request(command, &known, run + 1, &steps, log).await?;
                ("requested", run + 1)
            }
        }
    };
    if context.console.json {
        context.console.document(&json!({ "session_id": known.id, "run": run, "status": status }));
    } else {
        context.console.line(format_args!("{status:<10} run {run} of {}", known.id));
    }
    Ok(Exit::Done)
}

async fn known<L: Log>(log: &L, id: SessionId) -> anyhow::Result<Known> {
    let Some(entry) = log.get(&Key::session(SESSION_COMPLETED, id, 1)).await? else {
        return Err(unknown(id).into());
    };
    let (_, session): (_, Session) = entry.data()?;
    Ok(Known { id, session_type: session.session_type, entry })
}

/// There is no such session.
pub fn unknown(id: SessionId) -> Mistake {
    let hint = "name the data folder that has it with --data, or run its file with `flywheel run FILE`";
    Mistake::new(format!("the log has no session {id}"), hint)
}

/// The run that is to be driven, and the position behind which its facts are; nothing where nothing is to be done.
async fn begin(
    command: &'static str,
    known: &Known,
    choice: &Choice<'_>,
    log: &EmbeddedLog,
    report: &mut SessionReport,
) -> anyhow::Result<Option<(u32, u64)>> {
    let run = drive::newest_run(log, known.id).await?;
    if !drive::has_ended(log, known.id, known.session_type, run).await? {
        report.warn(format!("run {run} had not ended: it was driven to its end, and no other was begun"));
        let request = log.get(&Key::session(RERUN_REQUESTED, known.id, run)).await?;
        return Ok(Some((run, request.map_or(known.entry.position, |record| record.position) - 1)));
    }
    let (view, _) = drive::view(log, known.id, known.session_type, run).await?;
    let Some(steps) = choice(known.session_type, &view)? else {
        report.warn(format!("nothing has failed, so nothing was repeated; `flywheel rerun {}` repeats all", known.id));
        return Ok(None);
    };
    let run = run + 1;
    let outcome = request(command, known, run, &steps, log).await?;
    if let Appended::Conflict(position) = outcome {
        report.warn(format!("run {run} was asked for by someone else at the same time, at position {position}"));
    }
    Ok(Some((run, outcome.position() - 1)))
}

async fn request<L: Log>(
    command: &'static str,
    known: &Known,
    run: u32,
    steps: &[Step],
    log: &L,
) -> anyhow::Result<Appended> {
    let request = SessionRerunRequested {
        session_id: known.id,
        run,
        steps: steps.iter().map(Step::to_string).collect(),
        reason: None,
    };
    let key = Key::session(RERUN_REQUESTED, known.id, run);
    let fact = NewFact::new(key, format!("/flywheel/{command}"), &request).about(known.id);
    Ok(log.append(vec![fact]).await?[0])
}

async fn drive_one(
    log: &EmbeddedLog,
    tools: Tools,
    id: SessionId,
    run: u32,
    after: u64,
    context: &Context,
) -> anyhow::Result<()> {
    let progress = context.console.progress(None, "running");
    drive::drive(log, &Arc::new(tools), HashMap::from([(id, run)]), after, |_| ()).await?;
    drive::forget_ended(log).await?;
    progress.finish_and_clear();
    Ok(())
}

/// Every place the session's artifacts were written to; the default one where nobody remembers any.
fn places(local: &Local, id: SessionId, default_out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let places: Vec<PathBuf> = local.places(Some(id))?.into_iter().map(|(_, folder)| folder).collect();
    if !places.is_empty() {
        return Ok(places);
    }
    local.remember_place(id, default_out)?;
    Ok(vec![default_out.to_owned()])
}

/// Updates the session file, where it still is what was recorded.
fn update(
    file: &Path,
    known: &Known,
    view: &SessionView,
    out: &Path,
    unwritten: &HashSet<ArtifactType>,
    cleaner: &Cleaner,
    report: &mut SessionReport,
) {
    let name = file.display().to_string();
    let Ok(bytes) = std::fs::read(file) else {
        return report.warn(format!("the session file {name} is no longer there, so it was not updated"));
    };
    let accepted = intake::session::read(&name, &bytes, None).ok();
    let same = accepted.filter(|accepted| accept::fact(accepted, cleaner).0.digest == known.entry.digest);
    let Some(accepted) = same else {
        return report.warn(format!("{name} is no longer the session that was recorded, so it was not updated"));
    };
    let (artifacts, status) = output::entries(view, known.session_type, out, unwritten);
    if let Err(error) = output::update_session_file(file, &accepted.document, &artifacts, &status) {
        report.not_updated(&error);
    }
}
