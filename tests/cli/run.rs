//! `flywheel run`: every status, every exit code, and what lies on the disk behind it.

use crate::{BUILD, LIFE, Place, TRADE, TRADE_ID, git, id, names, with_id};
use flywheel_events::Digest;
use serde_json::{Value, json};
use std::fs;

fn status(session: &Value) -> &str {
    session["status"].as_str().expect("a status")
}

/// The keys that the specification names are there with their shapes, and the artifacts are what is said of them.
fn check_shape(session: &Value) {
    let keys: Vec<&str> = session.as_object().expect("an object").keys().map(String::as_str).collect();
    for key in ["session_id", "status", "artifacts", "failures", "warnings"] {
        assert!(keys.contains(&key), "{key}: {session}");
    }
    for artifact in session["artifacts"].as_array().expect("a list") {
        let keys: Vec<&str> = artifact.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["path", "sha256", "type"]);
        let path = std::path::Path::new(artifact["path"].as_str().expect("text"));
        assert!(path.is_absolute(), "{artifact}");
        assert!(path.parent().expect("a folder").ends_with(session["session_id"].as_str().expect("an id")));
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{artifact}: {error}"));
        assert_eq!(artifact["sha256"], Digest::of(&bytes).to_string(), "{artifact}");
    }
    for failure in session["failures"].as_array().expect("a list") {
        assert!(failure["step"].is_string() && failure["error"].is_string(), "{failure}");
    }
    assert!(session["warnings"].as_array().expect("a list").iter().all(Value::is_string));
}

