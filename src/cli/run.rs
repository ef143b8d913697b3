//! `flywheel run`: the main job.

pub(super) mod report;

pub(super) use super::workshop::own_context;

use super::{Context, Exit, Mistake, bus::Reach, through::refuse_replica, workshop};
use crate::{
    accept, drive, files,
    intake::{
        document::SIZE_BYTES_MAX,
        report::Report,
        session::{self as intake, Accepted},
    },
    local::Local,
    log::{Appended, EmbeddedLog, Log as _, NewFact},
    output, parallel,
    runner::Tools,
    safety::{Cleaner, Finding},
};
use flywheel_events::{SessionType, envelope::EVENT_BYTES_MAX};
use report::SessionReport;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Which files, and where to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each file stands alone. The same session again is a duplicate: missing files are written again, nothing else happens.\n\nExit codes: 0 ready or duplicate, 1 partial, failed or conflict, 2 rejected.\n\nExamples:\n  flywheel run session.json\n  flywheel run sessions/*.json --out public --json\n  flywheel run session.json --repo-root ~/code --pipeline build"
)]
pub struct Args {
    /// Session files (work_session.json).
    #[arg(required_unless_present = "repo_root", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write artifacts to DIR/<session_id>/<file> [env: FLYWHEEL_OUT] [default: `artifacts` inside the data folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Refuse sessions of another type than this: build, trade or life_aria.
    #[arg(long, value_name = "P", value_parser = parse_pipeline)]
    pipeline: Option<SessionType>,
    /// Leave the session files as they are.
    #[arg(long)]
    no_update: bool,
    /// Repositories under these folders may be scanned [env: FLYWHEEL_REPO_ROOTS] [default: the current folder and
    /// below]. Session files may follow the folders.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    repo_root: Vec<PathBuf>,
    /// A folder with templates that replace the built-in ones of the same name [env: FLYWHEEL_TEMPLATES]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

impl Args {
    /// The session files and the roots, told apart: people write `--repo-root DIR… FILE`, where the option would take
    /// the file for one more folder.
    fn files_and_roots(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let is_session = |path: &&PathBuf| {
            !path.is_dir() && (path.exists() || path.extension().is_some_and(|extension| extension == "json"))
        };
        let (mut files, roots): (Vec<_>, Vec<_>) = self.repo_root.iter().partition(is_session);
        files.extend(&self.files);
        (files.into_iter().cloned().collect(), roots.into_iter().cloned().collect())
    }
}

/// One of the pipelines.
pub fn parse_pipeline(text: &str) -> Result<SessionType, String> {
    let found = SessionType::ALL.into_iter().find(|pipeline| pipeline.as_str() == text.replace('-', "_"));
    found.ok_or_else(|| "expected build, trade or life_aria".to_owned())
}

/// A file on its way through.
struct Job {
    file: PathBuf,
    read: Result<Accepted, Box<Report>>,
    /// The cleaned fact of what was read, until it is appended.
    fact: Option<NewFact>,
    /// The id a refused file gives itself, right or wrong.
    claimed_id: Option<String>,
    appended: Option<Appended>,
    /// Its session had ended, or stands in another file of this call.
    ended_before: bool,
    warnings: Vec<String>,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    // The steps of one session wait for each other: more threads would only wake each other.
    let mut runtime = match args.files.len() {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(run_all(args, context))
}

async fn run_all(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let settings = &context.settings;
    let templates = workshop::templates(args.templates.as_deref(), settings)?;
    let out = workshop::out_folder(args.out.as_deref(), settings)?;
    let (files, roots) = args.files_and_roots();
    if files.is_empty() {
        let message = "no session file is given, only folders for --repo-root";
        return Err(Mistake::new(message, "name the session files: `flywheel run FILE… --repo-root DIR…`").into());
    }
    let cleaner = Cleaner::new(own_context());
    let mut jobs: Vec<Job> = parallel::each(&files, |file| read(file, args.pipeline, &cleaner));
    // A call that has nothing but refused files leaves no trace.
    if jobs.iter().any(|job| job.read.is_ok()) {
        refuse_replica(context)?;
        let (log, local) = super::log::open_with_local(context)?;
        let after = log.head().await?;
        accept_all(&mut jobs, &log, &local).await?;
        let blobs = workshop::blobs(&Reach::default(), settings)?;
        let tools = workshop::tools(templates, cleaner, &local, blobs, &roots, context)?;
        drive_all(&jobs, &log, Arc::new(tools), after, context).await?;
        drive::forget_ended(&log).await?;
        return finish(jobs, Some((&log, &local)), &out, &args, context).await;
    }
    finish(jobs, None, &out, &args, context).await
}

fn read(file: &Path, pipeline: Option<SessionType>, cleaner: &Cleaner) -> Job {
    let name = file.display().to_string();
    let mut cleaned = None;
    let (read, claimed_id) = match files::read_at_most(file, SIZE_BYTES_MAX + 1) {
        Ok(bytes) => {
            let read = intake::read(&name, &bytes, pipeline).and_then(|accepted| {
                cleaned = Some(clean(&name, &accepted, cleaner)?);
                Ok(accepted)
            });
            let claimed = || {
                serde_json::from_slice::<serde_json::Value>(&bytes).ok()?.get("session_id")?.as_str().map(str::to_owned)
            };
            let claimed_id = if read.is_err() { claimed() } else { None };
            (read, claimed_id)
        }
        Err(error) => (Err(Box::new(super::session::unreadable(&name, &error))), None),
    };
    let mut warnings: Vec<String> =
        read.as_ref().map_or(vec![], |accepted| accepted.warnings.iter().map(report::warning).collect());
    let fact = cleaned.map(|(fact, findings)| {
        warnings.extend(accept::describe(&findings));
        fact
    });
    Job { file: file.to_owned(), read, fact, claimed_id, appended: None, ended_before: false, warnings }
}

/// The fact of a session. One that grew too large by what replaces the removed parts is refused like any other, so
/// that it spares the files beside it.
fn clean(name: &str, accepted: &Accepted, cleaner: &Cleaner) -> Result<(NewFact, Vec<Finding>), Box<Report>> {
    let (fact, findings) = accept::fact(accepted, cleaner);
    match fact.check_size(EVENT_BYTES_MAX) {
        Ok(()) => Ok((fact, findings)),
        Err(error) => {
            let message = format!("too large once secrets and personal data are replaced: {error}");
            let hint = "remove them from the file yourself, or split the session into shorter ones";
            Err(Box::new(Report::unreadable(name, "too_large", &message, hint)))
        }
    }
}

/// Appends every session that was read, in the order of the files.
async fn accept_all(jobs: &mut [Job], log: &EmbeddedLog, local: &Local) -> anyhow::Result<()> {
    let mut facts = vec![];
    for job in jobs.iter_mut() {
        let Ok(accepted) = &job.read else { continue };
        // Before the fact, so that no stage can look for it too early; a session that is known keeps its own until its
        // fact has proved to be the same.
        let origin = accept::origin(accepted, folder_of(&job.file)?);
        local.remember_origin(accepted.session.session_id, Some(&job.file), &origin, true)?;
        facts.extend(job.fact.take());
    }
    let mut outcomes = log.append(facts).await?.into_iter();
    let mut here = HashSet::new();
    for job in jobs.iter_mut() {
        let Ok(accepted) = &job.read else { continue };
        let (id, session_type) = (accepted.session.session_id, accepted.session.session_type);
        let outcome = outcomes.next().expect("one outcome a fact");
        job.appended = Some(outcome);
        if !matches!(outcome, Appended::Conflict(_)) {
            let origin = accept::origin(accepted, folder_of(&job.file)?);
            local.remember_origin(id, Some(&job.file), &origin, false)?;
        }
        if let Appended::Duplicate(_) = outcome {
            let run = drive::newest_run(log, id).await?;
            job.ended_before = here.contains(&id) || drive::has_ended(log, id, session_type, run).await?;
        }
        here.insert(id);
    }
    Ok(())
}

async fn drive_all(
    jobs: &[Job],
    log: &EmbeddedLog,
    tools: Arc<Tools>,
    head: u64,
    context: &Context,
) -> anyhow::Result<()> {
    let (mut open, mut first) = (HashMap::new(), head + 1);
    for job in jobs.iter().filter(|job| !job.ended_before) {
        if let (Ok(accepted), Some(Appended::Appended(position) | Appended::Duplicate(position))) =
            (&job.read, job.appended)
        {
            open.insert(accepted.session.session_id, drive::newest_run(log, accepted.session.session_id).await?);
            first = first.min(position);
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let progress = context.console.progress(Some(open.len() as u64), "sessions");
    drive::drive(log, &tools, open, first - 1, |_| progress.inc(1)).await?;
    progress.finish_and_clear();
    Ok(())
}

/// Writes the files, updates the session files, and reports.
async fn finish(
    jobs: Vec<Job>,
    open: Option<(&EmbeddedLog, &Local)>,
    out: &Path,
    args: &Args,
    context: &Context,
) -> anyhow::Result<Exit> {
    let mut reports = Vec::with_capacity(jobs.len());
    for job in jobs {
        let report = match (&job.read, job.appended, open) {
            (Ok(accepted), Some(outcome), Some((log, local))) => {
                finish_one(&job, accepted, outcome, log, local, out, args).await?
            }
            (Err(refused), ..) => SessionReport::rejected(&job.file, job.claimed_id.clone(), refused),
            _ => unreachable!("what was read was appended to an open log"),
        };
        reports.push(report);
    }
    report::print(&reports, context.console);
    Ok(reports.iter().map(|report| report.status.exit()).max().unwrap_or(Exit::Done))
}

async fn finish_one(
    job: &Job,
    accepted: &Accepted,
    outcome: Appended,
    log: &EmbeddedLog,
    local: &Local,
    out: &Path,
    args: &Args,
) -> anyhow::Result<SessionReport> {
    let (id, session_type) = (accepted.session.session_id, accepted.session.session_type);
    let mut report = SessionReport::of(Some(&job.file), id, session_type, job.warnings.clone());
    if let Appended::Conflict(position) = outcome {
        report.conflict(position);
        return Ok(report);
    }
    let run = drive::newest_run(log, id).await?;
    let (view, remarks) = drive::view(log, id, session_type, run).await?;
    report.fill(&view, job.ended_before, remarks);
    local.remember_place(id, out)?;
    let unwritten = report.write(&view, out, job.ended_before);
    if !args.no_update {
        let (artifacts, status) = output::entries(&view, session_type, out, &unwritten);
        if let Err(error) = output::update_session_file(&job.file, &accepted.document, &artifacts, &status) {
            report.not_updated(&error);
        }
    }
    report.settle();
    Ok(report)
}

fn folder_of(file: &Path) -> anyhow::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    Ok(file.parent().unwrap_or(Path::new("/")).to_owned())
}
