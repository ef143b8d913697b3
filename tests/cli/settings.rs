//! Settings: defaults, flywheel.toml, the environment, the command line.

use crate::Place;
use serde_json::json;

fn show(place: &Place, environment: &[(&str, &str)], arguments: &[&str]) -> serde_json::Value {
    let ran = place.run_in(environment, &[&["config", "show", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.json()
}

#[test]
fn each_layer_overrides_the_one_before() {
    let place = Place::new();
    assert_eq!(show(&place, &[], &[])["data"], ".flywheel");
    place.put("flywheel.toml", "data = \"from_file\"\ngit_timeout_seconds = 7\nrepo_roots = [\"a\", \"b\"]\n");
    let file = show(&place, &[], &[]);
    assert_eq!((&file["data"], &file["git_timeout_seconds"]), (&json!("from_file"), &json!(7)));
    assert_eq!(file["repo_roots"], json!(["a", "b"]));
    let environment = [("FLYWHEEL_DATA", "from_env"), ("FLYWHEEL_REPO_ROOTS", "c:d e")];
    let variables = show(&place, &environment, &[]);
    assert_eq!((&variables["data"], &variables["repo_roots"]), (&json!("from_env"), &json!(["c", "d e"])));
    assert_eq!(variables["git_timeout_seconds"], 7);
    assert_eq!(show(&place, &environment, &["--data", "from_arguments"])["data"], "from_arguments");
    place.put("other.toml", "data = \"other\"");
    assert_eq!(show(&place, &[], &["--config", "other.toml"])["data"], "other");
    assert_eq!(show(&place, &[("FLYWHEEL_CONFIG", "other.toml")], &[])["data"], "other");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let place = Place::new();
    let names = ["DATA", "OUT", "REPO_ROOTS", "TEMPLATES", "GIT_TIMEOUT_SECONDS", "CONFIG"];
    let names = names.map(|name| format!("FLYWHEEL_{name}"));
    let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(show(&place, &empty, &[]), show(&place, &[], &[]));
}

#[test]
fn a_wrong_setting_is_named_with_its_place_and_what_to_do() {
    let place = Place::new();
    let file = |text: &str, words: &[&str]| {
        place.put("flywheel.toml", text);
        place.run(&["log", "tail"]).refused(&[words, &["flywheel.toml", "hint: "]].concat());
    };
    file("datta = 1", &["no key `datta`", "did you mean `data`?"]);
    file("data = 1", &["line 1", "data = 1", "integer"]);
    file("data = \"\"", &["data", "must not be empty"]);
    file("\nrepo_roots = \"x\"", &["line 2", "repo_roots", "sequence"]);
    file("git_timeout_seconds = 0", &["git_timeout_seconds", "at least 1"]);
    file("data = \"x", &["not TOML", "line 1"]);
    // What helps to set it right works all the same.
    for arguments in [&["config", "template"][..], &["man"], &["completions", "bash"], &["stages"], &["run", "--help"]]
    {
        assert_eq!(place.run(arguments).code, 0, "{arguments:?}");
    }
    place.run(&["config", "show", "--config", "none.toml"]).refused(&["none.toml", "--config"]);
    let place = Place::new();
    let wrong = [("FLYWHEEL_GIT_TIMEOUT_SECONDS", "soon")];
    place.run_in(&wrong, &["config", "show"]).refused(&["FLYWHEEL_GIT_TIMEOUT_SECONDS", "soon", "hint: "]);
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn the_template_documents_every_key_and_is_a_configuration() {
    let place = Place::new();
    let template = place.run(&["config", "template"]).out;
    for name in ["DATA", "OUT", "REPO_ROOTS", "TEMPLATES", "GIT_TIMEOUT_SECONDS"] {
        assert!(template.contains(&format!("FLYWHEEL_{name}")), "{name} is documented");
        assert!(template.contains(&format!("{} =", name.to_lowercase())), "{name} is shown");
    }
    place.put("flywheel.toml", template);
    let shown = show(&place, &[], &[]);
    assert_eq!(shown["data"], ".flywheel");
    let text = place.run(&["config", "show"]).out;
    assert!(text.contains("git_timeout_seconds = 30"), "{text}");
}
