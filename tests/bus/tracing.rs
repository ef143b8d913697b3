//! What can be watched from outside: one trace from an agent to `ready`, over the log and through several processes, as an
//! OTLP receiver gets it; and the same sessions in the figures for Prometheus.

use crate::{
    figures::Figures,
    otlp::{Received, Receiver, Traces},
    swarm::{Process, Swarm, event, id, inbox, session, until},
};
use flywheel::{
    bus::Topology,
    log::{Consumer, Record},
    runner, stages,
};
use futures::StreamExt as _;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// What the agent began: a trace and its span.
const BY_HEADER: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
const BY_EVENT: &str = "1af7651916cd43dd8448eb211c80319c-b7ad6b7169203332";
const REFUSED: &str = "2af7651916cd43dd8448eb211c80319c-b7ad6b7169203333";
const JUNK: &str = "3af7651916cd43dd8448eb211c80319c-b7ad6b7169203334";
const ELSEWHERE: &str = "4af7651916cd43dd8448eb211c80319c-b7ad6b7169203335";

/// Stands in a session, in a header and in a message of junk, and must not stand in any span.
const SECRETS: [&str; 3] = ["ghp_0123456789abcdefghijABCDEFGHIJ012345", "plumbus", "Bearer"];

const FIRST: [&str; 3] = ["trade-normalize", "trade-summarize", "trade-equity_curve"];
const SECOND: [&str; 4] = ["trade-lessons", "trade-journal", "trade-thread", "trade-ready"];
const SESSIONS: usize = 4;

fn traceparent(context: &str) -> String {
    format!("00-{context}-01")
}

/// What agents do: a session under a trace, one that is in a trace by its event alone, one without any, one whose records are
/// refused, one that comes again, and junk.
async fn publish(swarm: &Swarm) {
    let structured = ("Content-Type", "application/cloudevents+json");
    let mut told = session(1);
    told["goal"] = format!("{} for the plumbus", SECRETS[0]).into();
    let headers = [structured, ("traceparent", &traceparent(BY_HEADER)), ("Authorization", "Bearer x")];
    let mut by_both = event(&told);
    by_both["traceparent"] = traceparent(ELSEWHERE).into();
    swarm.publish(&inbox(), &headers, by_both.to_string()).await;
    let mut by_event = event(&session(2));
    by_event["traceparent"] = traceparent(BY_EVENT).into();
    swarm.publish(&inbox(), &[structured], by_event.to_string()).await;
    swarm.publish_session(&session(3)).await;
    let mut refused = session(4);
    refused["source_data"]["trades"] =
        json!([{ "symbol": "plumbus", "action": "buy", "quantity": "none", "price": 1 }]);
    let headers = [structured, ("traceparent", &traceparent(REFUSED))];
    swarm.publish(&inbox(), &headers, event(&refused).to_string()).await;
    swarm.publish_session(&session(3)).await;
    swarm.publish(&inbox(), &[structured, ("traceparent", &traceparent(JUNK))], "plumbus").await;
}

/// Takes messages of a consumer and gives them back, so that they are delivered again.
async fn hand_back(swarm: &Swarm, stream: &str, consumer: &str, count: usize) {
    let jetstream = async_nats::jetstream::new(swarm.client.clone());
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        jetstream.get_consumer_from_stream(consumer, stream).await.expect("is there");
    let messages = consumer.fetch().max_messages(count).messages().await.expect("asks");
    let messages: Vec<_> = messages.collect().await;
    assert_eq!(messages.len(), count);
    for message in messages {
        let nak = async_nats::jetstream::AckKind::Nak(None);
        message.expect("comes").ack_with(nak).await.expect("answers");
    }
}

fn start(swarm: &Swarm, receiver: &Receiver, name: &str, arguments: &[&str]) -> Process {
    let arguments = [arguments, &["--metrics-listen", "127.0.0.1:0"]].concat();
    let instance = format!("service.instance.id={name}");
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url.as_str()), ("OTEL_RESOURCE_ATTRIBUTES", &instance)];
    swarm.start_with(&arguments, &environment)
}

fn worker<'a>(stages: &[&'a str]) -> Vec<&'a str> {
    let stages = stages.iter().flat_map(|stage| ["--stage", stage]);
    ["worker"].into_iter().chain(stages).collect()
}

/// The facts that a consumer is delivered.
fn delivered<'a>(facts: &'a [Record], consumer: &Consumer) -> Vec<&'a Record> {
    facts.iter().filter(|fact| consumer.steps.contains(&fact.key.step)).collect()
}

