//! `flywheel replica`: the bus's log in the data folder, for everything that reads.

mod emit;

use super::{
    Context, Exit,
    bus::{self, Reach},
    figures::Figures,
};
use crate::{
    bus::{
        Address, reach,
        replica::{self, Filled, Progress, Until},
    },
    local::Local,
    log::{Error, Filler},
};
use emit::Sender;
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

/// Keep the bus's log in the data folder, for the commands that read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The replica is the log's file of the data folder, durable and checked: position by position, key, content digest and chain. Every command that reads (manifest, queue, metrics, watch, replay, verify, log export) reads it, with or without the bus. It stops where the bus's log has a hole, has lost facts, is another one, or holds what this program cannot read, and says what to do.\n\nIt ends on SIGTERM or Ctrl-C, with everything written that has come. Where nobody answers it waits, but for --once. Another one on the same data folder waits until it may fill.\n\nExit codes: 0 done; 1 stopped, because of the bus or the two logs.\n\nExamples:\n  flywheel replica --nats nats://localhost:4222\n  flywheel replica --once --json\n  flywheel replica --emit-metrics\n  flywheel replica --rebuild"
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Catch up to the end of the bus's log, and end.
    #[arg(long)]
    once: bool,
    /// Put the file that is here aside, into the folder `replaced`, and fill a new one. Stop what reads it first.
    #[arg(long)]
    rebuild: bool,
    /// Send `flywheel.metrics.<name>` when a metric has another value. One replica of a swarm does so; should two, the bus takes
    /// only one's.
    #[arg(long)]
    emit_metrics: bool,
    #[command(flatten)]
    figures: Figures,
}

/// How often a process that waits looks whether it may fill.
const POLL: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let settings = &context.settings;
    let address = args.reach.address(settings)?;
    // Makes the data folder, and keeps it out of git.
    Local::open(&settings.data)?;
    bus::runtime()?.block_on(async {
        args.figures.listen(context).await?;
        let mut ended = std::pin::pin!(async {
            if let Err(error) = bus::asked_to_end().await {
                tracing::error!("cannot wait for a signal: {error}");
            }
        });
        let filler = tokio::select! {
            filler = may_fill(context) => filler?,
            () = &mut ended => return Ok(Exit::Done),
        };
        let filler = if args.rebuild { set_aside(filler, context)? } else { filler };
        if !args.once {
            let waiting = |why: &Error| context.console.note(format_args!("waiting for {why}"));
            tokio::select! {
                reached = reach(&address, waiting) => drop(reached?),
                () = &mut ended => return Ok(Exit::Done),
            }
        }
        let until = if args.once { Until::Head } else { Until::Ended };
        report(&fill(&address, filler, until, args.emit_metrics, ended, context).await?, context);
        Ok(Exit::Done)
    })
}

/// Keeps a replica in the data folder until `ended` is; none where it was not this process's turn until then.
///
/// # Errors
/// When the bus's log and the replica's do not agree, or a file is in the way.
pub async fn keep(
    address: &Address,
    emit_metrics: bool,
    ended: impl Future<Output = ()>,
    context: &Context,
) -> anyhow::Result<Option<Filled>> {
    let mut ended = std::pin::pin!(ended);
    let filler = tokio::select! {
        filler = may_fill(context) => filler?,
        () = &mut ended => return Ok(None),
    };
    fill(address, filler, Until::Ended, emit_metrics, ended, context).await.map(Some)
}

async fn fill(
    address: &Address,
    filler: Filler,
    until: Until,
    emit_metrics: bool,
    ended: impl Future<Output = ()>,
    context: &Context,
) -> anyhow::Result<Filled> {
    let (progress, seen) = watch::channel(Progress::default());
    let sending = emit_metrics.then(|| Sender::new(address, context)).transpose()?;
    let sending = sending.map(|sender| tokio::spawn(sender.follow(seen.clone())));
    let bar = tokio::spawn(show(seen, context.console.progress(Some(u64::MAX), "facts")));
    let filled = replica::fill(address, &bus::topology(&context.settings), filler, until, ended, &progress).await;
    drop(progress);
    bar.await?;
    let filled = filled?;
    if let Some(sending) = sending {
        sending.await?.send().await?;
    }
    Ok(filled)
}

/// The right to fill the data folder, once nobody else has it.
async fn may_fill(context: &Context) -> anyhow::Result<Filler> {
    let mut told = false;
    loop {
        if let Some(filler) = Filler::open(&context.settings.data)? {
            return Ok(filler);
        }
        if !told {
            context.console.note("another process fills this replica; waiting until it ends");
            told = true;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn set_aside(filler: Filler, context: &Context) -> anyhow::Result<Filler> {
    let (filler, aside) = filler.set_aside(&context.settings.data)?;
    if let Some(aside) = aside {
        context.console.note(format_args!(
            "what was here is now {}; `flywheel replay` builds the read models anew when the replica is filled",
            aside.display()
        ));
    }
    Ok(filler)
}

async fn show(mut seen: watch::Receiver<Progress>, bar: indicatif::ProgressBar) {
    while seen.changed().await.is_ok() {
        let Progress { position, stream } = *seen.borrow_and_update();
        bar.set_length(stream);
        bar.set_position(position);
    }
    bar.finish_and_clear();
}

fn report(filled: &Filled, context: &Context) {
    let Filled { epoch, from, head } = filled;
    let facts = head.position - from;
    if context.console.json {
        context.console.document(
            &json!({ "epoch": epoch, "from": from, "position": head.position, "chain": head.chain, "facts": facts }),
        );
    } else {
        context.console.line(format_args!("{facts} facts; the replica ends at position {}", head.position));
    }
}
