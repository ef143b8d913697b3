//! Connecting: credentials by file, TLS, and a server that can do what is needed.

use super::topology::HEADER_BYTES_MAX;
use crate::log::Error;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use flywheel_events::envelope::EVENT_BYTES_MAX;
use rand::RngExt as _;
use semver::Version;
use std::{path::PathBuf, time::Duration};
use tokio::{sync::watch, time::timeout};

/// The oldest server: it has `filter_subjects`, consumer creation that refuses to change another, and metadata.
const SERVER_MIN: Version = Version::new(2, 10, 0);

/// The least that a server must take in one message: what says of a step or a message that it failed must fit.
const MESSAGE_BYTES_MIN: usize = 64 * 1024;

/// How long a call of the server may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A frozen server is noticed after twice this.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Most messages of a subscription that wait to be taken. Whoever listens to what it did not ask for takes fewer.
const WAITING_MAX: usize = 64 * 1024;

/// How long a connection is asked whether it lives.
const DEATH_CHECK: Duration = Duration::from_millis(200);

/// Where the bus is, and as whom to speak to it. Secrets are in files, and never printed.
#[derive(Clone, Default)]
pub struct Address {
    /// `nats://host:4222`, `tls://…`, several separated by commas.
    pub url: String,
    /// A credentials file (JWT and nkey seed).
    pub credentials: Option<PathBuf>,
    /// A file with an nkey seed.
    pub nkey: Option<PathBuf>,
    /// The user's name, and a file with the password.
    pub user: Option<(String, PathBuf)>,
    /// A file with the certificates of the authorities to trust.
    pub certificate_authority: Option<PathBuf>,
    /// The client's certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The prefix of the subjects on which answers come, where the server's permissions ask for one.
    pub inbox_prefix: Option<String>,
    /// Most messages of a subscription that wait here to be taken; what comes beyond them is dropped. Without it
    /// [`WAITING_MAX`], which is enough for all that was asked for.
    pub waiting_max: Option<usize>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("url", &without_secrets(&self.url)).finish_non_exhaustive()
    }
}

/// A URL as it may be printed.
fn without_secrets(url: &str) -> String {
    let one = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    };
    url.split(',').map(|url| one(url.trim())).collect::<Vec<_>>().join(",")
}

/// A connection to the bus. Clones share it.
#[derive(Debug, Clone)]
pub struct Bus {
    /// The connection.
    pub client: Client,
    /// JetStream on it.
    pub jetstream: jetstream::Context,
    /// The server's version.
    pub version: Version,
    /// How often the connection was made: whatever waited at the server is lost with the connection it waited on.
    pub(super) connections: watch::Receiver<u64>,
}

impl Bus {
    /// Whether the connection is gone for good. One that is made again by itself is not; one whose task has died is, though
    /// the client still calls itself connected.
    pub async fn is_dead(&self) -> bool {
        matches!(timeout(DEATH_CHECK, self.client.flush()).await, Ok(Err(_)))
    }

    /// Most bytes of one message, headers included.
    pub fn message_bytes_max(&self) -> usize {
        self.client.server_info().max_payload
    }

    /// Most bytes of an event, which leaves room for its headers.
    pub fn event_bytes_max(&self) -> usize {
        self.message_bytes_max().saturating_sub(HEADER_BYTES_MAX).min(EVENT_BYTES_MAX)
    }

    /// What to know about a server that takes less than a fact may have.
    pub fn is_narrow(&self) -> Option<String> {
        let (has, takes) = (self.message_bytes_max(), self.event_bytes_max());
        (takes < EVENT_BYTES_MAX).then(|| {
            format!(
                "the server takes messages of {has} bytes, headers included: facts of more than {takes} bytes are refused, where {EVENT_BYTES_MAX} are allowed; set `max_payload` in its configuration to 2MB"
            )
        })
    }
}