fn steps(session: &Value) -> Vec<&str> {
    session["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|failure| failure["step"].as_str().expect("a step"))
        .collect()
}

fn types(session: &Value) -> Vec<&str> {
    session["artifacts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|artifact| artifact["type"].as_str().expect("a type"))
        .collect()
}

#[test]
fn a_good_session_is_ready_and_then_a_duplicate() {
    let place = Place::with_trade();
    let (first, code) = place.session(&["t.json"]);
    check_shape(&first);
    assert_eq!((status(&first), code), ("ready", 0));
    assert_eq!(types(&first), ["trade_journal", "trade_thread", "equity_curve"]);
    assert_eq!((&first["failures"], &first["session_id"]), (&json!([]), &json!(TRADE_ID)));
    let folder = place.path(&format!(".flywheel/artifacts/{TRADE_ID}"));
    assert_eq!(names(&folder), ["equity_curve.svg", "social_trade_thread.md", "trade_journal.md"]);
    let (log, session) = (place.log(), place.read("t.json"));

    let (again, code) = place.session(&["t.json"]);
    check_shape(&again);
    assert_eq!((status(&again), code), ("duplicate", 0));
    assert_eq!(again["artifacts"], first["artifacts"]);

    // What is missing comes back with the same bytes; what was edited stays, with a warning.
    let journal = folder.join("trade_journal.md");
    let made = fs::read(&journal).expect("reads");
    fs::remove_file(&journal).expect("removes");
    let (again, _) = place.session(&["t.json"]);
    check_shape(&again);
    assert_eq!((fs::read(&journal).expect("reads"), &again["warnings"]), (made, &json!([])));
    fs::remove_dir_all(&folder).expect("removes");
    check_shape(&place.session(&["t.json"]).0);
    fs::write(&journal, "mine").expect("writes");
    let (again, code) = place.session(&["t.json"]);
    assert_eq!((status(&again), code, fs::read(&journal).expect("reads")), ("duplicate", 0, b"mine".to_vec()));
    let warnings = again["warnings"].to_string();
    assert!(warnings.contains("trade_journal.md") && warnings.contains("left as it is"), "{warnings}");
    // The session's pristine copy is the same session.
    place.put("t.json", TRADE);
    assert_eq!(status(&place.session(&["t.json"]).0), "duplicate");
    assert_eq!((place.log(), place.read("t.json")), (log, session), "a duplicate adds nothing to the log");
}

#[test]
fn the_streams_are_kept_apart() {
    let place = Place::new();
    place.put("l.json", LIFE);
    let ran = place.run(&["run", "l.json", "none.json", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""), "with --json everything is in the document");
    assert_eq!(ran.json()["sessions"].as_array().map(Vec::len), Some(2));
    let ran = place.run(&["run", "l.json", "none.json"]);
    assert!(ran.out.starts_with("duplicate ") && ran.out.contains("\nrejected ") && !ran.out.contains("warning"));
    assert!(ran.err.contains("none.json: refused") && ran.err.contains("warning: l.json"), "{ran:?}");
}

#[test]
fn each_file_of_a_call_stands_alone() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let other = with_id(TRADE, &id(1));
    place.put("new.json", &other);
    place.put("copy.json", &other);
    place.put("conflict.json", TRADE.replace("Agent-5", "Agent-6"));
    place.put("bad.json", TRADE.replace("\"trade\"", "\"poem\""));
    place.put("no.json", "{");
    // Nearly as large as a session may be, and larger when every address is replaced.
    let long = LIFE.replacen("\"content\": \"", &format!("\"content\": \"{}", "a@b.co ".repeat(100_000)), 1);
    assert!(long.len() > 700_000 && long.len() < 768 * 1024);
    place.put("long.json", with_id(&long, &id(2)));
    let files = ["t.json", "long.json", "new.json", "copy.json", "conflict.json", "bad.json", "no.json", "none.json"];
    let (sessions, code) = place.sessions(&files);
    sessions.iter().for_each(check_shape);
    let statuses: Vec<&str> = sessions.iter().map(status).collect();
    let expect = ["duplicate", "rejected", "ready", "duplicate", "conflict", "rejected", "rejected", "rejected"];
    assert_eq!((statuses, code), (expect.to_vec(), 2));
    for (session, file) in sessions.iter().zip(files) {
        assert_eq!(session["file"], file);
    }
    assert_eq!((&sessions[5]["session_id"], &sessions[6]["session_id"]), (&json!(TRADE_ID), &json!(null)));
    assert_eq!(steps(&sessions[4]), ["session-completed"]);
    let conflict = &sessions[4]["failures"][0];
    assert!(conflict["error"].as_str().unwrap().contains("position 1"), "{conflict}");
    assert!(!place.log().contains("poem"), "nothing of a refused file is recorded");
    assert_eq!(place.sessions(&["t.json", "conflict.json"]).1, 1, "the highest code");
    assert_eq!(place.sessions(&["t.json", "new.json"]).1, 0);
    assert!(place.read("conflict.json").contains("Agent-6"));
    assert_eq!(place.read("conflict.json"), TRADE.replace("Agent-5", "Agent-6"), "a conflict changes no file");
}

#[test]
fn two_contents_under_one_id_in_one_call_are_a_conflict() {
    let place = Place::with_trade();
    place.put("other.json", TRADE.replace("Agent-5", "Agent-6"));
    let (sessions, code) = place.sessions(&["t.json", "other.json", "t.json"]);
    assert_eq!(sessions.iter().map(status).collect::<Vec<_>>(), ["ready", "conflict", "duplicate"]);
    assert_eq!(code, 1);
}

#[test]
fn two_ids_with_one_content_have_files_of_their_own() {
    let place = Place::with_trade();
    place.put("u.json", with_id(TRADE, &id(1)));
    let (sessions, code) = place.sessions(&["t.json", "u.json"]);
    sessions.iter().for_each(check_shape);
    assert_eq!((code, sessions.iter().map(status).collect::<Vec<_>>()), (0, vec!["ready", "ready"]));
    assert_eq!(names(&place.path(".flywheel/artifacts")), [id(1), TRADE_ID.to_owned()]);
}

#[test]
fn a_refusal_says_what_where_and_what_to_do() {
    let place = Place::new();
    place.put("syntax.json", "{\n  \"session_id\": }");
    place.put("fields.json", TRADE.replace("\"Agent-5\"", "\"a b\"").replace("\"trade\"", "\"trad\""));
    let (sessions, code) = place.sessions(&["syntax.json", "fields.json", "none.json"]);
    assert_eq!(code, 2);
    let failures = |n: usize| -> Vec<(String, String)> {
        let text = |failure: &Value, key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        let list = sessions[n]["failures"].as_array().expect("a list");
        list.iter().map(|failure| (text(failure, "error"), text(failure, "hint"))).collect()
    };
    let starts = ["line 2, column 17: ", "session_type: ", "agent_id: ", "session file not found"];
    let all = [failures(0), failures(1), failures(2)].concat();
    assert_eq!(all.len(), starts.len(), "{all:?}");
    for ((error, hint), start) in all.iter().zip(starts) {
        assert!(error.starts_with(start) && !hint.is_empty(), "{start}: {error}, {hint}");
    }
}

#[test]
fn refused_files_leave_no_trace() {
    let place = Place::new();
    place.put("bad.json", TRADE.replace("\"Agent-5\"", "\"a b\""));
    place.put("escape.json", TRADE.replace(TRADE_ID, "x\\u001b[31mred"));
    place.put("life.json", LIFE);
    for (arguments, words) in [
        (&["bad.json"][..], &["bad.json", "agent_id", "help: "][..]),
        (&["none.json"], &["none.json", "not found", "flywheel session new"]),
        (&["."], &["directory", "folder/*.json"]),
        (&["/dev/zero"], &["/dev/zero", "help: "]),
        (&["life.json", "--pipeline", "build"], &["life_aria", "contradicts", "--pipeline life_aria"]),
    ] {
        let ran = place.run(&[&["run"], arguments].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.out.starts_with("rejected "), "{ran:?}");
        words.iter().for_each(|word| assert!(ran.err.contains(word), "`{word}`: {}", ran.err));
    }
    let ran = place.run(&["run", "escape.json"]);
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
    place.run(&["run"]).refused(&["<FILE>"]);
    place.run(&["run", "life.json", "--pipeline", "poem"]).refused(&["poem", "life_aria"]);
    place.run(&["run", "life.json", "--templates", "none"]).refused(&["none", "templates"]);
    place.run(&["run", "--repo-root", "."]).refused(&["no session file", "hint: "]);
    assert_eq!(place.names(), ["bad.json", "escape.json", "life.json"], "not even the data folder");
    assert_eq!(place.run(&["run", "life.json", "--pipeline", "life-aria"]).code, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_are_shown_or_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let place = Place::with_trade();
    let odd = OsStr::from_bytes(b"o\xffdd.json");
    fs::copy(place.path("t.json"), place.path("").join(odd)).expect("copies");
    let output = place.command(&["run", "--json"]).arg(odd).output().expect("it starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((report["sessions"][0]["status"].as_str(), output.status.code()), (Some("ready"), Some(0)));
    assert_eq!(report["sessions"][0]["file"], "o\u{fffd}dd.json");
    for arguments in [
        &["run", "t.json", "--out"][..],
        &["run", "t.json", "--data"],
        &["config", "show", "--json", "--data"],
        &["session", "new", "--agent", "Agent-7", "--json", "--out"],
    ] {
        let output = place.command(arguments).arg(OsStr::from_bytes(b"f\xff")).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("is not UTF-8") && said.contains("hint: "), "{arguments:?}: {said}");
    }
}

#[test]
fn a_broken_template_makes_a_session_partial_and_no_template_at_all_makes_it_fail() {
    let place = Place::new();
    place.put("l.json", LIFE);
    place.put("some/devlog.md", "{{ nothing_of_that_name }}");
    let (partial, code) = place.session(&["l.json", "--templates", "some"]);
    check_shape(&partial);
    assert_eq!((status(&partial), code), ("partial", 1));
    assert_eq!((types(&partial), steps(&partial)), (vec!["social_post", "gallery"], vec!["life_aria-devlog"]));
    let failure = &partial["failures"][0];
    assert!(failure["error"].as_str().unwrap().contains("devlog.md:1"), "why and where: {failure}");
    assert!(failure["hint"].as_str().unwrap().contains("template"), "what to do: {failure}");
    let file: Value = serde_json::from_str(&place.read("l.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["life_aria_artifact"], "partial");
    assert_eq!(file["artifacts"]["devlog"], json!({ "generated": false, "path": null, "status": "failed" }));

    for name in ["devlog.md", "gallery.md", "social_post.md"] {
        place.put(&format!("all/{name}"), "{{ nothing_of_that_name }}");
    }
    place.put("m.json", with_id(LIFE, &id(1)));
    let (failed, code) = place.session(&["m.json", "--templates", "all"]);
    check_shape(&failed);
    assert_eq!((status(&failed), code, types(&failed).len(), steps(&failed).len()), ("failed", 1, 0, 3));
    let file: Value = serde_json::from_str(&place.read("m.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["life_aria_artifact"], "failed");
    // It has ended: the same file again is a duplicate, which still says what failed.
    let (again, code) = place.session(&["m.json"]);
    assert_eq!((status(&again), code, steps(&again).len()), ("duplicate", 0, 3));
    place.put("bad/devlog.md", "{% if %}");
    place.run(&["run", "l.json", "--templates", "bad"]).refused(&["devlog.md", "does not compile", "hint: "]);
}

#[test]
fn a_step_whose_fact_is_too_large_fails_and_spares_the_rest() {
    let place = Place::with_trade();
    let mut session: Value = serde_json::from_str(&with_id(TRADE, &id(1))).expect("JSON");
    let trade = json!({
        "symbol": "A", "action": "buy", "quantity": 1, "price": 1, "timestamp": "2025-12-02T03:00:00Z",
    });
    session["source_data"]["trades"] = json!(vec![trade; 5000]);
    place.put("many.json", session.to_string());
    let (sessions, code) = place.sessions(&["many.json", "t.json"]);
    sessions.iter().for_each(check_shape);
    assert_eq!((sessions.iter().map(status).collect::<Vec<_>>(), code), (vec!["failed", "ready"], 1));
    let failures = sessions[0]["failures"].as_array().expect("a list");
    let normalize = failures.iter().find(|failure| failure["step"] == "trade-normalize").expect("it failed");
    assert!(normalize["error"].as_str().expect("text").contains("1048576"), "{normalize}");
    assert!(normalize["hint"].as_str().expect("text").contains("split the session"), "{normalize}");
}

#[test]
fn an_unbalanced_block_in_a_readme_fails_that_artifact_alone() {
    let place = Place::new();
    let repository = place.path("repo");
    place.put("repo/README.md", "# Tool\n\n<!-- flywheel:begin recent-work -->\nnever closed\n");
    place.put("repo/Cargo.toml", "[package]\nname = \"tool\"\ndescription = \"counts words\"\n");
    git(&repository, &["init", "-q"]);
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "feat: count words"]);
    let args = ["session", "new", "--agent", "Agent-7", "--repo", "repo", "--since", "1h", "--out", "s.json"];
    assert_eq!(place.run(&args).code, 0);
    let (session, code) = place.session(&["s.json"]);
    check_shape(&session);
    assert_eq!((status(&session), code), ("partial", 1), "{session}");
    assert_eq!(steps(&session), ["build-readme"]);
    assert!(types(&session).contains(&"build_log"), "{session}");
}

#[test]
fn artifacts_go_where_they_are_asked_to() {
    let place = Place::with_trade();
    let (session, _) = place.session(&["t.json", "--out", "public/x"]);
    check_shape(&session);
    let folder = place.path("public/x");
    assert!(
        session["artifacts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|artifact| { artifact["path"].as_str().unwrap().starts_with(&*folder.to_string_lossy()) })
    );
    assert!(!place.path(".flywheel/artifacts").exists());
    // By environment, by file, with a data folder of its own.
    let environment = [("FLYWHEEL_DATA", "deep/er"), ("FLYWHEEL_OUT", "env")];
    assert_eq!(place.run_in(&environment, &["run", "t.json"]).code, 0);
    assert!(place.path("deep/er/log.db").exists() && place.path(&format!("env/{TRADE_ID}")).exists());
    place.put("flywheel.toml", "out = \"toml\"");
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    assert!(place.path(&format!("toml/{TRADE_ID}/trade_journal.md")).exists(), "a duplicate is written there too");
}

#[test]
fn a_place_that_cannot_be_written_is_said_and_made_good_later() {
    let place = Place::with_trade();
    place.put("file", "");
    let (session, code) = place.session(&["t.json", "--out", "file/below"]);
    assert_eq!((status(&session), code), ("failed", 1));
    assert_eq!(steps(&session), ["write-trade_journal", "write-trade_thread", "write-equity_curve"]);
    let failure = &session["failures"][0];
    assert!(failure["error"].as_str().unwrap().contains("file/below"), "{failure}");
    assert!(failure["hint"].as_str().unwrap().contains("--out"), "{failure}");
    let file: Value = serde_json::from_str(&place.read("t.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["trade_artifact"], "failed");
    assert_eq!(file["artifacts"]["trade_journal"], json!({ "generated": false, "path": null, "status": "failed" }));
    let log = place.log();
    let (session, code) = place.session(&["t.json"]);
    check_shape(&session);
    assert_eq!((status(&session), code, place.log()), ("duplicate", 0, log));
    let file: Value = serde_json::from_str(&place.read("t.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["trade_artifact"], "complete");
    // One of three is in the way.
    fs::create_dir_all(place.path(&format!("part/{TRADE_ID}/trade_journal.md/x"))).expect("makes the folder");
    let (session, code) = place.session(&["t.json", "--out", "part"]);
    assert_eq!((status(&session), code, steps(&session)), ("partial", 1, vec!["write-trade_journal"]));
    let file: Value = serde_json::from_str(&place.read("t.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["trade_artifact"], "partial");
}

#[test]
fn a_repository_is_read_under_the_roots_only_and_the_run_says_why_not() {
    let place = Place::new();
    let outside = Place::new();
    let repository = outside.path("repo");
    outside.put("repo/a.txt", "one\n");
    git(&repository, &["init", "-q"]);
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "feat: one"]);
    let path = repository.to_string_lossy().into_owned();
    let elsewhere = outside.path("elsewhere");
    fs::create_dir(&elsewhere).expect("makes the folder");
    let root = outside.path("").to_string_lossy().into_owned();
    let root = root.trim_end_matches('/');
    let mut count = 0;
    let mut run = |arguments: &dyn Fn(&str) -> Vec<String>, environment: &[(&str, &str)]| -> (String, String) {
        count += 1;
        let file = format!("s{count}.json");
        place.put(&file, with_id(BUILD, &id(count)).replace("D:/path/to/repo", &path));
        let arguments = arguments(&file);
        let arguments: Vec<&str> = ["run", "--json"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let ran = place.run_in(environment, &arguments);
        let report = ran.json();
        let scan = place.run(&["log", "show", &format!("build-scan/session/{}/1", id(count)), "--json"]).json();
        check_shape(&report["sessions"][0]);
        (report["sessions"][0]["warnings"].to_string(), scan["event"]["data"]["unreachable"].to_string())
    };
    let plain = |file: &str| vec![file.to_owned()];
    let (warnings, unreachable) = run(&plain, &[]);
    assert!(warnings.contains("outside the folders") && warnings.contains("--repo-root"), "{warnings}");
    assert!(unreachable.contains("outside the folders"));
    assert!(!warnings.contains(root) && !unreachable.contains(root), "no path of the machine");
    let elsewhere = elsewhere.to_string_lossy().into_owned();
    let roots =
        |text: &[&str], file: &str| -> Vec<String> { text.iter().copied().chain([file]).map(str::to_owned).collect() };
    assert!(run(&|file| roots(&["--repo-root", &elsewhere], file), &[]).0.contains("outside"));
    for arguments in [
        &["--repo-root", root][..],
        &["--repo-root", &elsewhere, root],
        &["--repo-root", &elsewhere, "--repo-root", root],
    ] {
        // Before the file and behind it.
        assert_eq!(run(&|file| roots(arguments, file), &[]).1, "null", "{arguments:?}");
        let behind = |file: &str| [&[file], arguments].concat().iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(run(&behind, &[]).1, "null", "{arguments:?}");
    }
    let both = format!("{elsewhere}:{root}");
    assert_eq!(run(&plain, &[("FLYWHEEL_REPO_ROOTS", &both)]).1, "null");
    assert!(run(&plain, &[("FLYWHEEL_REPO_ROOTS", &elsewhere)]).0.contains("outside"));
    assert_eq!(run(&|file| roots(&["--repo-root", root], file), &[("FLYWHEEL_REPO_ROOTS", &elsewhere)]).1, "null");
    place.put("flywheel.toml", format!("repo_roots = [{root:?}]"));
    assert_eq!(run(&plain, &[("FLYWHEEL_GIT_TIMEOUT_SECONDS", "18446744073709551615")]).1, "null");
    let (warnings, _) = run(&|file| roots(&["--repo-root", "/none"], file), &[]);
    assert!(warnings.contains("outside"), "{warnings}");
}
