//! Commands that manifests in TOML and JSON prove.

use super::manifest::Source;
use flywheel_events::ManifestCommand;
use serde_json::Value as Json;
use toml::Value as Toml;

/// How many scripts are listed beside the usual ones.
const SCRIPTS_MAX: usize = 20;

pub(super) fn command(purpose: &str, command: impl Into<String>) -> ManifestCommand {
    ManifestCommand { purpose: purpose.to_owned(), command: command.into() }
}

/// A script's name that can stand in a command line as it is.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte))
}

pub(super) fn rust(manifest: &Toml, source: &Source<'_>) -> Vec<ManifestCommand> {
    let Some(package) = manifest.get("package") else {
        return vec![command("build", "cargo build --workspace"), command("test", "cargo test --workspace")];
    };
    let listed = manifest.get("bin").and_then(Toml::as_array).map_or(0, Vec::len);
    let main = source.beside("src/main.rs");
    let extra = |path: &str| {
        path.strip_prefix("src/bin/").is_some_and(|rest| match rest.split_once('/') {
            Some((_, file)) => file == "main.rs",
            None => rest.ends_with(".rs"),
        })
    };
    let found = source.tree.entries.iter().filter(|entry| entry.is_file && extra(&entry.path)).count();
    let mut commands = vec![];
    if main || listed > 0 || found > 0 {
        commands.push(command("install", "cargo install --path ."));
    }
    commands.extend([command("build", "cargo build"), command("test", "cargo test")]);
    // Several programs need a name; which of them a reader wants, nobody says.
    let one = listed.max(usize::from(main).saturating_add(found)) == 1;
    if one || package.get("default-run").is_some() {
        commands.push(command("run", "cargo run"));
    }
    commands
}

pub(super) fn node(manifest: &Json, source: &Source<'_>) -> Vec<ManifestCommand> {
    let declared = manifest.get("packageManager").and_then(Json::as_str).and_then(|text| text.split('@').next());
    let locked = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")];
    let locked = locked.iter().find(|(file, _)| source.beside(file)).map(|(_, manager)| *manager);
    let manager = declared.filter(|name| ["npm", "pnpm", "yarn", "bun"].contains(name)).or(locked).unwrap_or("npm");
    let mut commands = vec![command("install", format!("{manager} install"))];
    let scripts: Vec<(&str, &str)> = manifest
        .get("scripts")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, line)| Some((name.as_str(), line.as_str()?)))
        .filter(|(name, line)| is_plain(name) && !line.contains("no test specified"))
        .collect();
    let has = |name: &str| scripts.iter().any(|(script, _)| *script == name);
    for (name, purpose, line) in [
        ("build", "build", format!("{manager} run build")),
        // `bun test` is bun's own runner, not the script.
        ("test", "test", if manager == "bun" { "bun run test".to_owned() } else { format!("{manager} test") }),
        ("start", "run", if manager == "bun" { "bun run start".to_owned() } else { format!("{manager} start") }),
    ] {
        commands.extend(has(name).then(|| command(purpose, line)));
    }
    // A script called after another with `pre` or `post` runs with that one.
    let hook = |name: &str| ["pre", "post"].iter().any(|start| name.strip_prefix(start).is_some_and(has));
    let lifecycle = [
        "prepare",
        "preinstall",
        "install",
        "postinstall",
        "prepublishOnly",
        "prepack",
        "postpack",
        "build",
        "test",
        "start",
    ];
    let others = scripts.iter().filter(|(name, _)| !lifecycle.contains(name) && !hook(name));
    commands.extend(others.take(SCRIPTS_MAX).map(|(name, _)| command(name, format!("{manager} run {name}"))));
    commands
}

pub(super) fn deno(manifest: &Json) -> Vec<ManifestCommand> {
    let tasks = manifest.get("tasks").and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name);
    tasks
        .filter(|name| is_plain(name))
        .take(SCRIPTS_MAX)
        .map(|name| command(if name == "start" { "run" } else { name }, format!("deno task {name}")))
        .collect()
}

pub(super) fn php(manifest: &Json) -> Vec<ManifestCommand> {
    let scripts = manifest.get("scripts").and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name);
    // `post-install-cmd` and its like are events, not commands.
    let scripts = scripts.filter(|name| is_plain(name) && !name.starts_with("pre-") && !name.starts_with("post-"));
    std::iter::once(command("install", "composer install"))
        .chain(scripts.take(SCRIPTS_MAX).map(|name| command(name, format!("composer run {name}"))))
        .collect()
}

pub(super) fn python(manifest: &Toml, source: &Source<'_>) -> Vec<ManifestCommand> {
    let tool = manifest.get("tool");
    let poetry = tool.and_then(|tool| tool.get("poetry"));
    let packaged = manifest.get("project").is_some() || manifest.get("build-system").is_some();
    let mut commands = vec![];
    if packaged {
        commands.push(command("install", "pip install ."));
    } else if poetry.is_some() {
        commands.push(command("install", "poetry install"));
    } else if source.beside("requirements.txt") {
        commands.push(command("install", "pip install -r requirements.txt"));
    }
    if tool.is_some_and(|tool| tool.get("pytest").is_some()) || source.beside("pytest.ini") {
        commands.push(command("test", "python -m pytest"));
    } else if source.beside("tox.ini") || tool.is_some_and(|tool| tool.get("tox").is_some()) {
        commands.push(command("test", "tox"));
    }
    let scripts = |table: Option<&Toml>| table.and_then(|table| table.get("scripts")).and_then(Toml::as_table).cloned();
    let scripts = scripts(manifest.get("project")).or_else(|| scripts(poetry)).unwrap_or_default();
    let scripts = scripts.keys().filter(|name| is_plain(name));
    commands.extend(scripts.take(SCRIPTS_MAX).map(|name| command("run", name.as_str())));
    commands
}