/// Connects.
///
/// # Errors
/// When no server answers, the credentials are refused or cannot be read, the server is too old, or it has no JetStream.
pub async fn connect(address: &Address) -> Result<Bus, Error> {
    let shown = without_secrets(&address.url);
    let failed = |why: &dyn std::fmt::Display| Error::Bus(format!("cannot connect to {shown}: {why}"));
    if address.url.contains('@') {
        // The client would not use it, and would show it in its diagnostics.
        return Err(failed(&"a URL is no place for a password; give a file with it, or with a key"));
    }
    let (made, connections) = watch::channel(0);
    let options = options(address, made)?;
    let urls: Vec<String> = address.url.split(',').map(|url| url.trim().to_owned()).collect();
    let client = options.connect(urls).await.map_err(|error| {
        failed(&format_args!("{}; is the server running, and are the credentials right?", with_causes(&error)))
    })?;
    let info = client.server_info();
    let version: Version =
        info.version.parse().map_err(|_| failed(&format_args!("its version `{}` does not read", info.version)))?;
    // A pre-release of a version that is new enough is new enough.
    if Version::new(version.major, version.minor, version.patch) < SERVER_MIN {
        return Err(failed(&format_args!(
            "it is nats-server {version}, and {SERVER_MIN} is the oldest that keeps a key from being written twice: install a newer one"
        )));
    }
    if info.max_payload < MESSAGE_BYTES_MIN {
        return Err(failed(&format_args!(
            "it takes messages of {} bytes, and not every failure could be recorded in less than {MESSAGE_BYTES_MIN}: set `max_payload` in its configuration to 2MB",
            info.max_payload
        )));
    }
    let jetstream = jetstream::ContextBuilder::new()
        .timeout(REQUEST_TIMEOUT)
        .max_ack_inflight(16 * 1024)
        .backpressure_on_inflight(true)
        .build(client.clone());
    Ok(Bus { client, jetstream, version, connections })
}

fn options(address: &Address, made: watch::Sender<u64>) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .name(concat!("flywheel ", env!("CARGO_PKG_VERSION")))
        .ping_interval(PING_INTERVAL)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .subscription_capacity(address.waiting_max.unwrap_or(WAITING_MAX))
        .reconnect_delay_callback(|attempt| {
            let most = 500_u64.min(50 << attempt.min(5));
            Duration::from_millis(rand::rng().random_range(most / 2..=most))
        })
        .event_callback(move |event| {
            if event == Event::Connected {
                made.send_modify(|count| *count += 1);
            }
            async move { report(&event) }
        });
    if let Some(path) = &address.credentials {
        let text = read(path, "credentials")?;
        options =
            options.credentials(&text).map_err(|_| Error::Bus(format!("{} is no credentials file", path.display())))?;
    }
    if let Some(path) = &address.nkey {
        let seed = read(path, "nkey seed")?.trim().to_owned();
        // What is wrong with a seed may quote it.
        nkeys::KeyPair::from_seed(&seed)
            .map_err(|_| Error::Bus(format!("{} holds no seed of an nkey", path.display())))?;
        options = options.nkey(seed);
    }
    if let Some((user, path)) = &address.user {
        let password = read(path, "password")?;
        options = options.user_and_password(user.clone(), password.trim_end_matches(['\n', '\r']).to_owned());
    }
    if let Some(path) = &address.certificate_authority {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &address.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if let Some(prefix) = &address.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    Ok(options)
}

fn read(path: &std::path::Path, what: &str) -> Result<String, Error> {
    #[expect(clippy::disallowed_methods, reason = "credentials are files of the operator")]
    std::fs::read_to_string(path)
        .map_err(|error| Error::Bus(format!("cannot read the {what} in {}: {error}", path.display())))
}

/// What the connection has to say. A missing permission shows nowhere else.
fn report(event: &Event) {
    match event {
        Event::Connected => tracing::debug!("connected to the bus"),
        Event::Disconnected => tracing::warn!("the bus is gone; connecting again"),
        Event::ServerError(error) => tracing::error!("the bus refuses: {error}"),
        Event::ClientError(error) => tracing::error!("the connection to the bus: {error}"),
        Event::SlowConsumer(_) => tracing::warn!("messages of the bus come faster than they are taken"),
        Event::LameDuckMode => tracing::warn!("the server is about to stop"),
        Event::Draining | Event::Closed => tracing::debug!("{event}"),
    }
}

/// An error with everything that led to it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_printed_without_what_is_secret_in_it() {
        for (url, shown) in [
            ("nats://user:pa@ss@host:4222", "nats://host:4222"),
            ("nats://token@a:1, tls://b:2", "nats://a:1,tls://b:2"),
            ("host:4222", "host:4222"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
        let address = Address { url: "nats://user:secret@host".into(), ..Address::default() };
        assert!(!format!("{address:?}").contains("secret"));
    }
}
