//! Binary files: the laws of a blob store, over every store there is, and a screenshot on its way from an agent to its notes.

use crate::{
    deployed::Deployed,
    nats,
    place::{self, Place},
    s3,
    swarm::until,
};
use async_nats::{HeaderMap, jetstream};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::Bytes;
use flywheel::{
    blobs::{BYTES_MAX, Error, Store},
    bus::{Address, BusLog, Topology, setup},
    log::Log as _,
};
use flywheel_events::{Digest, Key};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use tokio::io::AsyncReadExt as _;

/// A picture, of which nothing but its head matters.
fn png(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &size, b"\x08\x02\0\0\0\0\0\0\0"].concat()
}

/// What every store does. `spoil` puts other bytes under a digest, as no store should.
async fn laws(store: &Store, spoil: impl AsyncFn(&Digest, &[u8])) {
    let missing = Digest::of(b"nowhere");
    assert_eq!(store.get(&missing).await, Err(Error::NotFound));
    assert_eq!(store.exists(&missing).await, Ok(false));
    // Nothing, a little, and more than one part of an upload.
    let large: Vec<u8> = (0..400_001_u32).flat_map(u32::to_le_bytes).collect();
    for bytes in [Bytes::new(), Bytes::from(png(640, 360)), Bytes::from(large)] {
        let put = store.put(bytes.clone()).await.expect("stores");
        assert_eq!((put.digest, put.was_there), (Digest::of(&bytes), false));
        assert_eq!(store.get(&put.digest).await.as_ref(), Ok(&bytes));
        assert_eq!(store.exists(&put.digest).await, Ok(true));
        assert!(store.put(bytes.clone()).await.expect("is no error").was_there);
        assert_eq!(store.get(&put.digest).await, Ok(bytes));
    }
    let good = Bytes::from("what it should be");
    let digest = Digest::of(&good);
    spoil(&digest, b"something else....").await;
    assert_eq!(store.get(&digest).await, Err(Error::Damaged));
    assert!(!store.put(good.clone()).await.expect("mends it").was_there);
    assert_eq!(store.get(&digest).await, Ok(good));
    let too_large = vec![0; usize::try_from(BYTES_MAX).expect("64 MiB") + 1];
    assert_eq!(store.put(too_large.into()).await, Err(Error::TooLarge));
}

#[tokio::test]
async fn a_folder_keeps_the_laws() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("UTF-8");
    let store = Store::open(Some(here), None, Path::new("."), &[]).expect("opens");
    let path = |digest: &Digest| folder.path().join(digest.to_string());
    laws(&store, async |digest, bytes| fs::write(path(digest), bytes).expect("writes")).await;
    let digest = Digest::of(b"large");
    fs::File::create(path(&digest)).expect("makes").set_len(BYTES_MAX + 1).expect("grows");
    assert_eq!(store.get(&digest).await, Err(Error::TooLarge));
    // A disk that is away is no blob that is missing.
    let away = folder.path().join("away");
    let store = Store::open(away.to_str(), None, Path::new("."), &[]).expect("opens");
    assert!(matches!(store.get(&digest).await, Err(Error::Unreachable(_))));
    assert!(matches!(store.put(Bytes::from("x")).await, Err(Error::Unreachable(_))));
    let own = Store::open(None, None, &away, &[]).expect("opens");
    assert_eq!(own.get(&digest).await, Err(Error::NotFound));
}

#[tokio::test]
async fn s3_keeps_the_laws() {
    let server = s3::Server::with_bucket("flywheel");
    let open = |setting: &str, environment: &[(String, String)]| {
        Store::open(Some(setting), None, Path::new("."), environment).expect("opens")
    };
    let store = open("s3://flywheel/some/prefix", &server.environment());
    laws(&store, async |digest, bytes| server.put(&format!("flywheel/some/prefix/{digest}"), bytes)).await;
    let digest = Digest::of(b"nowhere");
    let no_bucket = open("s3://elsewhere", &server.environment());
    let found = no_bucket.get(&digest).await;
    assert!(matches!(&found, Err(Error::Unusable(why)) if why.contains("bucket")), "{found:?}");
    let environment = server.environment();
    drop(server);
    assert!(matches!(open("s3://flywheel", &environment).get(&digest).await, Err(Error::Unreachable(_))));
}

#[test]
fn s3_is_reached_by_tls_if_its_certificate_is_trusted() {
    let (server, place) = (s3::Server::with_tls(), Place::alone());
    let mut get = place.command(&["blob", "get", &Digest::of(b"x").to_string()]);
    get.envs(server.environment()).env("FLYWHEEL_BLOBS", "s3://flywheel");
    let ran = place::Ran::of(get.output().expect("runs"));
    ran.failed(1, &["cannot be reached", "certificate"]);
    assert!(!ran.err.contains("its-secret"), "{ran:?}");
    get.env("SSL_CERT_FILE", server.certificate());
    place::Ran::of(get.output().expect("runs")).failed(1, &["there is no such bucket"]);
}

