//! `flywheel bus reconcile`.

use super::{Context, Exit, Reach, runtime, topology};
use crate::{
    bus::reconcile::{self, Reconciled, Stream},
    cli::log,
};

/// Restore a stream that was lost or emptied from the log in the data folder.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What the stream has is never replaced, and run again it changes nothing. A stream that is missing is made, in a new epoch that names what it was restored from; one that holds the beginning of this log gets the rest, at the same positions; one that holds other facts gets what it does not have under its keys, behind its own. A log that never was a replica is taken to the bus in the same way.\n\nStop the workers first: what they append meanwhile takes the positions of what is restored. Other replicas that meet the new epoch compare what they have with it, and go on where it is the same.\n\nExit codes: 0 every fact of this log is in the stream; 1 it is not.\n\nExamples:\n  flywheel bus reconcile --nats nats://localhost:4222\n  flywheel --data .flywheel/replaced/1 bus reconcile --json\n  flywheel bus reconcile --recreate"
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Make a stream anew that was purged or has lost facts in its middle. What only it has is kept and appended behind the
    /// rest.
    #[arg(long)]
    recreate: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = log::open(context)?;
    let (settings, console) = (&context.settings, context.console);
    let progress = console.progress(Some(store.head_now()?.position), "facts");
    let done = runtime()?.block_on(async {
        let bus = args.reach.connect(settings).await?;
        let at = |position| progress.set_position(position);
        let done = reconcile::reconcile(&bus, &topology(settings), &settings.data, &store, args.recreate, at).await?;
        anyhow::Ok(done)
    })?;
    progress.finish_and_clear();
    if console.json {
        console.document(&done);
    } else {
        print(&done, context);
    }
    if !done.same_positions {
        console.note(
            "the stream has other facts where this log has its own, so their positions differ: where it is a replica, `flywheel replica --rebuild` fills it anew",
        );
    }
    Ok(if done.conflicts.is_empty() { Exit::Done } else { Exit::Failed })
}

fn print(done: &Reconciled, context: &Context) {
    let stream = match done.stream {
        Stream::There => "was there",
        Stream::Made => "was made",
        Stream::MadeAnew => "was made anew",
    };
    let Reconciled { appended, carried, known, .. } = done;
    context.console.line(format_args!(
        "the stream {stream}; {appended} facts appended ({carried} that only it had), {known} were there already"
    ));
    for key in &done.conflicts {
        context.console.line(format_args!("conflict: the stream has other content under {key}, and keeps it"));
    }
}
