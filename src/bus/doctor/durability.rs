//! When the server writes to disk what it has acknowledged. It tells only its system account and its monitoring port.

use crate::bus::Bus;
use serde::Serialize;
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

/// How long either may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Most bytes of an answer of the monitoring port.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// When what was acknowledged is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Durability {
    /// Before it is acknowledged.
    Always,
    /// So many seconds later at the latest: a power cut of every server that keeps a message loses it.
    Interval {
        /// How many.
        seconds: u64,
    },
    /// It was not told.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always => f.write_str("on disk before it is acknowledged (sync_interval: always)"),
            Self::Interval { seconds } => write!(
                f,
                "on disk {seconds} s after it was acknowledged at the latest: a power cut of every server that keeps a message loses what is younger"
            ),
            Self::Unknown { why } => write!(f, "unknown: {why}"),
        }
    }
}

impl Durability {
    /// What the server says: by its monitoring port where one is named, else to its system account.
    pub(super) async fn of(bus: &Bus, monitor: Option<&str>) -> Self {
        let told = match monitor {
            Some(url) => {
                let url = url.to_owned();
                let asked = tokio::task::spawn_blocking(move || varz(&url)).await;
                asked.unwrap_or_else(|_| Err("the request was given up".to_owned()))
            }
            None => asked_as_system(bus).await,
        };
        told.and_then(|told| Self::read(&told)).unwrap_or_else(|why| Self::Unknown { why })
    }

    fn read(varz: &Value) -> Result<Self, String> {
        let config = &varz["jetstream"]["config"];
        if config["sync_always"] == true {
            return Ok(Self::Always);
        }
        let nanoseconds = config["sync_interval"].as_u64();
        let nanoseconds = nanoseconds.ok_or("the server does not say: it has no JetStream, or is too old")?;
        Ok(Self::Interval { seconds: nanoseconds / 1_000_000_000 })
    }
}

/// Most bytes of files that the server takes, where it tells.
pub(in crate::bus) async fn file_store(bus: &Bus) -> Option<u64> {
    asked_as_system(bus).await.ok()?["jetstream"]["config"]["max_storage"].as_u64()
}

async fn asked_as_system(bus: &Bus) -> Result<Value, String> {
    let closed = || {
        "the server tells only its system account and its monitoring port: name that with --monitor http://host:8222"
            .to_owned()
    };
    let request = bus.client.request("$SYS.REQ.SERVER.PING.VARZ", "{}".into());
    let answer = tokio::time::timeout(TIMEOUT, request).await.map_err(|_| closed())?.map_err(|_| closed())?;
    let mut answer: Value = serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
    Ok(answer["data"].take())
}

/// `/varz` of a monitoring port, which speaks plain HTTP.
fn varz(url: &str) -> Result<Value, String> {
    let host = url.strip_prefix("http://").ok_or_else(|| format!("{url} is no http:// address"))?;
    let host = host.split('/').next().unwrap_or_default();
    let failed = |error: std::io::Error| format!("{url} does not answer: {error}");
    let address = host.to_socket_addrs().map_err(failed)?.next().ok_or_else(|| format!("{host} is not known"))?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    let request = format!("GET /varz HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = vec![];
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).map_err(|_| format!("{url} is no monitoring port of a nats-server"))
}
