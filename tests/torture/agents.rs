//! Agents: they publish until they are told that it is stored, say things twice, contradict themselves, and talk nonsense.

use crate::{LIFE, TRADE, history::History};
use async_nats::{
    HeaderMap,
    jetstream::{self, message::PublishMessage},
};
use flywheel_events::Digest;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// What agents were told is stored.
#[derive(Debug, Default)]
pub struct Published {
    /// What was published as each session: one content, or several that contradict each other.
    pub sessions: BTreeMap<String, BTreeSet<Sent>>,
    duplicates: usize,
    conflicts: usize,
    junk: usize,
    /// What is no session.
    pub refused: Vec<Hurled>,
}

/// A message by its subject and the SHA-256 of its bytes, as the fact of its refusal names it.
pub type Sent = (String, Digest);

/// A message that must be refused.
#[derive(Debug)]
pub struct Hurled {
    pub sent: Sent,
    /// Whether it ends the connection of whoever reads it.
    pub poison: bool,
    /// Whether the server has said that it is stored.
    pub stored: bool,
}

impl Published {
    pub fn add(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.junk += other.junk;
        self.refused.extend(other.refused);
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, duplicates, conflicts, junk, refused } = self;
        let (sessions, poison) = (sessions.len(), refused.iter().filter(|hurled| hurled.poison).count());
        write!(
            f,
            "{sessions} sessions, {duplicates} published twice, {conflicts} contradicted, {junk} messages of junk, {poison} of poison"
        )
    }
}

pub struct Agent {
    name: String,
    random: StdRng,
    number: usize,
    url: String,
    history: Arc<History>,
}

impl Agent {
    pub fn new(number: usize, seed: u64, url: String, history: Arc<History>) -> Self {
        let random = StdRng::seed_from_u64(seed.wrapping_add(1 + number as u64));
        Self { name: format!("Agent-{number}"), random, number, url, history }
    }

    fn subject(&self) -> String {
        format!("swarm.session.completed.{}", self.name)
    }

    fn sent(&self, payload: &[u8]) -> Sent {
        (self.subject(), Digest::of(payload))
    }

