//! The accounts, users and permissions of the bus as a nats-server reads them.

use super::{
    Topology,
    permissions::{API_ELSEWHERE, DISCOVERIES, Permissions, Role, UPLOADS},
    topology::METRICS,
};
use serde::Serialize;
use std::fmt::Write as _;

const HEAD: &str = "\
# Accounts, users and permissions of the bus. Made by `flywheel bus permissions` from the stage table: change it there.
#
# Each $NKEY_… is a user's public key, from keys.conf; $AGENTS is the list of agents, from agents.conf. Both are made by
# `make-credentials`.
include \"credentials/keys.conf\"
include \"credentials/agents.conf\"

";

/// A user of the bus.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// Its role.
    pub role: String,
    /// The account it is in.
    pub account: &'static str,
    /// The prefix of the subjects on which its answers come: the setting `nats_inbox_prefix`.
    pub inbox_prefix: String,
    /// What it may do.
    pub permissions: Permissions,
}

impl User {
    /// The user of a role on a bus of this topology.
    pub fn of(role: &Role, topology: &Topology) -> Self {
        let account = match role {
            Role::Agent(_) => "AGENTS",
            Role::Metrics => "METRICS",
            _ => "FLYWHEEL",
        };
        Self {
            role: role.name().to_owned(),
            account,
            inbox_prefix: role.inbox_prefix(),
            permissions: role.permissions(topology),
        }
    }

    /// The name of the variable with its public key.
    fn key(&self) -> String {
        format!("NKEY_{}", self.role)
    }
}

/// Every user but the agents.
pub fn users(topology: &Topology, by_stage: bool) -> Vec<User> {
    let roles = [Role::of_the_log(by_stage), vec![Role::Metrics]].concat();
    roles.iter().map(|role| User::of(role, topology)).collect()
}

/// The accounts block of a server's configuration.
pub fn configuration(users: &[User]) -> String {
    let of = |account: &str| -> String {
        let users = users.iter().filter(|user| user.account == account);
        users
            .map(|user| {
                let permissions = permissions(&user.permissions, 8);
                format!("      {{\n        nkey: ${}\n        permissions: {permissions}\n      }}\n", user.key())
            })
            .collect()
    };
    let (log, metrics) = (of("FLYWHEEL"), of("METRICS"));
    let settings = "$SYS.REQ.SERVER.PING.VARZ";
    let [parts, entries] = UPLOADS;
    // Every intake answers.
    let (found, finds) = (
        DISCOVERIES
            .map(|subject| format!("      {{ service: \"{subject}\", response: stream, accounts: [AGENTS] }}\n")),
        DISCOVERIES.map(|subject| format!("      {{ service: {{ account: FLYWHEEL, subject: \"{subject}\" }} }}\n")),
    );
    let (found, finds) = (found.concat(), finds.concat());
    let last = format!("STREAM.MSG.GET.{METRICS}");
    format!(
        "{HEAD}\
         accounts {{
  # The log, and the program's own processes.
  FLYWHEEL {{
    jetstream: enabled
    users: [
{log}    ]
    exports: [
      {{ service: \"swarm.session.completed.*\", accounts: [AGENTS] }}
      {{ service: \"swarm.session.submit.*\", accounts: [AGENTS] }}
{found}      {{ service: \"{parts}\", accounts: [AGENTS] }}
      {{ service: \"{entries}\", accounts: [AGENTS] }}
      {{ stream: \"flywheel.rejected.*\", accounts: [AGENTS] }}
      {{ stream: \"flywheel.metrics.*\", accounts: [METRICS] }}
      {{ service: \"$JS.API.{last}\", accounts: [METRICS] }}
    ]
    # What the servers are set to, for `flywheel bus doctor`.
    imports: [
      {{ service: {{ account: SYS, subject: \"{settings}\" }} }}
    ]
  }}
  # Whoever finishes sessions, uploads files, and is told what was refused. What an agent names for its answer stays in here.
  AGENTS {{
    users: $AGENTS
    imports: [
      {{ service: {{ account: FLYWHEEL, subject: \"swarm.session.completed.*\" }} }}
      {{ service: {{ account: FLYWHEEL, subject: \"swarm.session.submit.*\" }} }}
{finds}      {{ service: {{ account: FLYWHEEL, subject: \"{parts}\" }} }}
      {{ service: {{ account: FLYWHEEL, subject: \"{entries}\" }} }}
      {{ stream: {{ account: FLYWHEEL, subject: \"flywheel.rejected.*\" }} }}
    ]
  }}
  # Whoever reads the metrics, as they come and the last of each.
  METRICS {{
    users: [
{metrics}    ]
    imports: [
      {{ stream: {{ account: FLYWHEEL, subject: \"flywheel.metrics.*\" }} }}
      {{ service: {{ account: FLYWHEEL, subject: \"$JS.API.{last}\" }}, to: \"{API_ELSEWHERE}.{last}\" }}
    ]
  }}
  # The server's own events and questions.
  SYS {{
    users: [ {{ nkey: $NKEY_sys }} ]
    exports: [
      {{ service: \"{settings}\", response: stream, accounts: [FLYWHEEL] }}
    ]
  }}
}}
system_account: SYS
"
    )
}

/// Permissions as a value of a configuration, its lines so many spaces in.
pub fn permissions(permissions: &Permissions, indent: usize) -> String {
    let inner = " ".repeat(indent + 2);
    let list = |subjects: &[String]| {
        let lines: String = subjects.iter().fold(String::new(), |mut text, subject| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{inner}    \"{subject}\"");
            text
        });
        format!("[\n{lines}{inner}  ]")
    };
    let mut text = format!("{{\n{inner}publish: {{\n{inner}  allow: {}\n", list(&permissions.publish));
    if !permissions.publish_deny.is_empty() {
        text += &format!("{inner}  deny: {}\n", list(&permissions.publish_deny));
    }
    text += &format!("{inner}}}\n{inner}subscribe: {{\n{inner}  allow: {}\n{inner}}}\n", list(&permissions.subscribe));
    if permissions.answer {
        text += &format!("{inner}allow_responses: true\n");
    }
    text + &" ".repeat(indent) + "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_file_is_what_the_program_prints() {
        let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nats/accounts.conf");
        #[expect(clippy::disallowed_methods, reason = "a test looks at the kept file")]
        let kept = std::fs::read_to_string(kept).unwrap_or_default();
        assert!(
            kept == configuration(&users(&Topology::default(), false)),
            "`flywheel bus permissions > deploy/nats/accounts.conf` writes it anew"
        );
    }
}
