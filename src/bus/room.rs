//! Why a stream does not fit on the servers, in words that name the settings.

use super::{
    Bus,
    connect::with_causes,
    doctor,
    permissions::BLOBS,
    topology::{GIB, INBOX},
};
use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind},
    stream::Config,
};

/// The answers of a server that has not enough for a stream: the account, the server, and every server of a cluster.
const NO_ROOM: [ErrorCode; 4] = [
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::CLUSTER_NO_PEERS,
];

/// Why the servers do not make or change a stream so.
pub(super) async fn why(bus: &Bus, wanted: &Config, error: &CreateStreamError) -> String {
    let said = with_causes(error);
    match error.kind() {
        CreateStreamErrorKind::JetStream(why) if NO_ROOM.contains(&why.error_code()) && wanted.max_bytes > 0 => {
            format!("{said}: {}", explained(bus, wanted).await)
        }
        _ => said,
    }
}

/// What was asked for, what there is, and which setting changes either.
async fn explained(bus: &Bus, wanted: &Config) -> String {
    let asked = shown(wanted.max_bytes.unsigned_abs());
    let on = match wanted.num_replicas {
        0 | 1 => "the server".to_owned(),
        servers => format!("each of {servers} servers"),
    };
    let reserved = bus.jetstream.query_account().await.map(|account| account.reserved_storage).unwrap_or_default();
    let reserved = match reserved {
        0 => String::new(),
        bytes => format!(", beside {} for the streams that are there", shown(bytes)),
    };
    let has = match doctor::file_store(bus).await {
        Some(bytes) => format!("the server has {}", shown(bytes)),
        None => "what the server has it tells only its system account".to_owned(),
    };
    let lower = match setting(&wanted.name) {
        Some(setting) => format!("lower `{setting}` in flywheel.toml, or "),
        None => String::new(),
    };
    format!(
        "it is to set {asked} aside on {on}{reserved}, and {has}; {lower}raise `max_file_store` in the server's configuration"
    )
}

/// The setting that a stream's size comes from.
fn setting(stream: &str) -> Option<&'static str> {
    if stream == INBOX {
        return Some("nats_inbox_gib");
    }
    (stream.strip_prefix("OBJ_") == Some(BLOBS)).then_some("nats_blobs_gib")
}

/// Bytes as people say them.
pub(super) fn shown(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes {
        bytes if bytes.is_multiple_of(GIB.unsigned_abs()) => format!("{} GiB", bytes / GIB.unsigned_abs()),
        bytes if bytes >= MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{bytes} bytes"),
    }
}
