//! Processes beside each other on one data folder.

use crate::place::{Facts, Place, Ran, check_sessions, session, undisturbed};
use std::process::Stdio;

#[test]
fn eight_processes_with_25_sessions_each_make_200_sessions() {
    let place = Place::new();
    let children: Vec<_> = (0..8)
        .map(|process| {
            let files: Vec<String> = (0..25).map(|n| session(&place, process * 25 + n)).collect();
            let arguments: Vec<&str> = ["run", "--json"].into_iter().chain(files.iter().map(String::as_str)).collect();
            place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
        })
        .collect();
    for child in children {
        let ran = Ran::of(&child.wait_with_output().expect("it ends"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let sessions = ran.sessions();
        assert!(sessions.len() == 25 && sessions.iter().all(|(_, status)| status == "ready"), "{sessions:?}");
    }
    let facts = check_sessions(&place, 0..200);
    assert_eq!((facts.count("session-completed"), facts.ready().len()), (200, 200));
    let made = |kind: usize| {
        undisturbed()[kind].iter().filter(|(_, event)| event == "dev.dreamos.artifact.generated.v1").count()
    };
    assert!(made(0) == 3 && made(1) >= 2, "an undisturbed run makes artifacts");
    assert_eq!(facts.check_artifacts(&place.path(".flywheel/artifacts")), 100 * (made(0) + made(1)));
    for n in 0..200 {
        let file = std::fs::read_to_string(place.path(&format!("s{n}.json"))).expect("reads");
        assert!(file.contains("\"complete\""), "session file {n} says so: {file}");
    }
}

#[test]
fn eight_times_50_calls_of_queue_add_make_400_items() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for process in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for n in 0..50 {
                    let name = format!("q{process}-{n}.md");
                    place.put(&name, format!("Post {n} of process {process}.\n"));
                    let arguments = ["queue", "add", "--type", "social_post", "--targets", "social", "--file", &name];
                    assert!(place.done(&arguments).out.starts_with("queued"));
                }
            });
        }
    });
    let facts: Facts = place.facts();
    assert_eq!((facts.count("publication-queued"), facts.count("queue-artifact_added")), (400, 400));
    assert_eq!(facts.all.len(), 800);
    // And so the view has them, each once.
    place.done(&["replay", "--into", "views"]);
    let view = rusqlite::Connection::open(place.path("views/publish_queue.v2.0001.db")).expect("opens");
    let count: u32 = view.query_row("SELECT count(*) FROM items", [], |row| row.get(0)).expect("reads");
    assert_eq!(count, 400);
}