/// Uploads without asking, as anybody with the right to it could.
async fn forge(context: &jetstream::Context, digest: &Digest, bytes: &[u8], upload: &str) {
    let store = async |subject: String, bytes: Vec<u8>| {
        context.publish(subject, bytes.into()).await.expect("sends").await.expect("is stored");
    };
    store(format!("$O.FLYWHEEL_BLOBS.C.{upload}"), bytes.to_vec()).await;
    let entry = json!({
        "name": digest, "bucket": "FLYWHEEL_BLOBS", "nuid": upload, "size": bytes.len(), "chunks": 1,
        "digest": format!("SHA-256={}", URL_SAFE.encode(digest.as_bytes())),
    });
    store(entry_subject(digest), entry.to_string().into_bytes()).await;
}

fn entry_subject(digest: &Digest) -> String {
    format!("$O.FLYWHEEL_BLOBS.M.{}", URL_SAFE.encode(digest.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buss_bucket_keeps_the_laws() {
    let mut server = nats::Server::start();
    let address = Address { url: server.url.clone(), ..Address::default() };
    let open = || Store::open(None, Some(address.clone()), Path::new("."), &[]).expect("opens");
    let digest = Digest::of(b"nowhere");
    let found = open().get(&digest).await;
    assert!(matches!(&found, Err(Error::Unusable(why)) if why.contains("bus setup")), "{found:?}");
    let bus = place::bus(&server).await;
    setup(&bus, &Topology::default()).await.expect("sets up");
    let (store, context) = (open(), bus.jetstream.clone());
    laws(&store, async |digest, bytes| forge(&context, digest, bytes, "spoiled").await).await;

    // Who comes later with something else under the name, or with an entry that leads nowhere, changes nothing.
    let good = Bytes::from(vec![7; 300_000]);
    let digest = store.put(good.clone()).await.expect("stores").digest;
    let first_upload = upload_of(&context, &digest).await;
    context
        .publish(format!("$O.FLYWHEEL_BLOBS.C.{first_upload}"), "more".into())
        .await
        .expect("sends")
        .await
        .expect("is");
    forge(&context, &digest, b"forged", "forged").await;
    for junk in ["{", "{}", r#"{"name":"x","bucket":"x","nuid":"*","size":9,"chunks":9}"#] {
        context.publish(entry_subject(&digest), junk.into()).await.expect("sends").await.expect("is stored");
    }
    assert_eq!(store.get(&digest).await, Ok(good));

    // Nor can a message take away what is there: not one name, not the whole bucket.
    for scope in ["sub", "all"] {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Rollup", scope);
        let sent = context.publish_with_headers(entry_subject(&digest), headers, "{}".into()).await.expect("sends");
        assert!(sent.await.is_err(), "{scope}");
    }
    // What we store any client reads.
    let digest = store.put(Bytes::from(vec![1; 400_000])).await.expect("stores").digest;
    let bucket = context.get_object_store("FLYWHEEL_BLOBS").await.expect("is an object store");
    let mut read = vec![];
    let mut object = bucket.get(digest.to_string()).await.expect("finds");
    object.read_to_end(&mut read).await.expect("reads");
    assert_eq!(read, vec![1; 400_000]);

    // A server that is gone is no missing blob, and one that comes back is waited for.
    server.stop();
    assert!(matches!(open().get(&digest).await, Err(Error::Unreachable(_))));
    let (found, ()) = tokio::join!(store.get(&digest), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| server.start_again());
    });
    assert_eq!(found.expect("is there").len(), 400_000);
}

#[tokio::test]
async fn a_bucket_that_is_full_refuses_uploads_and_stops_nothing_else() {
    let server = nats::Server::start();
    let bus = place::bus(&server).await;
    let topology = Topology { blobs_bytes_max: 1024 * 1024, ..Topology::default() };
    setup(&bus, &topology).await.expect("sets up");
    let address = Address { url: server.url.clone(), ..Address::default() };
    let store = Store::open(None, Some(address), Path::new("."), &[]).expect("opens");
    let there = store.put(vec![1; 500_000].into()).await.expect("stores").digest;
    let found = store.put(vec![2; 2_000_000].into()).await;
    assert!(matches!(&found, Err(Error::Unusable(why)) if why.contains("maximum bytes exceeded")), "{found:?}");
    assert_eq!(store.get(&there).await, Ok(vec![1; 500_000].into()));
    let log = BusLog::open(bus, topology).await.expect("opens");
    place::append(&log, 1..=3).await;
}

/// Reads an object as any client of an object store does.
const READ: &str = "
import asyncio, nats, os, sys
async def main():
    bus = await nats.connect(os.environ['NATS_URL'])
    bucket = await bus.jetstream().object_store('FLYWHEEL_BLOBS')
    sys.stdout.buffer.write((await bucket.get(sys.argv[1])).data)
    await bus.drain()
asyncio.run(main())
";

#[tokio::test]
async fn python_uploads_and_reads_what_others_uploaded() {
    let server = nats::Server::start();
    setup(&place::bus(&server).await, &Topology::default()).await.expect("sets up");
    let address = Address { url: server.url.clone(), ..Address::default() };
    let store = Store::open(None, Some(address), Path::new("."), &[]).expect("opens");
    let python = |arguments: &[&str]| {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/python");
        let ran = Command::new(program).args(arguments).env("NATS_URL", &server.url).output().expect("runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("large");
    let large = vec![3; 300_000];
    fs::write(&file, &large).expect("writes");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bus/clients/upload.py");
    let said = String::from_utf8(python(&[example, file.to_str().expect("UTF-8")])).expect("text");
    assert_eq!(said.trim(), Digest::of(&large).to_string());
    assert_eq!(store.get(&Digest::of(&large)).await, Ok(large.into()));
    let digest = store.put(vec![4; 300_000].into()).await.expect("stores").digest;
    assert_eq!(python(&["-c", READ, &digest.to_string()]), vec![4; 300_000]);
}

/// The upload that the first entry of a name leads to.
async fn upload_of(context: &jetstream::Context, digest: &Digest) -> String {
    let stream = context.get_stream("OBJ_FLYWHEEL_BLOBS").await.expect("is there");
    let entry = stream.get_first_raw_message_by_subject(entry_subject(digest), 1).await.expect("is there");
    let entry: Value = serde_json::from_slice(&entry.payload).expect("JSON");
    entry["nuid"].as_str().expect("an upload").to_owned()
}

/// A life session with a screenshot that is named by its digest, and one that nobody has uploaded.
fn session(digest: &str) -> Value {
    json!({
        "session_id": "c3d4e5f6-a7b8-9012-cdef-345678901234", "session_type": "life_aria",
        "timestamp": "2025-12-02T05:20:00-06:00", "agent_id": "Agent-7",
        "source_data": {
            "conversations": [{ "content": "Built a game.", "artifacts": [{ "type": "game", "name": "Toy" }] }],
            "screenshots": [
                { "path": "shots/play.png", "sha256": digest },
                { "path": "shots/gone.png", "sha256": Digest::of(b"gone") }
            ]
        }
    })
}

#[test]
fn on_one_machine_a_file_is_put_once_and_found_from_everywhere() {
    let place = Place::alone();
    fs::write(place.path("play.png"), png(320, 200)).expect("writes");
    let digest = Digest::of(&png(320, 200)).to_string();
    let put = place.run(&["blob", "put", "play.png", "--json"]).json();
    let stored = json!({
        "sha256": digest, "size": 33, "media_type": "image/png", "was_there": false, "file": "play.png"
    });
    assert_eq!(put, json!([stored]));
    let again = place.run(&["blob", "put", "play.png", "gone.png"]);
    again.failed(1, &[&digest, "image/png", "cannot upload gone.png"]);
    assert!(place.path(&format!(".flywheel/blobs/{digest}")).exists());

    fs::create_dir(place.path("elsewhere")).expect("makes");
    fs::write(place.path("elsewhere/s.json"), session(&digest).to_string()).expect("writes");
    let ran = place.run(&["run", "elsewhere/s.json", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let notes = "c3d4e5f6-a7b8-9012-cdef-345678901234/screenshot_notes.md";
    let notes = fs::read_to_string(place.path(&format!(".flywheel/artifacts/{notes}"))).expect("reads");
    assert!(notes.contains("320 × 200 pixels, PNG") && notes.contains(&digest), "{notes}");
    assert!(notes.contains("`shots/gone.png`: it is not in the blob store"), "{notes}");

    let got = place.command(&["blob", "get", &digest]).output().expect("runs");
    assert_eq!(got.stdout, png(320, 200));
    let got = place.run(&["blob", "get", &digest, "--out", "copy.png", "--json"]).json();
    assert_eq!((got["media_type"].as_str(), got["size"].as_u64()), (Some("image/png"), Some(33)));
    assert_eq!(fs::read(place.path("copy.png")).expect("reads"), png(320, 200));
    fs::write(place.path(&format!(".flywheel/blobs/{digest}")), "something else").expect("writes");
    place.run(&["blob", "get", &digest, "--out", "other.png"]).failed(1, &["something else", "blob put"]);
    assert!(!place.path("other.png").exists());
    place.run(&["blob", "get", &Digest::of(b"x").to_string()]).failed(1, &["not in the blob store"]);
    place.run(&["blob", "get", "abc"]).failed(2, &["64 hexadecimal digits"]);
    let secret = place.command(&["config", "show"]).env("FLYWHEEL_BLOBS", "s3://key:hunter2@bucket").output();
    let said = String::from_utf8(secret.expect("runs").stderr).expect("text");
    assert!(said.contains("no credentials") && !said.contains("hunter2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_uploads_and_a_worker_elsewhere_makes_the_notes() {
    let deployed = Deployed::start(false).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("play.png");
    fs::write(&file, png(640, 360)).expect("writes");
    let digest = Digest::of(&png(640, 360));
    let upload = || deployed.process("Agent-7", &["blob", "put", file.to_str().expect("UTF-8")]).ended();
    let said = upload();
    assert!(said.contains(&digest.to_string()) && said.contains("image/png"), "{said}");
    assert!(!said.contains("ERROR") && !said.contains("WARN"), "{said}");
    // Nobody else has the file.
    fs::remove_file(&file).expect("removes");
    let (intake, worker) = (deployed.process("intake", &["intake"]), deployed.process("worker", &["worker"]));
    let event = json!({
        "specversion": "1.0", "type": "dev.dreamos.session.completed.v1", "source": "/agents/Agent-7", "id": "1",
        "data": session(&digest.to_string()),
    });
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/cloudevents+json");
    let mut agent = deployed.client("Agent-7").await;
    let context = jetstream::new(agent.client.clone());
    let sent = context.publish_with_headers("swarm.session.completed.Agent-7", headers, event.to_string().into());
    sent.await.expect("sends").await.expect("is stored");

    let log = deployed.log("reader").await;
    let id = "c3d4e5f6-a7b8-9012-cdef-345678901234".parse().expect("an id");
    let key = Key::session("life_aria-gallery".parse().expect("a step"), id, 1);
    until("the notes are made", || async { log.get(&key).await.expect("reads").is_some() }).await;
    let (_, notes): (_, Value) = log.get(&key).await.expect("reads").expect("is there").data().expect("reads");
    let text = notes["content"].as_str().unwrap_or_else(|| panic!("no notes: {notes}"));
    assert!(text.contains("640 × 360 pixels, PNG") && text.contains(&digest.to_string()), "{text}");
    assert!(text.contains("it is not in the blob store"), "{text}");
    for process in [intake, worker] {
        let said = process.end();
        assert!(!said.contains("ERROR") && !said.contains("Violation"), "{said}");
    }

    let copy = folder.path().join("copy.png");
    let get = ["blob", "get", &digest.to_string(), "--out", copy.to_str().expect("UTF-8")];
    let said = deployed.process("reader", &get).ended();
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(fs::read(&copy).expect("reads"), png(640, 360));
    let mut reader = deployed.client("reader").await;
    let taking_away = [
        "$JS.API.STREAM.PURGE.OBJ_FLYWHEEL_BLOBS",
        "$JS.API.STREAM.DELETE.OBJ_FLYWHEEL_BLOBS",
        "$JS.API.STREAM.UPDATE.OBJ_FLYWHEEL_BLOBS",
        "$JS.API.STREAM.MSG.DELETE.OBJ_FLYWHEEL_BLOBS",
    ];
    let writing = ["$O.FLYWHEEL_BLOBS.C.mine", "$O.FLYWHEEL_BLOBS.M.mine"];
    reader.may_not_publish(&[&taking_away[..], &writing].concat()).await;
    deployed.client("worker").await.may_not_publish(&[&taking_away[..], &writing].concat()).await;

    // An agent uploads, and may neither read nor take away; a message that purges is stored for nobody.
    agent.may_not_publish(&taking_away).await;
    let reading = [
        "$JS.API.DIRECT.GET.OBJ_FLYWHEEL_BLOBS",
        "$JS.API.CONSUMER.CREATE.OBJ_FLYWHEEL_BLOBS.mine",
        "$JS.API.STREAM.INFO.OBJ_FLYWHEEL_BLOBS",
    ];
    agent.may_not_publish(&reading).await;
    agent.may_not_subscribe(&["$O.FLYWHEEL_BLOBS.>"]).await;
    let mut all = HeaderMap::new();
    all.insert("Nats-Rollup", "all");
    let sent = context.publish_with_headers("$O.FLYWHEEL_BLOBS.M.mine", all, "{}".into()).await.expect("sends");
    assert!(sent.await.is_err());
    let said = deployed.process("Agent-7", &["blob", "get", &digest.to_string()]).ended();
    assert!(said.contains("may not read"), "{said}");
    let said = deployed.process("reader", &get).ended();
    assert!(!said.contains("rror"), "{said}");
    agent.was_refused_nothing_else().await;
}
