//! Manifests: which one counts, and the name, version, description and licence in it.

use super::{commands, scripts};
use crate::git::{Entry, Tree};
use flywheel_events::{ManifestCommand, ProjectManifest};
use serde_json::Value as Json;
use toml::Value as Toml;

/// A kind of project.
pub(super) struct Kind {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its manifests at the top of a repository; `*.x` is any file with that extension.
    files: &'static [&'static str],
    /// Reads one.
    read: fn(&Source<'_>) -> Result<Facts, String>,
}

/// A manifest before it is read.
pub(super) struct Source<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its name.
    pub path: &'a str,
    /// What lies beside it.
    pub tree: &'a Tree,
}

impl Source<'_> {
    /// Whether a file lies beside it.
    pub fn beside(&self, path: &str) -> bool {
        self.tree.file(path).is_some()
    }
}

/// What a manifest says.
#[derive(Default)]
pub(super) struct Facts {
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    pub commands: Vec<ManifestCommand>,
}

/// Every kind, the most telling first: a project with `Cargo.toml` and `package.json` is a Rust project.
const KINDS: &[Kind] = &[
    Kind { name: "rust", files: &["Cargo.toml"], read: rust },
    Kind { name: "node", files: &["package.json"], read: node },
    Kind { name: "deno", files: &["deno.json", "deno.jsonc"], read: deno },
    Kind { name: "python", files: &["pyproject.toml"], read: python },
    Kind { name: "go", files: &["go.mod"], read: scripts::go },
    Kind { name: "java", files: &["pom.xml"], read: scripts::maven },
    Kind { name: "java", files: &["build.gradle", "build.gradle.kts"], read: scripts::gradle },
    Kind { name: "php", files: &["composer.json"], read: php },
    Kind { name: "ruby", files: &["Gemfile"], read: scripts::ruby },
    Kind { name: "elixir", files: &["mix.exs"], read: scripts::elixir },
    Kind { name: "dotnet", files: &["*.sln", "*.csproj", "*.fsproj"], read: scripts::dotnet },
    Kind { name: "python", files: &["setup.py", "setup.cfg", "requirements.txt"], read: scripts::old_python },
    Kind { name: "cpp", files: &["CMakeLists.txt"], read: scripts::cmake },
    Kind { name: "make", files: &["Makefile", "makefile", "GNUmakefile"], read: scripts::make },
];

/// The manifest that counts.
pub(super) fn find(tree: &Tree) -> Option<(&'static Kind, &Entry)> {
    KINDS.iter().flat_map(|kind| kind.files.iter().map(move |file| (kind, *file))).find_map(|(kind, file)| {
        let entry = match file.strip_prefix('*') {
            Some(end) => tree.top_files().find(|entry| entry.path.ends_with(end)),
            None => tree.file(file),
        };
        entry.map(|entry| (kind, entry))
    })
}

/// Reads it.
pub(super) fn read(kind: &Kind, path: &str, text: &str, tree: &Tree) -> Result<ProjectManifest, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let facts = (kind.read)(&Source { text, path, tree })?;
    let fact = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(ProjectManifest {
        path: path.to_owned(),
        name: fact(facts.name),
        version: fact(facts.version),
        description: fact(facts.description),
        license: fact(facts.license),
        commands: facts.commands,
    })
}

fn toml(source: &Source<'_>) -> Result<Toml, String> {
    source.text.parse::<toml::Table>().map(Toml::Table).map_err(|error| error.message().to_owned())
}

fn json(source: &Source<'_>) -> Result<Json, String> {
    serde_json::from_str(source.text).map_err(|error| error.to_string())
}

fn toml_text(value: Option<&Toml>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn json_text(value: Option<&Json>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn rust(source: &Source<'_>) -> Result<Facts, String> {
    let manifest = toml(source)?;
    let package = manifest.get("package");
    let shared = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let field = |name: &str| match package.and_then(|package| package.get(name)) {
        Some(Toml::Table(inherits)) if inherits.get("workspace") == Some(&Toml::Boolean(true)) => {
            toml_text(shared.and_then(|shared| shared.get(name)))
        }
        Some(own) => toml_text(Some(own)),
        // A workspace without a package of its own has what it lends to its members.
        None if package.is_none() => toml_text(shared.and_then(|shared| shared.get(name))),
        None => None,
    };
    Ok(Facts {
        name: field("name"),
        version: field("version"),
        description: field("description"),
        license: field("license"),
        commands: commands::rust(&manifest, source),
    })
}

fn node(source: &Source<'_>) -> Result<Facts, String> {
    let manifest = json(source)?;
    let license = manifest.get("license");
    Ok(Facts {
        name: json_text(manifest.get("name")),
        version: json_text(manifest.get("version")),
        description: json_text(manifest.get("description")),
        // The old form is an object.
        license: json_text(license).or_else(|| json_text(license.and_then(|license| license.get("type")))),
        commands: commands::node(&manifest, source),
    })
}

fn deno(source: &Source<'_>) -> Result<Facts, String> {
    let manifest = json(source)?;
    Ok(Facts {
        name: json_text(manifest.get("name")),
        version: json_text(manifest.get("version")),
        description: None,
        license: json_text(manifest.get("license")),
        commands: commands::deno(&manifest),
    })
}

fn php(source: &Source<'_>) -> Result<Facts, String> {
    let manifest = json(source)?;
    Ok(Facts {
        name: json_text(manifest.get("name")),
        version: json_text(manifest.get("version")),
        description: json_text(manifest.get("description")),
        license: json_text(manifest.get("license")),
        commands: commands::php(&manifest),
    })
}

fn python(source: &Source<'_>) -> Result<Facts, String> {
    let manifest = toml(source)?;
    let poetry = manifest.get("tool").and_then(|tool| tool.get("poetry"));
    let project = manifest.get("project");
    let field = |name: &str| [project, poetry].into_iter().flatten().find_map(|table| table.get(name));
    let license = field("license");
    Ok(Facts {
        name: toml_text(field("name")),
        version: toml_text(field("version")),
        description: toml_text(field("description")),
        // The old form is a table, whose text is an identifier if it is short.
        license: toml_text(license).or_else(|| {
            toml_text(license.and_then(|license| license.get("text")))
                .filter(|text| text.len() <= 40 && !text.contains('\n'))
        }),
        commands: commands::python(&manifest, source),
    })
}
