//! A read model that is kept up while the log grows.

use crate::{
    Scale, fresh,
    made::{self, Facts, Size},
    report::{Limit, figure, ms, timed},
    views::FACTS,
    workshop::Workshop,
};
use flywheel::views::{self, Until};
use std::time::Duration;

/// Facts by which the log grows between two questions, and how often.
const ROUNDS: [(usize, u32); 2] = [(1_000, 20), (20, 100)];

pub fn bench(scale: Scale) -> anyhow::Result<()> {
    // Its own copy, for the log that is kept must stay as it is.
    let count = scale.of(FACTS / 10, 1_000);
    let (kept, data) = (made::log(count, Size::Kib)?, fresh()?);
    std::fs::copy(kept.join("log.db"), data.path().join("log.db"))?;
    let workshop = Workshop::open(data.path())?;
    let all: Vec<_> = flywheel_projections::all().iter().collect();
    views::rebuild(data.path(), &workshop.log, &all, Until::Head, None, |_| {})?;
    // No session of the copied log has a number so high.
    let mut facts = Facts::new(Size::Kib, count)?;
    for (facts_a_round, rounds) in ROUNDS {
        let mut took = vec![Duration::ZERO; all.len()];
        for _ in 0..rounds {
            workshop.append(facts.next(facts_a_round)?)?;
            for (view, took) in all.iter().zip(&mut took) {
                *took += timed(|| Ok(views::caught_up(data.path(), &workshop.log, view)?))?.1;
            }
        }
        let folded = facts_a_round as u128 * u128::from(rounds);
        for (view, took) in all.iter().zip(took) {
            let what = format!("{}, {facts_a_round} facts at a time behind {count}: a fact", view.name);
            // A short round is mostly opening the view's file.
            let limit = if facts_a_round == ROUNDS[0].0 { Limit::Most(10_000) } else { Limit::None };
            figure(what, ms(took) * 1000 / folded, "µs", limit);
        }
    }
    Ok(())
}
