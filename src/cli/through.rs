//! Where a command appends: into the file of the data folder, or through the bus into everybody's.

use super::{
    Context, Mistake,
    bus::{Reach, runtime, topology},
    log,
};
use crate::bus::BusLog;

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The file of the data folder.
    File,
    /// The bus.
    Bus,
}

/// Through what a command appends: the bus where it was named with the command, or where the data folder has no log of its own
/// and the settings name a bus.
///
/// # Errors
/// The data folder is a replica and no bus is named, or its log cannot be opened.
pub fn through(reach: &Reach, context: &Context) -> anyhow::Result<Through> {
    if reach.nats.is_some() {
        return Ok(Through::Bus);
    }
    match (is_replica(context)?, &context.settings.nats_url) {
        (Some(true) | None, Some(_)) => Ok(Through::Bus),
        (Some(false) | None, _) => Ok(Through::File),
        (Some(true), None) => {
            let hint = "name the bus with --nats or `nats_url` in flywheel.toml, or another data folder with --data";
            Err(Mistake::new(is_a_replica(context), hint).into())
        }
    }
}

/// Refuses a data folder that is a replica, where a command works on its own log alone.
///
/// # Errors
/// It is one, or its log cannot be opened.
pub fn refuse_replica(context: &Context) -> anyhow::Result<()> {
    if is_replica(context)? == Some(true) {
        let hint = "publish the session to `swarm.session.completed.<agent>` of the bus, or name another data folder with --data";
        return Err(Mistake::new(is_a_replica(context), hint).into());
    }
    Ok(())
}

/// Whether the log of the data folder is a replica; nothing where there is none.
fn is_replica(context: &Context) -> anyhow::Result<Option<bool>> {
    if !context.settings.data.join("log.db").exists() {
        return Ok(None);
    }
    Ok(Some(log::open(context)?.replica_of()?.is_some()))
}

fn is_a_replica(context: &Context) -> String {
    format!("{} is a replica of the bus's log, where nothing is appended", context.settings.data.display())
}

/// Works on the bus's log.
///
/// # Errors
/// When the bus cannot be reached, or the work fails.
pub fn on_bus<T>(
    reach: &Reach,
    context: &Context,
    work: impl AsyncFnOnce(&BusLog) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    runtime()?.block_on(async {
        let log = BusLog::open(reach.connect(&context.settings).await?, topology(&context.settings)).await?;
        let done = work(&log).await?;
        log.close().await;
        Ok(done)
    })
}
