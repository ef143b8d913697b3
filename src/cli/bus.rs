//! `flywheel bus`: a subcommand each.

mod doctor;
mod key;
mod permissions;
mod reconcile;
mod setup;

use super::{Context, Exit, Mistake};
use crate::{
    bus::{self, Address, Bus, GIB, Topology},
    config::Settings,
};
use std::time::Duration;

/// Set up and examine the bus of a swarm.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  flywheel bus setup --nats nats://localhost:4222\n  flywheel bus setup --dry-run")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the streams and consumers, or check that they are what they must be.
    Setup(setup::Args),
    /// Say whether the bus is as it must be.
    Doctor(doctor::Args),
    /// Print the accounts, users and permissions of the bus, as a nats-server reads them.
    Permissions(permissions::Args),
    /// Make a user's key for the bus, and print its public half.
    Key(key::Args),
    /// Restore a stream that was lost or emptied from the log in the data folder.
    Reconcile(reconcile::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Setup(args) => setup::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Permissions(args) => permissions::run(args, context),
        Command::Key(args) => key::run(&args, context),
        Command::Reconcile(args) => reconcile::run(&args, context),
    }
}

/// How a command reaches the bus.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Reach {
    /// The bus, like nats://host:4222; several servers separated by commas [env: FLYWHEEL_NATS_URL]
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
}

impl Reach {
    /// Connects as the settings say.
    ///
    /// # Errors
    /// When no bus is named, or it does not answer.
    pub async fn connect(&self, settings: &Settings) -> anyhow::Result<Bus> {
        Ok(bus::connect(&self.address(settings)?).await?)
    }

    /// Where the bus is, as the settings say.
    ///
    /// # Errors
    /// When no bus is named, or a password in its place.
    pub fn address(&self, settings: &Settings) -> anyhow::Result<Address> {
        if self.nats.as_ref().is_some_and(|url| url.contains('@')) {
            let hint = "set `nats_nkey`, `nats_credentials`, or `nats_user` and `nats_password_file`";
            return Err(Mistake::new("a URL is no place for a password", hint).into());
        }
        let Some(url) = self.nats.clone().or_else(|| settings.nats_url.clone()) else {
            let hint = "give --nats nats://host:4222, or set `nats_url` in flywheel.toml";
            return Err(Mistake::new("no bus is named", hint).into());
        };
        let both = |one: &Option<_>, other: &Option<_>| one.clone().zip(other.clone());
        Ok(Address {
            url,
            credentials: settings.nats_credentials.clone(),
            nkey: settings.nats_nkey.clone(),
            user: settings.nats_user.clone().zip(settings.nats_password_file.clone()),
            certificate_authority: settings.nats_ca.clone(),
            certificate: both(&settings.nats_certificate, &settings.nats_certificate_key),
            inbox_prefix: settings.nats_inbox_prefix.clone(),
            ..Address::default()
        })
    }
}

/// The bus as the settings want it.
pub fn topology(settings: &Settings) -> Topology {
    Topology {
        replicas: settings.nats_replicas,
        partitions: settings.nats_partitions,
        ack_wait: Duration::from_secs(settings.nats_ack_wait_seconds),
        inbox_bytes_max: i64::from(settings.nats_inbox_gib) * GIB,
        blobs_bytes_max: i64::from(settings.nats_blobs_gib) * GIB,
    }
}

/// A runtime for a command that stays, with a thread for each core.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Returns when the process is asked to end: by SIGTERM, or Ctrl-C.
pub async fn asked_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            ended = tokio::signal::ctrl_c() => ended,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
