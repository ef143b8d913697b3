//! `failures`: what failed or was refused, why, and what to do.

use crate::{Body, Error, Recorded, View};
use rusqlite::{Transaction, params};

pub(crate) const VIEW: View = View {
    name: "failures",
    version: 1,
    about: "What failed or was refused, why, and what to do.",
    schema: include_str!("failures.sql"),
    fold,
};

fn fold(transaction: &Transaction<'_>, facts: &[Recorded]) -> Result<(), Error> {
    let mut failure =
        transaction.prepare_cached("INSERT OR IGNORE INTO failures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for fact in facts {
        let time = fact.time.timestamp_micros();
        match &fact.body {
            Body::Failed(it) => failure.execute(params![
                fact.position,
                it.session_id.as_bytes(),
                it.step,
                fact.key.run,
                it.class.as_str(),
                it.message,
                it.hint,
                it.attempts,
                time,
            ])?,
            Body::Rejected(it) => {
                let message = it.reasons.join("; ");
                let hint = "correct the message and publish it again";
                failure.execute(params![
                    fact.position,
                    None::<&[u8]>,
                    "intake",
                    1,
                    "rejected",
                    message,
                    hint,
                    1,
                    time
                ])?
            }
            _ => continue,
        };
    }
    Ok(())
}
