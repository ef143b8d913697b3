//! Messages in the inbox that nobody could take in.
//!
//! They are read by the server's JSON interface, whole as they are: a header with a bare carriage return would end the
//! connection that takes it as a message.

use super::Finding;
use crate::bus::{Bus, topology::INBOX};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flywheel_events::envelope::Envelope;
use serde::Deserialize;
use serde_json::json;

/// Most messages that are looked at: the oldest, which would have been taken in first.
const MESSAGES_MAX: usize = 200;

#[derive(Deserialize)]
struct Answer {
    message: Option<Stored>,
}

#[derive(Deserialize)]
struct Stored {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

pub(super) async fn look(bus: &Bus, findings: &mut Vec<Finding>) {
    let mut next = 1;
    for _ in 0..MESSAGES_MAX {
        let request = json!({ "seq": next, "next_by_subj": "swarm.session.completed.*" });
        let answer = bus.jetstream.request(format!("STREAM.MSG.GET.{INBOX}"), &request).await;
        let Ok(Answer { message: Some(message) }) = answer else { return };
        next = message.seq + 1;
        if let Some(why) = fault(&message) {
            findings.push(Finding {
                what: format!("message {} of the inbox, on {}, {why}", message.seq, message.subject),
                hint: "intake refuses it and says so to its agent; is `flywheel serve` running?",
            });
        }
    }
}

/// Why nobody can take a message in.
fn fault(message: &Stored) -> Option<&'static str> {
    let headers = BASE64_STANDARD.decode(&message.hdrs).unwrap_or_default();
    let Ok(headers) = String::from_utf8(headers) else { return Some("has headers that are no text") };
    if headers.replace("\r\n", "").contains(['\r', '\n']) {
        return Some("has a header with a bare line end, which ends every connection that reads it");
    }
    let is_binary = headers.lines().any(|line| line.to_lowercase().starts_with("ce-specversion:"));
    let data = BASE64_STANDARD.decode(&message.data).unwrap_or_default();
    (!is_binary && Envelope::parse(&data).is_err()).then_some("is no CloudEvent")
}
