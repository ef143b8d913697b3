//! A swarm under attack: agents that publish, workers that work, and a nemesis that kills, stops, wipes and sets clocks, as
//! real processes on a real server. At the end every session that was acknowledged to an agent has ended in exactly one way,
//! which is the way it ends on one machine in peace; what is no session was refused; nothing is there twice, and every copy of
//! the log is the same. `check.rs` says what else may be, and why.
//!
//! Everything random comes from one seed, which is printed. The moments at which a process dies are the machine's all the
//! same. What happened when is written to a history file, which is named at the end.
//!
//! A long run: `FLYWHEEL_TORTURE_SECONDS=1800 cargo test --test torture -- --nocapture`, with
//! `FLYWHEEL_TORTURE_SEED=<seed>` to repeat one. From 300 s on the log is also full for longer than a publish is repeated.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "it works with processes, clocks and chance, and prints what was survived"
)]
#![cfg(unix)]

mod agents;
mod check;
mod clock;
mod history;
#[path = "../support/nats.rs"]
mod nats;
mod nemesis;
mod swarm;

use history::History;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use swarm::Swarm;
use tokio::sync::watch;

const TRADE: &str = include_str!("../sessions/guide-trade.json");
const LIFE: &str = include_str!("../sessions/guide-life.json");

/// What is attacked, and for how long.
#[derive(Debug, Clone, Copy)]
struct Plan {
    name: &'static str,
    servers: usize,
    agents: usize,
    intakes: usize,
    workers: usize,
    attack: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_and_its_swarm_survive() {
    let plan = Plan { name: "one", servers: 1, agents: 3, intakes: 2, workers: 4, attack: seconds(10) };
    run(plan).await.expect("it survives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_and_its_swarm_survive() {
    let plan = Plan { name: "three", servers: 3, agents: 2, intakes: 1, workers: 3, attack: seconds(14) };
    run(plan).await.expect("it survives");
}

fn seconds(default: u64) -> Duration {
    let given = std::env::var("FLYWHEEL_TORTURE_SECONDS").ok();
    Duration::from_secs(given.map_or(default, |text| text.parse().expect("FLYWHEEL_TORTURE_SECONDS is a number")))
}

/// One swarm at a time: two would fight for the machine, and their faults with them.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn run(plan: Plan) -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let given = std::env::var("FLYWHEEL_TORTURE_SEED").ok();
    let seed = given.map_or_else(rand::random, |text| text.parse().expect("FLYWHEEL_TORTURE_SEED is a number"));
    println!("FLYWHEEL_TORTURE_SEED={seed} ({})", plan.name);
    let history = Arc::new(History::new(plan.name, seed)?);
    let mut swarm = Swarm::start(plan, history.clone()).await?;
    let (stop, stopped) = watch::channel(false);
    let agents: Vec<_> = (0..plan.agents)
        .map(|n| agents::Agent::new(n, seed, swarm.url(), history.clone()))
        .map(|agent| tokio::spawn(agent.work(stopped.clone())))
        .collect();
    let mut faults = nemesis::attack(&mut swarm, StdRng::seed_from_u64(seed), plan.attack).await?;
    swarm.heal().await?;
    stop.send_replace(true);
    let mut published = agents::Published::default();
    for agent in agents {
        published.add(agent.await??);
    }
    published.refused.append(&mut faults.1);
    let outcome = check::all(&mut swarm, &published).await;
    println!("{}: survived {} faults ({faults}); {published}", plan.name, faults.count());
    for (name, words) in swarm.endings() {
        println!("{name} ended by itself: {words}");
    }
    println!("{}: {}", plan.name, history.path().display());
    println!("{}", outcome?);
    Ok(())
}
