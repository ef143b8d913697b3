//! `flywheel bus permissions`.

use super::{Context, Exit, topology};
use crate::{
    bus::accounts::{self, User},
    bus::permissions::Role,
};
use flywheel_events::AgentId;

/// Print the accounts, users and permissions of the bus, as a nats-server reads them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel bus permissions > deploy/nats/accounts.conf\n  flywheel bus permissions --by-stage\n  flywheel bus permissions --agent Agent-7\n\nThey follow from the stage table and from the settings of the bus. `deploy/nats/make-credentials` makes the keys."
)]
pub struct Args {
    /// A user for each stage, in place of one that works on all of them.
    #[arg(long)]
    by_stage: bool,
    /// Only the permissions of this agent, for its entry among the users of the agents' account.
    #[arg(long, value_name = "AGENT", conflicts_with = "by_stage", value_parser = parse_agent)]
    agent: Option<AgentId>,
}

fn parse_agent(text: &str) -> Result<AgentId, String> {
    text.parse().map_err(|error: flywheel_events::id::Error| error.to_string())
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let (console, topology) = (context.console, topology(&context.settings));
    let users = match args.agent {
        Some(agent) => {
            let user = User::of(&Role::Agent(agent), &topology);
            if !console.json {
                console.line(accounts::permissions(&user.permissions, 0));
                return Ok(Exit::Done);
            }
            vec![user]
        }
        None => accounts::users(&topology, args.by_stage),
    };
    match console.json {
        true => console.document(&users),
        false => console.text(&accounts::configuration(&users)),
    }
    Ok(Exit::Done)
}
