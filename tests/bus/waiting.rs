//! What stays waits for a bus that is not there yet, says so once, and ends when it is asked to; what answers and is no bus ends
//! it.

use crate::{
    nats::Server,
    place::{Place, Staying},
    swarm::{self, Swarm, session, until},
};
use async_nats::{HeaderMap, jetstream::stream::Config};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    net::TcpListener,
    time::{Duration, Instant},
};

const ALL: [&[&str]; 4] = [&["serve"], &["intake"], &["worker"], &["replica"]];

/// A process of this name, whose words go to a file.
fn stay(place: &Place, name: &str, url: &str, arguments: &[&str]) -> Staying {
    let said = File::create(place.path(name)).expect("makes");
    let mut command = place.command(arguments);
    command.env("FLYWHEEL_NATS_URL", url).args(["--data", &format!("data-{name}")]);
    Staying::of(command.stdout(said.try_clone().expect("shares")).stderr(said).spawn().expect("starts"))
}

fn said(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path(name)).expect("reads")
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_answers_it_waits_and_says_so_once() {
    let mut server = Server::start();
    let place = Place::on(&server);
    assert_eq!(place.run(&["bus", "setup"]).code, 0);
    server.stop();
    let staying = ALL.map(|arguments| stay(&place, arguments[0], &server.url, arguments));
    let leaving = stay(&place, "leaving", &server.url, &["worker", "--stage", "build-scan"]);
    for name in ["serve", "intake", "worker", "replica", "leaving"] {
        until("it waits", || async { said(&place, name).contains("waiting for the bus: cannot connect") }).await;
    }
    let asked = Instant::now();
    assert_eq!(leaving.end().code, 0);
    assert!(asked.elapsed() < Duration::from_secs(5), "it ended after {:?}", asked.elapsed());
    tokio::task::block_in_place(|| server.start_again());
    for (command, begun) in
        [("serve", "taking sessions in, working"), ("intake", "taking sessions in"), ("worker", "working on")]
    {
        until("it begins", || async { said(&place, command).contains(begun) }).await;
    }
    for (staying, arguments) in staying.into_iter().zip(ALL) {
        let code = staying.end().code;
        let said = said(&place, arguments[0]);
        assert_eq!((code, said.matches("waiting for the bus").count()), (0, 1), "{arguments:?}: {said}");
    }
}

/// One of two servers of a cluster, neither of which does anything without the other.
fn one_of_two(number: usize, ports: [u16; 2]) -> Server {
    let [first, second] = ports.map(|port| format!("nats://127.0.0.1:{port}"));
    let port = ports[number];
    Server::configured(&format!(
        "server_name: server-{number}\njetstream {{ store_dir: \"{{store}}\" }}\ncluster {{ name: two, listen: \"127.0.0.1:{port}\", routes: [\"{first}\", \"{second}\"] }}\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_where_no_leader_answers_waits_for_one() {
    let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("binds"));
    let ports = ports.map(|listener| listener.local_addr().expect("an address").port());
    let (alone, mut other) = (one_of_two(0, ports), one_of_two(1, ports));
    let place = Place::on(&alone);
    until("they have found each other", || async {
        tokio::task::block_in_place(|| place.run(&["bus", "setup"])).code == 0
    })
    .await;
    other.stop();
    let staying = ALL.map(|arguments| stay(&place, arguments[0], &alone.url, arguments));
    for arguments in ALL {
        until("it meets a server that does not answer", || async {
            said(&place, arguments[0]).contains("cannot look at the stream FLYWHEEL")
        })
        .await;
    }
    tokio::task::block_in_place(|| other.start_again());
    let client = async_nats::connect(&alone.url).await.expect("connects");
    let jetstream = async_nats::jetstream::new(client);
    until("a session is published", || async {
        let event = swarm::event(&session(1)).to_string();
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/cloudevents+json");
        let sent = jetstream.publish_with_headers(swarm::inbox(), headers, event.into()).await;
        sent.expect("publishes").await.is_ok()
    })
    .await;
    until("the session has ended, and the replica has it", || async {
        let export = ["--data", "data-replica", "log", "export"];
        tokio::task::block_in_place(|| place.run(&export)).out.contains("trade-ready")
    })
    .await;
    for (staying, arguments) in staying.into_iter().zip(ALL) {
        let code = staying.end().code;
        assert_eq!(code, 0, "{arguments:?}: {}", said(&place, arguments[0]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_and_is_no_bus_ends_it_and_what_is_silent_does_not() {
    let place = Place::alone();
    let guarded = Server::configured("jetstream { store_dir: \"{store}\" }\nauthorization { token: secret }\n");
    let silent = TcpListener::bind("127.0.0.1:0").expect("listens");
    let frozen = format!("nats://{}", silent.local_addr().expect("an address"));
    let waiting = stay(&place, "frozen", &frozen, &["intake"]);
    for arguments in ALL {
        let ran = stay(&place, arguments[0], &guarded.url, arguments).wait();
        assert_eq!(ran.code, 1);
        let said = said(&place, arguments[0]);
        assert!(said.contains("authorization violation") && !said.contains("waiting"), "{said}");
    }
    // A server that does not greet is one that was stopped, or a port that leads nowhere yet.
    until("it waits", || async { said(&place, "frozen").contains("waiting for the bus") }).await;
    assert_eq!(waiting.end().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_in_keeps_no_process_from_ending_and_is_not_lost() {
    let swarm = Swarm::new(Duration::from_secs(2)).await;
    let jetstream = async_nats::jetstream::new(swarm.client.clone());
    let limit = async |max_bytes| {
        let stream = jetstream.get_stream("FLYWHEEL").await.expect("is there");
        let config = Config { max_bytes, ..stream.cached_info().config.clone() };
        jetstream.update_stream(&config).await.expect("changes");
    };
    let intake = swarm.start(&["intake"]);
    let waits = async || {
        let stream = jetstream.get_stream("SWARM").await.expect("is there");
        stream.consumer_info("intake").await.expect("is there").num_waiting > 0
    };
    until("it waits for sessions", waits).await;
    // Whoever opens the log while it is full finds another limit than it must have.
    until("it answers submissions", || async { swarm.client.request("$SRV.PING.flywheel", "".into()).await.is_ok() })
        .await;
    limit(1).await;
    for n in 1..=3 {
        swarm.publish_session(&session(n)).await;
    }
    let in_hand = async || {
        let stream = jetstream.get_stream("SWARM").await.expect("is there");
        stream.consumer_info("intake").await.expect("is there").num_ack_pending
    };
    until("one is in hand", || async { in_hand().await > 0 }).await;
    let server = Pid::from_raw(swarm.server.id().cast_signed()).expect("a process");
    kill_process(server, Signal::STOP).expect("is there");
    let asked = Instant::now();
    let ended = tokio::task::block_in_place(|| intake.terminate());
    kill_process(server, Signal::CONT).expect("is there");
    assert!(ended.success() && asked.elapsed() < Duration::from_secs(20), "{ended} after {:?}", asked.elapsed());
    limit(-1).await;
    let _intake = swarm.start(&["intake"]);
    until("everything is in the log", || async { swarm.count_of("session-completed").await == 3 }).await;
}
