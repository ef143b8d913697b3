//! The life/aria pipeline's texts, from session file to Markdown.

#![expect(clippy::disallowed_methods, reason = "lays screenshots out")]

use super::{devlog, extract, gallery, social};
use crate::{
    images::tests::png,
    stages::Stop,
    templates::Templates,
    world::{Origin, World},
};
use flywheel_events::{ArtifactGenerated, Evidence, SessionCompleted};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

fn session(fields: Value) -> SessionCompleted {
    let mut all = json!({
        "session_id": "c3d4e5f6-a7b8-9012-cdef-345678901234",
        "session_type": "life_aria",
        "timestamp": "2025-12-02T05:20:00Z",
        "agent_id": "Agent-7",
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn guide() -> SessionCompleted {
    session(json!({
        "metadata": { "duration_minutes": 90, "artifacts_created": 1, "screenshots_taken": 5 },
        "source_data": {
            "conversations": [{
                "source": "aria",
                "content": "Built a new interactive game using React and Three.js. Features include real-time multiplayer, physics simulation, and dynamic lighting.",
                "timestamp": "2025-12-02T03:00:00Z",
                "artifacts": [{
                    "type": "game", "name": "SpaceExplorer", "path": "D:/games/SpaceExplorer",
                    "technologies": ["React", "Three.js", "WebSocket"]
                }]
            }],
            "screenshots": [
                "screenshots/gameplay_001.png", "screenshots/gameplay_002.png", "screenshots/gameplay_003.png"
            ]
        }
    }))
}

fn world(folder: &Path, screenshots: &[&str]) -> World {
    let origin = Origin {
        folder: folder.to_owned(),
        repo_path: None,
        screenshots: screenshots.iter().map(|path| (*path).to_owned()).collect(),
    };
    World { origins: Box::new(move |_| Ok(Some(origin.clone()))), roots: vec![], git_timeout: Duration::from_secs(1) }
}

fn texts(session: &SessionCompleted) -> [Result<ArtifactGenerated, Stop>; 2] {
    let templates = Templates::load(None).unwrap();
    let creation = extract(session).unwrap();
    [devlog(session, &creation, &templates), social(session, &creation, &templates)]
}

/// The text as a snapshot, its template's digest masked: a template may change without its text.
macro_rules! snapshot {
    ($name:literal, $artifact:expr) => {
        let artifact = $artifact.unwrap();
        let template = artifact.template.expect("a template");
        let name = template.split_once('@').expect("a version").0;
        insta::assert_snapshot!($name, artifact.content.replace(&template, &format!("{name}@…")));
    };
}

#[test]
fn the_guides_session() {
    let session = guide();
    let creation = extract(&session).unwrap();
    assert_eq!(creation.creations[0].name.as_deref(), Some("SpaceExplorer"));
    assert_eq!(creation.creations[0].path.as_deref(), Some("SpaceExplorer"));
    assert_eq!(creation.highlights.len(), 2);
    assert_eq!(creation.highlights[1].evidence, [Evidence::Record("source_data.conversations[0]".into())]);
    let [log, post] = texts(&session);
    snapshot!("guide_devlog", log);
    snapshot!("guide_social_post", post);
}

#[test]
fn the_gallery_notes_what_is_there_and_what_is_not() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("sessions");
    std::fs::create_dir_all(folder.join("screenshots")).unwrap();
    std::fs::write(folder.join("screenshots/gameplay_001.png"), png(1280, 720)).unwrap();
    std::fs::write(folder.join("screenshots/again.png"), png(1280, 720)).unwrap();
    let mut session = guide();
    let more: Vec<Value> = vec![
        json!({ "path": "screenshots/again.png", "caption": "The bridge", "alt": "A bridge" }),
        json!("/home/someone/private/shot.png"),
        json!({ "path": "screenshots", "caption": "A folder" }),
    ];
    let more = more.into_iter().map(|one| serde_json::from_value(one).unwrap());
    session.source_data.screenshots.extend(more);
    let templates = Templates::load(None).unwrap();
    let creation = extract(&session).unwrap();
    let text = gallery(&session, Some(&creation), &world(&folder, &[]), &templates);
    snapshot!("gallery", text);

    let raw = ["screenshots/again.png"];
    let text = gallery(&guide(), None, &world(&folder, &raw), &templates).unwrap().content;
    assert!(text.contains("3 screenshots listed, 1 found, 2 missing; the session claims 5 screenshots and lists 3."));
    let mut nowhere = guide();
    nowhere.source_data.screenshots = vec![serde_json::from_value(json!("")).unwrap()];
    let text = gallery(&nowhere, None, &world(&folder, &[]), &templates).unwrap().content;
    assert!(text.contains("`a screenshot without a path`: the session does not say where it lies"), "{text}");
    let away = World { origins: Box::new(|_| Ok(None)), roots: vec![], git_timeout: Duration::ZERO };
    let text = gallery(&guide(), None, &away, &templates).unwrap().content;
    assert_eq!(text.matches("the session's folder is not on this machine").count(), 3);
}

#[test]
fn nothing_to_show_and_nothing_to_say_is_nothing_to_do() {
    let templates = Templates::load(None).unwrap();
    let session = session(json!({ "metadata": { "screenshots_taken": 2 } }));
    let stopped = gallery(&session, None, &world(Path::new("."), &[]), &templates);
    assert!(matches!(stopped, Err(Stop::NothingToDo(why)) if why == "the session has no screenshots"));
    let [log, post] = texts(&session);
    assert!(matches!(post, Err(Stop::NothingToDo(_))));
    assert!(matches!(log, Err(Stop::NothingToDo(_))));
}

#[test]
fn things_named_twice_are_one_and_lessons_find_their_place() {
    let session = session(json!({
        "goal": "A toy",
        "metadata": { "artifacts_created": 3 },
        "source_data": { "conversations": [
            { "content": "We began.\n\n\"Ship it\" & sail.\nLesson: sleep first.", "artifacts": [
                { "name": "Toy", "type": "website", "technologies": ["Svelte"] },
                { "name": "Toy", "type": "website", "technologies": ["svelte", "CSS"], "path": "toy/" },
                { "type": "song" },
                {}
            ]}
        ]}
    }));
    let creation = extract(&session).unwrap();
    assert_eq!(creation.creations.len(), 2);
    assert_eq!(creation.creations[0].technologies, ["Svelte", "CSS"]);
    assert_eq!(creation.creations[0].evidence.len(), 2);
    let [log, post] = texts(&session);
    snapshot!("toy_devlog", log);
    snapshot!("toy_social_post", post);
}
