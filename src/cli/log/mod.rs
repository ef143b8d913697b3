//! `flywheel log`: the event log as lines.

mod export;
mod import;
mod show;
mod tail;

use super::{Context, Exit, Mistake};
use crate::{
    local::Local,
    log::{EmbeddedLog, Record},
};
use flywheel_events::envelope::Envelope;
use std::future::Future;

/// `log` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  flywheel log tail --follow\n  flywheel log export > log.ndjson")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the log as newline-delimited JSON, one fact a line.
    Export(export::Args),
    /// Append the facts of an export.
    Import(import::Args),
    /// Print the last facts, and those that come.
    Tail(tail::Args),
    /// Print the facts of a session, or one fact.
    Show(show::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Export(args) => export::run(&args, context),
        Command::Import(args) => import::run(&args, context),
        Command::Tail(args) => tail::run(&args, context),
        Command::Show(args) => show::run(&args, context),
    }
}

/// Opens the log of the data folder, which must be there already.
pub fn open(context: &Context) -> anyhow::Result<EmbeddedLog> {
    open_there(context).map(|(log, _)| log)
}

/// Opens the log of the data folder, which must be there already, and this machine's own state.
pub fn open_there(context: &Context) -> anyhow::Result<(EmbeddedLog, Local)> {
    let data = &context.settings.data;
    if !data.join("log.db").exists() {
        let hint = "name the data folder with --data, or make a log with `flywheel run`";
        return Err(Mistake::new(format!("there is no log in {}", data.display()), hint).into());
    }
    open_with_local(context)
}

/// Opens the log of the data folder, or makes it.
pub fn open_or_make(context: &Context) -> anyhow::Result<EmbeddedLog> {
    open_with_local(context).map(|(log, _)| log)
}

/// Opens the log of the data folder and this machine's own state, or makes them.
pub fn open_with_local(context: &Context) -> anyhow::Result<(EmbeddedLog, Local)> {
    let data = &context.settings.data;
    if data.exists() && !data.is_dir() {
        let hint = "name a folder with --data, FLYWHEEL_DATA or `data` in flywheel.toml";
        return Err(Mistake::new(format!("the data folder {} is no folder", data.display()), hint).into());
    }
    let local = Local::open(data)?;
    let log = EmbeddedLog::open(data, &local)?;
    Ok((log, local))
}

/// Waits for an answer of the log on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(future))
}

/// A fact as one readable line.
fn readable(record: &Record) -> String {
    let envelope = Envelope::parse(record.event.as_bytes());
    let (time, name) = match &envelope {
        Ok(envelope) => (
            envelope.time().map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default(),
            envelope.event_type().trim_start_matches("dev.dreamos.").to_owned(),
        ),
        Err(error) => (String::new(), format!("unreadable: {error}")),
    };
    format!("{:>7}  {time}  {:<28} {}", record.position, name, record.key)
}
