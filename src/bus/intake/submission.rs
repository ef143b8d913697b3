//! Submission by request: the same intake, and an answer.
//!
//! Invariants: a request is answered once its outcome is stored; who gets no answer submits again, which is a duplicate.

use super::{Answer, Intake, Message, Status};
use crate::{
    bus::{Address, Bus, BusLog, Life, Topology, connect, failed, supervise},
    log::Error,
    safety::Cleaner,
};
use async_nats::{
    HeaderMap,
    service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Request, ServiceExt as _},
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

/// The service's name, by which it is found.
pub const NAME: &str = "flywheel";

/// Where sessions are submitted: behind it stands the agent.
pub const SUBJECT: &str = "swarm.session.submit.*";

/// Most requests in hand at once.
const IN_HAND_MAX: usize = 64;

/// Most requests that wait to be taken in hand. Nobody holds back those who submit, and a request may have 2 MB: what comes
/// beyond them is dropped, and its agent, which gets no answer, submits again.
const WAITING_MAX: usize = 64;

/// Answers submissions until `stop` is said.
///
/// # Errors
/// When the bus is not as it must be.
pub async fn run(
    address: &Address,
    topology: &Topology,
    cleaner: &Arc<Cleaner>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let narrow = Address { waiting_max: Some(WAITING_MAX), ..address.clone() };
    supervise("submission", &narrow, stop, async |life: Life| {
        let log = BusLog::open(connect(address).await?, topology.clone()).await?;
        live(&life.bus, &Intake::new(log, cleaner.clone()), stop).await
    })
    .await
}

/// How long the last answers may take to leave.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// How many submissions came out how, for whoever asks the service for its figures.
type Counts = Arc<Mutex<HashMap<&'static str, u64>>>;

async fn live(bus: &Bus, intake: &Intake, stop: &CancellationToken) -> Result<(), Error> {
    let counts = Counts::default();
    let shown = counts.clone();
    let about = "Takes finished work sessions and answers accepted, duplicate, conflict or rejected with every reason.";
    let service = bus
        .client
        .service_builder()
        .description(about)
        .stats_handler(move |_, _| json!(*shown.lock().unwrap_or_else(PoisonError::into_inner)))
        .start(NAME, env!("CARGO_PKG_VERSION"))
        .await
        .map_err(|error| failed("start the service", error))?;
    let endpoint = service.endpoint_builder().name("submit").queue_group(NAME);
    let metadata = [("request", "a CloudEvent with a session, as on swarm.session.completed.<agent_id>")];
    let metadata = metadata.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let mut requests =
        endpoint.metadata(metadata).add(SUBJECT).await.map_err(|error| failed("listen for submissions", error))?;
    let mut answering = JoinSet::new();
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = answering.join_next() => {}
            request = requests.next(), if answering.len() < IN_HAND_MAX => match request {
                Some(request) => {
                    answering.spawn(answer(intake.clone(), request, counts.clone()));
                }
                None => {
                    outcome = Err(failed("listen for submissions", "the connection has died"));
                    break;
                }
            },
        }
    }
    // Those in hand are answered; the others go to whoever else listens, or ask again.
    if requests.stop().await.is_ok() {
        while let Some(request) = requests.next().await {
            answering.spawn(answer(intake.clone(), request, counts.clone()));
        }
    }
    while answering.join_next().await.is_some() {}
    service.stop().await.map_err(|error| failed("stop the service", error))?;
    // Who has no answer by then asks again.
    let _ = timeout(FLUSH_MAX, bus.client.flush()).await;
    outcome
}

async fn answer(intake: Intake, request: Request, counts: Counts) {
    let taken = intake.take(vec![Message::from(&request.message)]).await;
    let (name, fault, body) = match taken {
        Ok(answers) => said(&answers[0]),
        Err(error) => {
            tracing::warn!("cannot take in a submission: {error}");
            let hint = "submit it again in a while; a session counts once";
            ("unavailable", Some(503), json!({ "status": "unavailable", "error": error.to_string(), "hint": hint }))
        }
    };
    *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/json");
    if let Some(code) = fault {
        headers.insert(NATS_SERVICE_ERROR, name);
        headers.insert(NATS_SERVICE_ERROR_CODE, code.to_string());
    }
    if let Err(error) = request.respond_with_headers(Ok(body.to_string().into()), headers).await {
        tracing::debug!("cannot answer a submission: {error}");
    }
}

/// An answer as it is sent: its name, the error it is to the service's clients, and the body.
fn said(answer: &Answer) -> (&'static str, Option<u16>, Value) {
    let fault = match answer.status {
        Status::Accepted | Status::Duplicate => None,
        Status::Conflict => Some(409),
        Status::Rejected => Some(400),
    };
    (answer.status.as_str(), fault, serde_json::to_value(answer).expect("an answer is plain JSON"))
}