fn trade_consumers() -> Vec<Consumer> {
    runner::consumers().into_iter().filter(|consumer| consumer.name.as_str().starts_with("trade-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_seen_from_its_agent_to_ready_in_one_trace_and_in_the_figures() {
    let (swarm, receiver, began) = (Swarm::new(Duration::from_secs(30)).await, Receiver::start().await, Instant::now());
    publish(&swarm).await;
    hand_back(&swarm, "SWARM", "intake", 1).await;
    let intake = start(&swarm, &receiver, "intake", &["intake"]);
    until("all are taken in", || async { swarm.waiting().await == 0 }).await;
    hand_back(&swarm, "FLYWHEEL", "trade-normalize", 2).await;
    let first = start(&swarm, &receiver, "first", &worker(&FIRST));
    until("the first worker is done", || async { swarm.count_of("trade-equity_curve").await == SESSIONS }).await;
    until("it has said so", || async { in_hand(&swarm).await == 0 }).await;
    the_lag_is_right(&first, &swarm.facts().await).await;
    let second = start(&swarm, &receiver, "second", &worker(&SECOND));
    until("all have ended", || async { swarm.count_of("trade-ready").await == SESSIONS }).await;
    until("it has said so", || async { in_hand(&swarm).await == 0 }).await;

    let facts = swarm.facts().await;
    let figures = [Figures::of(&intake).await, Figures::of(&first).await, Figures::of(&second).await];
    the_figures_are_right(&figures, &facts, began.elapsed());
    the_lag_is_right(&second, &[]).await;
    // A process that is asked to end has told everything by then.
    for process in [intake, first, second] {
        assert!(process.terminate().success());
    }
    let traces = receiver.traces();
    the_tree_is_whole(&traces.of(&BY_HEADER[..32]), Some(BY_HEADER), &facts, &id(1));
    the_tree_is_whole(&traces.of(&BY_EVENT[..32]), Some(BY_EVENT), &facts, &id(2));
    the_intake_begins_a_trace_where_the_agent_has_none(&traces, &facts);
    faults_are_told(&traces);
    nothing_secret_is_told(&traces);
}

/// How many deliveries of any trade stage are not acknowledged.
async fn in_hand(swarm: &Swarm) -> usize {
    let stream = async_nats::jetstream::new(swarm.client.clone()).get_stream("FLYWHEEL").await.expect("is there");
    let mut count = 0;
    for config in trade_consumers().iter().flat_map(|consumer| Topology::default().consumers_of(consumer)) {
        let name = config.durable_name.expect("it has a name");
        count += stream.consumer_info(&name).await.expect("is there").num_ack_pending;
    }
    count
}

/// The lag of each stage of the second worker is what has come for it; of the first worker's there is none.
async fn the_lag_is_right(process: &Process, facts: &[Record]) {
    let expect: BTreeMap<String, f64> = trade_consumers()
        .iter()
        .map(|consumer| {
            let works = FIRST.contains(&consumer.name.as_str());
            (consumer.name.to_string(), if works { 0.0 } else { delivered(facts, consumer).len() as f64 })
        })
        .collect();
    let mut seen = BTreeMap::new();
    // It is looked at every few seconds.
    for _ in 0..100 {
        let figures = Figures::of(process).await;
        let consumers = figures.values("flywheel_consumer_waiting", "messaging_consumer_group_name");
        let of = |name| figures.of_consumer("flywheel_consumer_waiting", name);
        // A stage has a consumer for each step that makes it due.
        let of_stage = |stage: &str| {
            let its = consumers.iter().filter(|name| name.split_once("-after-").map_or(&***name, |it| it.0) == stage);
            its.map(|name| of(name)).sum::<f64>()
        };
        seen = expect.keys().map(|stage| (stage.clone(), of_stage(stage))).collect();
        let in_hand = figures.get("flywheel_consumer_in_hand", &[]);
        if seen == expect && in_hand == Some(0.0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the lag is {seen:?}, and must be {expect:?}");
}

fn the_figures_are_right(figures: &[Figures; 3], facts: &[Record], elapsed: Duration) {
    let [intake, first, second] = figures;
    let consumed = "messaging_client_consumed_messages_total";
    let check = |figures: &Figures, consumer: &str, count: usize, again: usize| {
        let seen = |name: &str| figures.of_consumer(name, consumer);
        assert_eq!(seen(consumed), count as f64, "delivered to {consumer}: {figures:?}");
        assert_eq!(seen("flywheel_redelivered_messages_total"), again as f64, "{consumer}");
        assert_eq!(seen("messaging_process_duration_seconds_count"), count as f64, "{consumer}");
        let sum = seen("messaging_process_duration_seconds_sum");
        let most = elapsed * u32::try_from(count).expect("few");
        assert!(sum > 0.0 && Duration::from_secs_f64(sum) < most, "{consumer}: {sum}");
        let all = [("messaging_consumer_group_name", consumer), ("le", "+Inf")];
        assert_eq!(figures.get("messaging_process_duration_seconds_bucket", &all), Some(count as f64));
    };
    // Five events of four sessions, and junk.
    check(intake, "intake", SESSIONS + 2, 1);
    for consumer in trade_consumers() {
        let name = consumer.name.as_str();
        let figures = if FIRST.contains(&name) { first } else { second };
        let again = if name == "trade-normalize" { 2 } else { 0 };
        check(figures, name, delivered(facts, &consumer).len(), again);
    }
    let steps: BTreeSet<&str> = facts.iter().map(|fact| fact.key.step.as_str()).collect();
    assert!(steps.len() > 8, "{steps:?}");
    for step in steps {
        let count = facts.iter().filter(|fact| fact.key.step.as_str() == step).count();
        let sent: f64 = figures.iter().map(|figures| figures.sent(step, "appended")).sum();
        assert_eq!(sent, count as f64, "{step}");
    }
    assert_eq!(intake.sent("session-completed", "duplicate"), 1.0);
    assert_eq!(
        intake.get("target_info", &[("service_name", "flywheel"), ("service_instance_id", "intake")]),
        Some(1.0)
    );
}

/// Every fact of the session has its publishing under the step that made it, and every delivery of a fact its handling under
/// the publishing of that fact; and all of it hangs under what the agent began, or under the intake where it began nothing.
fn the_tree_is_whole(trace: &Traces, agent: Option<&str>, facts: &[Record], session: &str) {
    let facts: Vec<Record> = facts.iter().filter(|fact| fact.key.id.to_string() == session).cloned().collect();
    let roots = trace.roots();
    assert_eq!(roots.len(), 1, "one tree:\n{trace}");
    let root = roots[0];
    assert_eq!((root.parent().as_deref(), root.span.name.as_str()), (agent, "process intake"), "\n{trace}");
    assert_eq!(root.get("flywheel.session"), session);
    let published = |fact: &Record| {
        trace.only(&format!("{} was published", fact.key), |span| {
            span.span.kind == 4
                && span.get("messaging.message.id") == fact.id()
                && span.get("flywheel.outcome") == "appended"
        })
    };
    let maker = |fact: &Record| {
        let parent = published(fact).parent().expect("a parent");
        trace.find(&parent).unwrap_or_else(|| panic!("who published {} is missing in\n{trace}", fact.key))
    };
    for fact in &facts {
        let (span, step) = (published(fact), fact.key.step.as_str());
        assert_eq!(span.span.name, format!("publish flywheel.log.{step}"));
        assert_eq!(span.get("messaging.destination.name"), fact.key.subject());
        has_the_conventions(span, "publish", "send");
        let by = if step == "session-completed" { "intake" } else { step };
        assert_eq!(maker(fact).span.name, format!("process {by}"), "who published {step}, in\n{trace}");
    }
    let stages = runner::bind(stages::pipelines());
    for consumer in trade_consumers() {
        let name = consumer.name.as_str();
        let process = if FIRST.contains(&name) { "first" } else { "second" };
        for fact in delivered(&facts, &consumer) {
            let span = trace.only(&format!("{name} handled {}", fact.key), |span| {
                span.span.kind == 5
                    && span.get("messaging.consumer.group.name") == name
                    && span.get("messaging.message.id") == fact.id()
            });
            assert_eq!(span.parent(), Some(published(fact).context()), "{name} under {} in\n{trace}", fact.key);
            assert_eq!(span.process["service.instance.id"], process);
            has_the_conventions(span, "process", "process");
            if span.get("flywheel.outcome") == "not_due" {
                continue;
            }
            // What it needs beside the fact that it was given is linked.
            let stage = stages.iter().find(|stage| stage.step == consumer.name).expect("is one");
            let needs: Vec<_> = stage.inputs().collect();
            let others = facts.iter().filter(|other| needs.contains(&&other.key.step) && other.key != fact.key);
            let mut expect: Vec<String> = others.map(|other| maker(other).context()).collect();
            expect.sort();
            assert_eq!(span.links(), expect, "links of {name} under {} in\n{trace}", fact.key);
        }
    }
    let ready = facts.iter().find(|fact| fact.key.step.as_str() == "trade-ready").expect("it has ended");
    let mut way = vec![published(ready)];
    while let Some(parent) = way.last().and_then(|span| trace.find(&span.parent()?)) {
        way.push(parent);
    }
    let processes: BTreeSet<_> = way.iter().map(|span| span.process["service.instance.id"].as_str()).collect();
    assert_eq!(way.last().map(|span| span.context()), Some(root.context()));
    assert_eq!(processes, ["first", "intake", "second"].into(), "the way to ready, in\n{trace}");
}

fn has_the_conventions(span: &Received, name: &str, kind: &str) {
    assert_eq!(span.get("messaging.system"), "nats");
    assert_eq!((span.get("messaging.operation.name"), span.get("messaging.operation.type")), (name, kind));
    assert!(span.get("messaging.destination.name").starts_with(span.get("messaging.destination.template")), "{span:?}");
    assert_eq!(span.process["service.name"], "flywheel");
    assert_eq!(span.process["service.version"], env!("CARGO_PKG_VERSION"));
    let took = span.span.end_time_unix_nano.checked_sub(span.span.start_time_unix_nano);
    assert!(took.is_some_and(|took| took > 0), "{span:?}");
}

fn the_intake_begins_a_trace_where_the_agent_has_none(traces: &Traces, facts: &[Record]) {
    let of_session = |outcome: &str| {
        traces.only(&format!("the session that was {outcome}"), |span| {
            span.get("flywheel.session") == id(3)
                && span.get("messaging.consumer.group.name") == "intake"
                && span.get("flywheel.outcome") == outcome
        })
    };
    let root = of_session("accepted");
    the_tree_is_whole(&traces.of(&root.context()[..32]), None, facts, &id(3));
    // The same session again is a trace of its own, which ends where it is known to be there.
    let again = traces.of(&of_session("duplicate").context()[..32]);
    assert_eq!(again.0.len(), 2, "{again}");
    again.only("its publishing", |span| span.span.kind == 4 && span.get("flywheel.outcome") == "duplicate");
}

fn faults_are_told(traces: &Traces) {
    let of_session = traces.of(&BY_HEADER[..32]);
    let root = of_session.roots()[0];
    assert_eq!(root.links(), [ELSEWHERE], "the trace that the event began in");
    assert!(!of_session.0.iter().any(Received::is_fault), "{of_session}");

    let refused = traces.of(&REFUSED[..32]);
    let how = |stage: &str| {
        let name = format!("process {stage}");
        let worked = |span: &Received| span.span.name == name && span.get("flywheel.outcome") != "not_due";
        let span = refused.0.iter().find(|span| worked(span)).unwrap_or_else(|| panic!("{stage} in\n{refused}"));
        (span.is_fault(), span.get("flywheel.outcome"), span.get("error.type"))
    };
    assert_eq!(how("trade-normalize"), (false, "completed", ""));
    assert_eq!(how("trade-lessons"), (false, "skipped", ""));
    assert_eq!(how("trade-journal"), (true, "failed", "refused"));
    assert_eq!(how("trade-ready"), (false, "completed", ""));

    let junk = traces.of(&JUNK[..32]);
    let root = junk.only("the junk", |span| span.parent().as_deref() == Some(JUNK));
    assert_eq!((root.is_fault(), root.get("error.type")), (true, "no_event"), "{junk}");
    let mut told: Vec<_> = junk.0.iter().filter(|span| span.span.kind == 4).map(|span| &*span.span.name).collect();
    told.sort_unstable();
    assert_eq!(told, ["publish flywheel.log.session-rejected", "publish flywheel.rejected"], "{junk}");
}

/// Spans say where and when, and not what.
fn nothing_secret_is_told(traces: &Traces) {
    for span in &traces.0 {
        let text = format!("{span:?}");
        let found = SECRETS.iter().chain(&["AAPL", "bullish"]).find(|secret| text.contains(**secret));
        assert_eq!(found, None, "{text}");
        assert!(span.span.events.is_empty(), "{text}");
    }
}