    /// Publishes until it is told to stop.
    pub async fn work(mut self, stopped: watch::Receiver<bool>) -> anyhow::Result<Published> {
        let urls: Vec<String> = self.url.split(',').map(str::to_owned).collect();
        let client = async_nats::ConnectOptions::new()
            .reconnect_delay_callback(|_| Duration::from_millis(200))
            .ping_interval(Duration::from_secs(2))
            .request_timeout(Some(Duration::from_secs(2)))
            .connect(urls)
            .await?;
        let jetstream = jetstream::new(client);
        let mut published = Published::default();
        let mut last: Option<(String, Vec<u8>)> = None;
        for n in 0.. {
            if *stopped.borrow() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(self.random.random_range(5..120))).await;
            match (self.random.random_range(0..100), &last) {
                (0..8, Some((id, event))) => {
                    self.publish(&jetstream, id, event, "again").await;
                    published.duplicates += 1;
                }
                (8..14, Some((id, _))) => {
                    let event = self.event(id, "something else");
                    self.publish(&jetstream, id, &event, "contradicted").await;
                    published.sessions.entry(id.clone()).or_default().insert(self.sent(&event));
                    published.conflicts += 1;
                }
                (14..22, _) => {
                    let junk = self.junk(n);
                    self.publish(&jetstream, "junk", &junk, "junk").await;
                    published.junk += 1;
                    published.refused.push(Hurled { sent: self.sent(&junk), poison: false, stored: true });
                }
                (22..24, _) => published.refused.push(self.poison(n)),
                _ => {
                    let id = format!("00000000-0000-4000-8{:03}-{n:012}", self.number);
                    let event = self.event(&id, &format!("{}x{n}", self.number));
                    self.publish(&jetstream, &id, &event, "published").await;
                    published.sessions.entry(id.clone()).or_default().insert(self.sent(&event));
                    last = Some((id, event));
                }
            }
        }
        Ok(published)
    }

    /// A session as a structured CloudEvent.
    fn event(&self, id: &str, mark: &str) -> Vec<u8> {
        let trade = mark.len().is_multiple_of(2);
        let mut data: Value = serde_json::from_str(if trade { TRADE } else { LIFE }).expect("an example is JSON");
        data["session_id"] = id.into();
        data["agent_id"] = self.name.as_str().into();
        if trade {
            data["source_data"]["trades"][0]["symbol"] = format!("T{mark}").into();
        } else {
            data["source_data"]["conversations"][0]["artifacts"][0]["name"] = format!("Game {mark}").into();
        }
        let event = json!({
            "specversion": "1.0", "id": format!("{id}-{mark}"), "source": format!("/agents/{}", self.name),
            "type": "dev.dreamos.session.completed.v1", "datacontenttype": "application/json", "data": data,
        });
        event.to_string().into_bytes()
    }

    fn junk(&mut self, n: usize) -> Vec<u8> {
        let id = "00000000-0000-4000-8fff-000000000001";
        match self.random.random_range(0..6) {
            0 => vec![],
            1 => (0..200).map(|_| self.random.random()).collect(),
            2 => b"[1, 2".to_vec(),
            3 => json!({ "specversion": "1.0", "id": format!("{n}"), "source": "/agents/Agent-x", "type": "a.b" })
                .to_string()
                .into_bytes(),
            4 => String::from_utf8_lossy(&self.event(id, "x")).replace(&self.name, "Somebody-else").into_bytes(),
            _ => {
                let goal = format!("\"goal\":\"{}\",\"session_id\"", "x".repeat(900 * 1024));
                String::from_utf8_lossy(&self.event(id, "x")).replace("\"session_id\"", &goal).into_bytes()
            }
        }
    }

    /// Until it is stored.
    async fn publish(&self, jetstream: &jetstream::Context, id: &str, event: &[u8], what: &str) {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/cloudevents+json");
        let message = PublishMessage::build().payload(event.to_vec().into()).headers(headers);
        loop {
            let ack = match jetstream.send_publish(self.subject(), message.clone()).await {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            };
            match ack {
                Ok(ack) => return self.history.note(&self.name, what, json!([id, ack.sequence])),
                Err(error) => {
                    self.history.note(&self.name, "not stored", error.to_string());
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A message with a header that ends the connection of whoever reads it.
    fn poison(&self, n: usize) -> Hurled {
        let address = self.url.split(',').next().unwrap_or_default();
        // It blocks, and longest where the server is stopped.
        let hurled =
            tokio::task::block_in_place(|| hurl(address, &self.subject(), POISON, format!("{{\"n\":{n}}}").as_bytes()));
        self.history.note(&self.name, "poison", hurled.stored);
        hurled
    }
}

/// A header that ends the connection of whoever reads it.
const POISON: &str = "NATS/1.0\r\nX-Poison: a\rb\r\n\r\n";

/// How long the server may take to say that a message is stored.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Publishes what ends connections, what is nothing, and what is too large for a stream and for a server.
pub fn hurl_all(url: &str) -> Vec<Hurled> {
    let subject = "swarm.session.completed.Agent-0";
    let (headers, large) = ("NATS/1.0\r\n\r\n", vec![b'x'; 1_500_000]);
    let huge = vec![b'x'; 3_000_000];
    let all: [(&str, &[u8]); 5] =
        [(POISON, b"{}"), (headers, b"\xff\xfe"), (headers, b"junk"), (headers, &large), (headers, &huge)];
    all.into_iter().map(|(headers, payload)| hurl(url, subject, headers, payload)).collect()
}

/// Publishes on a connection of its own, which checks nothing.
fn hurl(url: &str, subject: &str, headers: &str, payload: &[u8]) -> Hurled {
    let stored = hurl_at(url, subject, headers, payload).unwrap_or(false);
    Hurled { sent: (subject.to_owned(), Digest::of(payload)), poison: headers == POISON, stored }
}

/// Whether the server has said that it is stored.
fn hurl_at(url: &str, subject: &str, headers: &str, payload: &[u8]) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(url.trim_start_matches("nats://"))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let (size, answer) = (headers.len(), format!("_HURL.{}", rand::random::<u64>()));
    write!(stream, "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":false}}\r\nSUB {answer} 1\r\n")?;
    write!(stream, "HPUB {subject} {answer} {size} {}\r\n{headers}", size + payload.len())?;
    stream.write_all(payload)?;
    write!(stream, "\r\n")?;
    stream.flush()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with("{\"") {
            return Ok(!line.contains("\"error\""));
        }
    }
    Ok(false)
}
