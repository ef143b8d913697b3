//! Processes that are killed at any moment.

use crate::place::{Place, Ran, check_sessions, files, id, leftovers, random, seed, session};
use flywheel::{local::Local, log::EmbeddedLog, views};
use rand::RngExt as _;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Kills a child after a while, unless it was faster; says what it said.
fn kill_after(mut child: Child, wait: Duration) -> Ran {
    std::thread::sleep(wait);
    // It may have ended.
    let _ = child.kill();
    Ran::of(&child.wait_with_output().expect("it ends"))
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// How many deliveries are in flight.
fn in_flight(place: &Place) -> u32 {
    let local = rusqlite::Connection::open(place.path(".flywheel/local.db")).expect("opens");
    local
        .query_row("SELECT (SELECT count(*) FROM in_flight) + (SELECT count(*) FROM leases)", [], |row| row.get(0))
        .expect("reads")
}

#[test]
fn a_run_that_is_killed_loses_nothing_and_the_next_goes_on() {
    const KILLS: usize = 50;
    let mut random = random();
    let mut killed = 0;
    while killed < KILLS {
        killed += kill_runs(&mut random, KILLS / 5);
    }
}

/// Kills runs in a folder of their own, until so many have died before their end. Says how many.
fn kill_runs(random: &mut impl rand::Rng, kills: usize) -> usize {
    let place = Place::new();
    // How long one takes that is left alone: from before there is a log to behind the last file.
    let before = Instant::now();
    place.done(&["run", "--json", &session(&place, 0), &session(&place, 1)]);
    let whole = before.elapsed();
    let (mut exported, mut killed, mut n) = (place.export(), 0, 2);
    while killed < kills {
        let names = [session(&place, n), session(&place, n + 1)];
        let arguments = ["run", "--json", &names[0], &names[1]];
        // Once, or several times in a row.
        for _ in 0..random.random_range(1..=3) {
            let wait = whole * random.random_range(0..=110) / 100;
            let ran = kill_after(start(place.command(&arguments)), wait);
            killed += usize::from(ran.code.is_none());
            let now = place.export();
            assert!(now.starts_with(&exported), "what was there is there");
            exported = now;
            if ran.code == Some(0) {
                let ready = place.facts().ready();
                assert!(ran.sessions().iter().all(|(id, _)| ready.contains(id)), "what was reported is there");
            }
        }
        let ran = place.done(&arguments);
        assert_eq!(ran.err, "");
        for (id, status) in ran.sessions() {
            assert!(["ready", "duplicate"].contains(&status.as_str()), "{id} is {status}");
        }
        n += 2;
    }
    assert!(place.export().starts_with(&exported));
    check_sessions(&place, 0..n);
    place.done(&["run", &session(&place, n)]);
    assert_eq!(leftovers(&place), Vec::<std::path::PathBuf>::new(), "what the dead left is tidied");
    assert_eq!(in_flight(&place), 0, "what is in flight of ended runs is forgotten");
    killed
}

/// A log of so many sessions.
fn place_with(count: usize) -> Place {
    let place = Place::new();
    let names: Vec<String> = (0..count).map(|n| session(&place, n)).collect();
    let arguments: Vec<&str> = ["run"].into_iter().chain(names.iter().map(String::as_str)).collect();
    place.done(&arguments);
    place
}

/// A process of its own that reads the views of a folder, over and over, when a test starts it.
#[test]
fn reads_views_when_it_is_told_to() {
    let Some(folder) = std::env::var_os("FLYWHEEL_CRASH_READ") else { return };
    let times = std::env::var("FLYWHEEL_CRASH_TIMES").expect("set with it").parse().expect("a number");
    let data = std::path::PathBuf::from(folder);
    let local = Local::open(&data).expect("opens");
    let log = EmbeddedLog::open(&data, &local).expect("opens");
    for _ in 0..times {
        let head = log.head_now().expect("reads").position;
        for view in flywheel_projections::all() {
            let connection = views::caught_up(&data, &log, view).unwrap_or_else(|error| panic!("{error}"));
            let (position, digest) = (checkpoint(&connection), views::digest(&connection).expect("reads"));
            assert!(position >= head, "{} is caught up", view.name);
            println_digest(view.name, position, &digest.to_string());
        }
    }
}

#[allow(clippy::print_stdout, reason = "the starting test reads it")]
fn println_digest(view: &str, position: u64, digest: &str) {
    println!("\nread {view} {position} {digest}");
}

fn checkpoint(connection: &rusqlite::Connection) -> u64 {
    connection.query_row("SELECT position FROM checkpoint", [], |row| row.get(0)).expect("reads")
}

fn reader(place: &Place, times: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    crate::place::bare(&mut command, &place.path("."));
    command.args(["--exact", "kills::reads_views_when_it_is_told_to", "--nocapture", "--test-threads=1"]);
    command.env("FLYWHEEL_CRASH_READ", place.data()).env("FLYWHEEL_CRASH_TIMES", times.to_string());
    command
}

/// What a reader has seen agrees with what a rebuild up to the same position says.
fn check_reads(place: &Place, ran: &Ran) {
    let mut built: BTreeMap<&str, Value> = BTreeMap::new();
    for line in ran.out.lines().filter_map(|line| line.strip_prefix("read ")) {
        let [view, position, digest] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let built = built.entry(position).or_insert_with(|| {
            let then = format!("then-{position}");
            let ran = place.done(&["replay", "--json", "--until", position, "--into", &then]);
            serde_json::from_str(&ran.out).expect("JSON")
        });
        let views = built["views"].as_array().expect("a list");
        let expect = views.iter().find(|built| built["view"] == view).expect("every view");
        assert_eq!(expect["digest"].as_str(), Some(digest), "{view} at {position}");
    }
}

#[test]
fn replays_and_readers_that_are_killed_leave_views_that_are_read() {
    const KILLS: usize = 60;
    let (mut random, place) = (random(), place_with(40));
    let (mut killed, mut round) = (0, 0);
    while killed < KILLS {
        // From no views at all, now and then: who makes the first ones dies, too.
        if round % 10 == 0 {
            let _ = std::fs::remove_dir_all(place.path(".flywheel/views"));
        }
        round += 1;
        let victims = [
            start(place.command(&["replay", "--json"])),
            start(reader(&place, 1000)),
            start(place.command(&["replay", "--json"])),
        ];
        let survivor = start(reader(&place, 5));
        for victim in victims {
            let ran = kill_after(victim, Duration::from_micros(random.random_range(0..=20_000)));
            killed += usize::from(ran.code.is_none());
            assert!(ran.code.is_none_or(|code| code == 0), "{ran:?}");
            assert!(!ran.out.contains("panicked"), "{ran:?}");
        }
        let ran = Ran::of(&survivor.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, Some(0), "round {round}: {ran:?}");
        let seen = ran.out.lines().filter(|line| line.starts_with("read ")).count();
        assert_eq!(seen, 5 * flywheel_projections::all().len());
        check_reads(&place, &ran);
        if round % 5 == 0 {
            // The log grows between.
            place.done(&["run", &session(&place, 100 + round)]);
        }
    }
    // Two whole rebuilds take away what the dead ones have left.
    place.done(&["replay"]);
    place.done(&["replay"]);
    let left = files(&place.path(".flywheel/views"));
    let databases = left.iter().filter(|path| path.extension().is_some_and(|extension| extension == "db")).count();
    assert!(databases <= 2 * flywheel_projections::all().len(), "{left:?}");
    assert_eq!(leftovers(&place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn replays_beside_each_other_all_succeed() {
    let place = place_with(20);
    seed();
    for round in 0..6 {
        if round % 3 == 0 {
            let _ = std::fs::remove_dir_all(place.path(".flywheel/views"));
        }
        let mut children: Vec<_> = (0..6).map(|_| start(place.command(&["replay", "--json"]))).collect();
        children.extend((0..2).map(|_| start(reader(&place, 20))));
        for child in children {
            let ran = Ran::of(&child.wait_with_output().expect("it ends"));
            assert_eq!(ran.code, Some(0), "round {round}: {ran:?}");
        }
    }
    let ran = Ran::of(&reader(&place, 1).output().expect("it starts"));
    check_reads(&place, &ran);
    assert!(ran.out.contains("read manifest "), "{ran:?}");
    assert!(place.facts().ready().contains(&id(19)));
}
