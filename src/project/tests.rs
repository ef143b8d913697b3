//! Against real repositories.

use super::*;
use crate::git::testing::Sandbox;
use std::time::Duration;

/// A project of these files, and the warnings.
fn project(files: &[(&str, &str)]) -> (Project, Vec<String>) {
    let sandbox = Sandbox::new();
    files.iter().for_each(|(path, text)| sandbox.write(path, text));
    sandbox.commit("x", "2025-12-02T11:00:00Z");
    let repo = Repo::open(&sandbox.repo, std::slice::from_ref(&sandbox.root), Duration::from_secs(30)).unwrap();
    let tree = Tree::at_head(&repo).unwrap().unwrap();
    let mut warnings = vec![];
    let project = read(&repo, &tree, &mut warnings).unwrap();
    (project, warnings)
}

/// Name, version, description, licence joined by `|`, then each command.
fn check(files: &[(&str, &str)], kind: &str, facts: &str, commands: &[&str]) {
    let (project, warnings) = project(files);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(project.kind.as_deref(), Some(kind));
    let manifest = project.manifest.expect("a manifest");
    let fact = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let of = [&manifest.name, &manifest.version, &manifest.description, &manifest.license].map(fact).join("|");
    assert_eq!(of, facts);
    let told: Vec<String> = manifest.commands.iter().map(|c| format!("{}: {}", c.purpose, c.command)).collect();
    assert_eq!(told, commands);
}

#[test]
fn rust() {
    check(
        &[("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n"), ("src/lib.rs", "")],
        "rust",
        "a|0.1.0|-|-",
        &["build: cargo build", "test: cargo test"],
    );
    check(
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"a\"\nversion.workspace = true\nlicense = { workspace = true }\ndescription = \"d\"\n\
                 [workspace.package]\nversion = \"2.0.0\"\nlicense = \"MIT\"\nname = \"no\"\n",
            ),
            ("src/main.rs", ""),
        ],
        "rust",
        "a|2.0.0|d|MIT",
        &["install: cargo install --path .", "build: cargo build", "test: cargo test", "run: cargo run"],
    );
    check(
        &[("Cargo.toml", "[workspace]\nmembers = []\n[workspace.package]\nversion = \"3.0.0\"\n")],
        "rust",
        "-|3.0.0|-|-",
        &["build: cargo build --workspace", "test: cargo test --workspace"],
    );
    check(
        &[("Cargo.toml", "[package]\nname = \"a\"\n"), ("src/bin/x.rs", ""), ("src/bin/y/main.rs", "")],
        "rust",
        "a|-|-|-",
        &["install: cargo install --path .", "build: cargo build", "test: cargo test"],
    );
}

#[test]
fn node_and_deno() {
    let placeholder = r#"{"name":"n","scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
    check(&[("package.json", placeholder)], "node", "n|-|-|-", &["install: npm install"]);
    let scripts = r#"{"name":"@s/n","version":"1.0.0","description":"d","license":"ISC","scripts":{
        "build":"tsc","test":"vitest","pretest":"x","start":"node .","lint":"eslint","prepare":"y","a b":"z","--x":"w"}}"#;
    check(
        &[("package.json", scripts), ("pnpm-lock.yaml", "")],
        "node",
        "@s/n|1.0.0|d|ISC",
        &[
            "install: pnpm install",
            "build: pnpm run build",
            "test: pnpm test",
            "run: pnpm start",
            "lint: pnpm run lint",
        ],
    );
    let deno = r#"{"name":"@s/d","version":"1.0.0","tasks":{"dev":"x","start":"y"}}"#;
    check(&[("deno.json", deno)], "deno", "@s/d|1.0.0|-|-", &["dev: deno task dev", "run: deno task start"]);
}

#[test]
fn python() {
    check(
        &[(
            "pyproject.toml",
            "[project]\nname = \"p\"\nversion = \"1\"\ndescription = \"d\"\nlicense = { text = \"MIT\" }\n\
             [project.scripts]\npp = \"p:main\"\n[tool.pytest.ini_options]\n",
        )],
        "python",
        "p|1|d|MIT",
        &["install: pip install .", "test: python -m pytest", "run: pp"],
    );
    check(
        &[("pyproject.toml", "[tool.poetry]\nname = \"p\"\nlicense = \"MIT\"\n")],
        "python",
        "p|-|-|MIT",
        &["install: poetry install"],
    );
    check(
        &[("setup.cfg", "[metadata]\nname = s\nversion = attr: s.v\nlicense = MIT\n[options]\nname = no\n")],
        "python",
        "s|-|-|MIT",
        &["install: pip install ."],
    );
    check(&[("requirements.txt", "x\n")], "python", "-|-|-|-", &["install: pip install -r requirements.txt"]);
}

#[test]
fn others() {
    check(
        &[("go.mod", "module example.org/a/tool/v2 // x\n"), ("main.go", "")],
        "go",
        "tool|-|-|-",
        &["install: go install .", "build: go build ./...", "test: go test ./...", "run: go run ."],
    );
    check(
        &[(
            "pom.xml",
            "<?xml version=\"1.0\"?><!-- <name>no</name> --><project xmlns=\"x\"><parent><artifactId>no</artifactId><version>0</version>\
             </parent><artifactId>tool</artifactId><version>1.0</version><dependencies/><description>a &amp; b</description>\
             <build><name>no</name></build></project>",
        )],
        "java",
        "tool|1.0|a & b|-",
        &["install: mvn install", "build: mvn package", "test: mvn test"],
    );
    check(
        &[(
            "Makefile",
            "CC := gcc\nX ::= y\n.PHONY: all\nall: build test\n\techo: no\nbuild test: x.o\nx.o: x.c\n%.o: y\n",
        )],
        "make",
        "-|-|-|-",
        &["build: make all", "build: make build", "test: make test"],
    );
}

#[test]
fn licences_are_a_choice_and_an_unknown_one_spoils_it() {
    let mit = "Permission is hereby granted, free of charge, to any person obtaining a copy … sublicense";
    let apache = "Apache License\nVersion 2.0, January 2004";
    let of = |files: &[(&str, &str)]| project(files).0.license_file.map(|file| (file.path, file.spdx));
    assert_eq!(
        of(&[("LICENSE-APACHE", apache), ("LICENSE-MIT", mit)]),
        Some(("LICENSE-APACHE".into(), Some("MIT OR Apache-2.0".into())))
    );
    assert_eq!(of(&[("LICENSE", "mine"), ("LICENSE-MIT", mit)]), Some(("LICENSE".into(), None)));
    assert_eq!(of(&[("README.md", "x")]), None);
}

#[test]
fn what_does_not_read_is_a_warning() {
    let large = "x".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1);
    let (large, warnings) = project(&[("README.md", &large), ("package.json", "{"), ("LICENSE", "x")]);
    assert_eq!((large.readme, large.manifest, large.kind.as_deref()), (None, None, Some("node")));
    assert!(large.license_file.is_some(), "what follows a large file is read");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let (rst, warnings) = project(&[("README.rst", "x")]);
    assert_eq!((rst.readme, warnings.len()), (None, 1));
    let (whole, _) = project(&[("readme.MD", "\u{feff}# x\r\n\r\n")]);
    assert_eq!(whole.readme, Some(TextFile { path: "readme.MD".into(), text: "\u{feff}# x\r\n\r\n".into() }));
    assert_eq!(project(&[("x", "")]).0, Project::default());
}
