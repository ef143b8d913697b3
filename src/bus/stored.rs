//! Messages of a stream as the server stores them, read by its JSON interface: without a delivery, and without the client's own
//! reading of their headers, which ends its connection where they are malformed.

use super::{Bus, connect::with_causes, failed};
use crate::log::Error;
use async_nats::jetstream::{ErrorCode, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Found {
    message: Stored,
}

/// A message as the server stores it, in base64.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    /// Where it was published.
    pub subject: String,
    /// Its position.
    pub seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

impl Stored {
    /// Its headers in the order of their names, or why they cannot be read.
    pub fn headers(&self) -> Result<Result<Vec<(String, String)>, String>, Error> {
        Ok(parse_headers(&self.decoded(&self.hdrs)?))
    }

    /// Its bytes.
    pub fn payload(&self) -> Result<Bytes, Error> {
        Ok(self.decoded(&self.data)?.into())
    }

    fn decoded(&self, text: &str) -> Result<Vec<u8>, Error> {
        BASE64.decode(text).map_err(|error| failed(&format!("read a message at position {}", self.seq), error))
    }
}

/// The message of a stream that a request asks for; none where there is none.
pub(super) async fn get(bus: &Bus, stream: &str, request: &Value) -> Result<Option<Stored>, Error> {
    let answer = bus.jetstream.request(format!("STREAM.MSG.GET.{stream}"), request).await;
    let answer: Response<Found> =
        answer.map_err(|error| failed(&format!("read a message of {stream}"), with_causes(&error)))?;
    match answer {
        Response::Ok(found) => Ok(Some(found.message)),
        Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        Response::Err { error } => Err(failed(&format!("read a message of {stream}"), error)),
    }
}

/// The headers of a stored message, as its bytes have them.
pub(super) fn parse_headers(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    if bytes.is_empty() {
        return Ok(vec![]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("they are not UTF-8: {error}"))?;
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let first = lines.next().and_then(|line| line.strip_prefix("NATS/1.0"));
    match first.map(str::trim) {
        Some("") => {}
        Some(status) => return Err(format!("the status {status}, which only a server sets")),
        None => return Err("their first line is not NATS/1.0".to_owned()),
    }
    let mut headers: Vec<(String, String)> = vec![];
    for line in lines.filter(|line| !line.is_empty()) {
        if line.contains('\r') {
            return Err(format!("a carriage return is in {line:?}"));
        }
        if let Some((_, value)) = headers.last_mut().filter(|_| line.starts_with(char::is_whitespace)) {
            value.push_str(line.trim_end());
            continue;
        }
        match line.split_once(':') {
            Some((name, value)) if name.parse::<async_nats::HeaderName>().is_ok() => {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Err(format!("{line:?} is no header")),
        }
    }
    headers.sort();
    Ok(headers)
}
