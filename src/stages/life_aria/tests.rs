//! The life/aria pipeline's texts, from session file to Markdown.

#![expect(clippy::disallowed_methods, reason = "lays screenshots out")]

use super::{devlog, extract, gallery, social};
use crate::{
    blobs,
    images::tests::png,
    stages::Stop,
    templates::Templates,
    world::{Origin, World},
};
use flywheel_events::{ArtifactGenerated, Digest, Evidence, SessionCompleted};
use serde_json::{Value, json};
use std::path::Path;

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
    World { origins: Box::new(move |_| Ok(Some(origin.clone()))), ..World::nowhere() }
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
    let away = World::nowhere();
    let text = gallery(&guide(), None, &away, &templates).unwrap().content;
    assert_eq!(text.matches("the session's folder is not on this machine").count(), 3);
}

#[test]
fn a_screenshot_that_was_uploaded_is_noted_alike_on_every_machine() {
    let templates = Templates::load(None).unwrap();
    let (bytes, text) = (png(640, 360), b"no image".to_vec());
    let digest = |bytes: &[u8]| Digest::of(bytes);
    let session = session(json!({ "source_data": { "screenshots": [
        { "path": "shots/play.png", "sha256": digest(&bytes) },
        { "path": "", "sha256": digest(&bytes) },
        { "path": "text.png", "sha256": digest(&text) },
        { "path": "shots/gone.png", "sha256": digest(b"gone") },
    ] } }));
    let place = tempfile::tempdir().unwrap();
    // What lies in its place on this machine is something else.
    std::fs::create_dir(place.path().join("shots")).unwrap();
    std::fs::write(place.path().join("shots/gone.png"), png(1, 1)).unwrap();
    let stored = [bytes, text];
    let blobs = move |wanted: &Digest| -> Result<bytes::Bytes, blobs::Error> {
        let found = stored.iter().find(|bytes| Digest::of(bytes) == *wanted);
        found.map(|bytes| bytes.clone().into()).ok_or(blobs::Error::NotFound)
    };
    let here = World { blobs: Box::new(blobs.clone()), ..world(place.path(), &[]) };
    let away = World { blobs: Box::new(blobs), ..World::nowhere() };
    let notes = |world: &World| gallery(&session, None, world, &templates).unwrap();
    let text = notes(&away).content;
    assert!(text.contains("4 screenshots listed, 2 found, 2 missing"), "{text}");
    assert_eq!(text.matches("640 × 360 pixels, PNG").count(), 2, "{text}");
    assert!(text.contains("`shots/gone.png`: it is not in the blob store"), "{text}");
    assert!(text.contains("`text.png`: the file is not an image of a known format"), "{text}");
    assert_eq!(notes(&here).content, text);
    // What was never uploaded is found where it lies, if it is what the session means.
    std::fs::write(place.path().join("shots/gone.png"), b"gone").unwrap();
    assert_eq!(notes(&here).content, text, "it is no image");
    let mut local = session.clone();
    std::fs::write(place.path().join("shots/gone.png"), png(3, 2)).unwrap();
    let named = json!([{ "path": "shots/gone.png", "sha256": digest(&png(3, 2)) }]);
    local.source_data.screenshots = serde_json::from_value(named).unwrap();
    assert!(gallery(&local, None, &here, &templates).unwrap().content.contains("3 × 2 pixels, PNG"));
}

#[test]
fn a_blob_store_that_does_not_answer_is_asked_again() {
    let templates = Templates::load(None).unwrap();
    let named = json!({ "source_data": { "screenshots": [{ "path": "a.png", "sha256": Digest::of(b"a") }] } });
    for error in [blobs::Error::Unreachable("gone".into()), blobs::Error::Unusable("no bucket".into())] {
        let world = World { blobs: Box::new(move |_| Err(error.clone())), ..World::nowhere() };
        let stopped = gallery(&session(named.clone()), None, &world, &templates);
        assert!(matches!(stopped, Err(Stop::World(_))));
    }
    for (error, why) in [(blobs::Error::Damaged, "is something else"), (blobs::Error::TooLarge, "larger than 64 MiB")] {
        let world = World { blobs: Box::new(move |_| Err(error.clone())), ..World::nowhere() };
        let text = gallery(&session(named.clone()), None, &world, &templates).unwrap().content;
        assert!(text.contains(why), "{text}");
    }
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
