//! Facts read one by one, without a delivery, where deliveries end connections.

use super::{check::check_stored, look};
use crate::{
    bus::{Address, Topology, connect, failed, stored, topology::LOG},
    log::{Error, Filler},
};
use futures::StreamExt as _;
use serde_json::json;

/// Most facts in a row: as many may lie before the one that is to blame, and with the next try come the next.
const FACTS_MAX: u64 = 4096;

/// Most messages asked for at once.
const READS_AT_ONCE: usize = 64;

/// Takes what comes next, up to `target` where there is one.
///
/// # Errors
/// [`Error::Foreign`] for what is no fact, when what lies before it has been taken; [`Error::Bus`] where the bus does not answer.
pub(super) async fn take(
    address: &Address,
    topology: &Topology,
    filler: &mut Filler,
    target: Option<u64>,
) -> Result<(), Error> {
    let bus = connect(address).await?;
    let head = filler.head()?.position;
    let (epoch, last) = look(&bus, topology, head).await?;
    if head > 0 && filler.epoch()?.as_ref() != Some(&epoch) {
        // All of another stream is to be compared first.
        return Ok(());
    }
    let last = last.min(head + FACTS_MAX).min(target.unwrap_or(u64::MAX));
    let reads = futures::stream::iter(head.max(1)..=last).map(async |position| {
        let found = stored::get(&bus, LOG, &json!({ "seq": position })).await?;
        found.ok_or_else(|| failed("read the log", format!("position {position} is not there")))
    });
    let (mut facts, mut outcome) = (vec![], Ok(()));
    let mut reads = std::pin::pin!(reads.buffered(READS_AT_ONCE));
    while outcome.is_ok()
        && let Some(read) = reads.next().await
    {
        outcome = read.and_then(|stored| check_stored(&stored)).map(|fact| facts.push(fact));
    }
    filler.take(&epoch, facts.into_iter())?;
    outcome
}
