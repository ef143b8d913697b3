//! Manifests in languages of their own, read line by line for what is plain in them.

use super::{
    commands::{command, is_plain},
    manifest::{Facts, Source},
};

type Read = Result<Facts, String>;

/// How many targets of a makefile are listed.
const TARGETS_MAX: usize = 20;

pub(super) fn go(source: &Source<'_>) -> Read {
    let module = source.text.lines().find_map(|line| line.trim().strip_prefix("module "));
    let module = module.map(|text| text.split("//").next().unwrap_or(text).trim().trim_matches('"'));
    let mut commands = vec![command("build", "go build ./..."), command("test", "go test ./...")];
    if source.beside("main.go") {
        commands.insert(0, command("install", "go install ."));
        commands.push(command("run", "go run ."));
    }
    // `…/name/v2` is version 2 of `name`.
    let is_version =
        |part: &str| part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let name = module.and_then(|module| module.rsplit('/').find(|part| !is_version(part))).map(str::to_owned);
    Ok(Facts { name, commands, ..Facts::default() })
}

pub(super) fn maven(source: &Source<'_>) -> Read {
    let program = if source.beside("mvnw") { "./mvnw" } else { "mvn" };
    let [name, artifact, version, description] =
        ["name", "artifactId", "version", "description"].map(|tag| child_of_project(source.text, tag));
    let goals = [("install", "install"), ("build", "package"), ("test", "test")];
    let commands = goals.map(|(purpose, goal)| command(purpose, format!("{program} {goal}"))).to_vec();
    Ok(Facts {
        name: name.filter(|name| !name.contains("${")).or(artifact),
        version,
        description,
        license: None,
        commands,
    })
}

/// The text of `<project><tag>`, not of a `<tag>` deeper down (a parent's or dependency's).
fn child_of_project(xml: &str, tag: &str) -> Option<String> {
    let mut open: Vec<&str> = vec![];
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let (element, after) = after.split_once('>')?;
        rest = after;
        if element.starts_with(['?', '!']) || element.ends_with('/') {
            continue;
        }
        if element.starts_with('/') {
            open.pop();
            continue;
        }
        let name = element.split_whitespace().next().unwrap_or_default();
        if open.as_slice() == ["project"] && name == tag {
            let text = after.split_once('<')?.0.trim();
            let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
            return Some(plain.replace("&amp;", "&"));
        }
        open.push(name);
    }
    None
}

pub(super) fn gradle(source: &Source<'_>) -> Read {
    let program = if source.beside("gradlew") { "./gradlew" } else { "gradle" };
    let commands = ["build", "test"].map(|task| command(task, format!("{program} {task}"))).to_vec();
    Ok(Facts { commands, ..Facts::default() })
}

pub(super) fn ruby(source: &Source<'_>) -> Read {
    let mut commands = vec![command("install", "bundle install")];
    if source.beside(".rspec") {
        commands.push(command("test", "bundle exec rspec"));
    }
    Ok(Facts { commands, ..Facts::default() })
}

pub(super) fn elixir(source: &Source<'_>) -> Read {
    let quoted = |key: &str| {
        let value = source.text.lines().find_map(|line| line.trim().strip_prefix(key))?;
        value.trim().trim_end_matches(',').strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
    };
    let name = source.text.lines().find_map(|line| line.trim().strip_prefix("app: :"));
    Ok(Facts {
        name: name.map(|name| name.trim_end_matches(',').to_owned()),
        version: quoted("version:"),
        description: quoted("description:"),
        commands: vec![
            command("install", "mix deps.get"),
            command("build", "mix compile"),
            command("test", "mix test"),
        ],
        ..Facts::default()
    })
}

pub(super) fn dotnet(source: &Source<'_>) -> Read {
    let name = source.path.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    Ok(Facts {
        name,
        commands: vec![command("build", "dotnet build"), command("test", "dotnet test")],
        ..Facts::default()
    })
}

pub(super) fn old_python(source: &Source<'_>) -> Read {
    let mut facts = Facts::default();
    if source.path == "requirements.txt" {
        facts.commands.push(command("install", "pip install -r requirements.txt"));
        return Ok(facts);
    }
    facts.commands.push(command("install", "pip install ."));
    if source.path == "setup.cfg" {
        let metadata = source.text.lines().skip_while(|line| line.trim() != "[metadata]").skip(1);
        let metadata: Vec<&str> = metadata.take_while(|line| !line.starts_with('[')).collect();
        let value = |key: &str| {
            let pair = |line: &&str| {
                line.split_once('=').filter(|(name, _)| name.trim() == key).map(|(_, v)| v.trim().to_owned())
            };
            // `attr:` and `file:` point elsewhere.
            metadata.iter().find_map(pair).filter(|value| !value.starts_with("attr:") && !value.starts_with("file:"))
        };
        (facts.name, facts.version) = (value("name"), value("version"));
        (facts.description, facts.license) = (value("description"), value("license"));
    }
    Ok(facts)
}

pub(super) fn cmake(source: &Source<'_>) -> Read {
    let name = source
        .text
        .split_once("project(")
        .and_then(|(_, rest)| rest.split([')', ' ', '\n', '\r']).find(|w| !w.is_empty()));
    let commands = vec![command("build", "cmake -B build && cmake --build build")];
    Ok(Facts { name: name.filter(|name| is_plain(name)).map(str::to_owned), commands, ..Facts::default() })
}

pub(super) fn make(source: &Source<'_>) -> Read {
    let mut targets: Vec<&str> = vec![];
    for line in source.text.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.'])) {
        let Some((names, rest)) = line.split_once(':') else { continue };
        // `NAME := value` and `NAME ::= value` are variables; `%` and `$` are patterns.
        if rest.starts_with('=') || rest.starts_with(":=") || names.contains('=') {
            continue;
        }
        targets.extend(names.split_whitespace().filter(|name| is_plain(name) && !name.contains('.')));
    }
    let mut seen = std::collections::BTreeSet::new();
    targets.retain(|target| seen.insert(*target));
    let purpose = |target| if target == "all" { "build" } else { target };
    let commands = targets.into_iter().take(TARGETS_MAX);
    let commands = commands.map(|target| command(purpose(target), format!("make {target}")));
    Ok(Facts { commands: commands.collect(), ..Facts::default() })
}
