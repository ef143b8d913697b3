//! `readme`: the repository's README with our block replaced, or a first one.
//!
//! Invariants:
//! - An existing README changes inside our block and nowhere else; a block that somebody edited fails the step.
//! - Everything said comes from the scan, the story or the session's own time. What has no fact is left out.
//! - Where the repository was not read, nobody knows whether it has a README: `notes.base` is `unknown` then, so that
//!   publishing never overwrites one. `notes.base_redacted` says that the text was cleaned where the README is not. It is `existing` with the digest of what was read, or `none`, where we do know.

use crate::{
    markdown::{blocks, score::score},
    stages::Stop,
    story::{
        self,
        changelog::{self, Changelog},
    },
    templates::{Rendered, Templates},
    wording::cut,
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, Digest, FiguresFrom, RepoScanned, SessionCompleted, Statement, StoryExtracted,
    TextFile,
};
use regex::Regex;
use serde::Serialize;
use serde_json::json;
use std::sync::LazyLock;

/// The id of the block.
const RECENT_WORK: &str = "recent-work";
/// Most commits or features the block names.
const ENTRIES_MAX: usize = 20;
/// Most characters of one of them.
const TITLE_MAX: usize = 200;

/// Makes the README of a build session's repository.
pub fn readme(
    session: &SessionCompleted,
    scan: &RepoScanned,
    story: Option<&StoryExtracted>,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let Some(name) = &scan.repo_name else { return Err(Stop::nothing("the session names no repository")) };
    let recent = recent_work(session, scan, story, templates)?;
    let (content, template, base) = match &scan.readme {
        Some(existing) => {
            let Rendered { text, template } =
                recent.ok_or_else(|| Stop::nothing("neither a commit nor a story to put into the README"))?;
            (renewed(existing, text)?, template, "existing")
        }
        None => {
            // A README that nobody could read is a README all the same, and never overwritten.
            if let Some(unread) = unread(scan) {
                return Err(Stop::nothing(format!("the repository has a {unread}, which was not read")));
            }
            let first = first(name, scan, templates)?;
            let (text, template) = match (first, recent) {
                (None, None) => return Err(Stop::nothing(format!("nothing to say about {name} but its name"))),
                (Some(first), None) => (first.text, first.template),
                (first, Some(recent)) => {
                    let first = first.map_or_else(|| full(name, None, None, templates), Ok)?;
                    let text = with_block(&first.text, recent.text).map_err(|error| refused("README.md", &error))?;
                    (text, format!("{}, {}", first.template, recent.template))
                }
            };
            (text, template, if scan.unreachable.is_some() { "unknown" } else { "none" })
        }
    };
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::Readme, content);
    artifact.template = Some(template);
    artifact.notes.insert("base".into(), json!(base));
    if let Some(existing) = &scan.readme {
        artifact.notes.insert("base_path".into(), json!(existing.path));
        if existing.text.contains("[redacted:") {
            // Its bytes are not the repository's: only the block may be taken over, never the whole text.
            artifact.notes.insert("base_redacted".into(), json!(true));
        }
        artifact.notes.insert("base_sha256".into(), json!(Digest::of(existing.text.as_bytes())));
    }
    artifact.notes.insert("readme_score".into(), json!(score(&artifact.content, scan)));
    Ok(artifact)
}

/// A README at the top that is not Markdown, not text or too large.
fn unread(scan: &RepoScanned) -> Option<&str> {
    let names = scan.structure.as_ref().map_or(&[][..], |structure| &structure.top_level);
    let stem = |name: &str| name.split('.').next().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
    names.iter().map(String::as_str).find(|name| !name.ends_with('/') && stem(name))
}

/// The README as it stands, with our block replaced.
fn renewed(existing: &TextFile, block: String) -> Result<String, Stop> {
    let extension = existing.path.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    if !matches!(extension.as_deref(), Some("md" | "markdown" | "mdown" | "mkd")) {
        return Err(Stop::nothing(format!("the repository's README is {}, which is not Markdown", existing.path)));
    }
    with_block(&existing.text, block).map_err(|error| refused(&existing.path, &error))
}

fn with_block(text: &str, block: String) -> Result<String, blocks::Error> {
    blocks::replace(text, &[(RECENT_WORK, block)])
}

fn refused(path: &str, error: &blocks::Error) -> Stop {
    Stop::refused(format!("{path}: {error}"), error.hint())
}

/// What the session did, as the block says it; nothing where neither a commit nor the story says anything.
fn recent_work(
    session: &SessionCompleted,
    scan: &RepoScanned,
    story: Option<&StoryExtracted>,
    templates: &Templates,
) -> Result<Option<Rendered>, Stop> {
    let overview = story.and_then(|story| story.overview.as_ref()).map(text).filter(|text| !text.is_empty());
    let commits = story::commits(session, Some(scan));
    let log = Changelog::of(&commits);
    let mut shipped: Vec<&changelog::Entry<'_>> = log.shipped().collect();
    // Newest first: what a cut-off list leaves out is the oldest.
    shipped.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    let features: Vec<&str> = match (shipped.is_empty(), story) {
        (true, Some(story)) => story.key_features.iter().map(text).filter(|text| !text.is_empty()).collect(),
        _ => vec![],
    };
    if overview.is_none() && shipped.is_empty() && features.is_empty() {
        return Ok(None);
    }
    let context = Recent {
        date: session.timestamp.format("%Y-%m-%d").to_string(),
        from_session: scan.unreachable.is_some() || scan.figures_from == FiguresFrom::Session,
        overview,
        commits: shipped.iter().take(ENTRIES_MAX).map(|shipped| entry(shipped)).collect(),
        more: (shipped.len() + features.len()).saturating_sub(ENTRIES_MAX),
        features: features.into_iter().take(ENTRIES_MAX).collect(),
    };
    templates.render("readme_recent_work.md", context).map(Some)
}

/// What the block's template is given.
#[derive(Serialize)]
struct Recent<'a> {
    date: String,
    from_session: bool,
    overview: Option<&'a str>,
    commits: Vec<Entry<'a>>,
    features: Vec<&'a str>,
    more: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    hash: &'a str,
    text: String,
    breaking: bool,
}

fn entry<'a>(shipped: &changelog::Entry<'a>) -> Entry<'a> {
    let commit = shipped.commit;
    let described = cut(changelog::title(commit), TITLE_MAX);
    let text = match changelog::scope(commit).filter(|_| changelog::is_known(commit)) {
        Some(scope) => format!("{scope}: {described}"),
        None => described,
    };
    Entry { hash: shipped.hash, text, breaking: commit.breaking }
}

fn text(statement: &Statement) -> &str {
    statement.text.trim()
}

/// A first README from the project's own manifest and files; nothing where they say nothing beyond the name.
fn first(name: &str, scan: &RepoScanned, templates: &Templates) -> Result<Option<Rendered>, Stop> {
    let manifest = scan.manifest.as_ref();
    let says_something =
        manifest.is_some_and(|manifest| manifest.description.is_some() || !manifest.commands.is_empty());
    if !says_something && scan.license_file.is_none() {
        return Ok(None);
    }
    let name = manifest.and_then(|manifest| manifest.name.as_deref()).unwrap_or(name);
    full(name, Some(scan), manifest.and_then(|manifest| manifest.description.as_deref()), templates).map(Some)
}

fn full(
    name: &str,
    scan: Option<&RepoScanned>,
    description: Option<&str>,
    templates: &Templates,
) -> Result<Rendered, Stop> {
    let commands = scan.and_then(|scan| scan.manifest.as_ref()).map_or(&[][..], |manifest| &manifest.commands);
    // Where installing builds, another build is for who develops it; `npm install` only brings what a build needs.
    let kind = scan.and_then(|scan| scan.project_type.as_deref());
    let installed =
        matches!(kind, Some("rust" | "go" | "java")) && commands.iter().any(|command| command.purpose == "install");
    let of = |section: Section| {
        let lines = commands.iter().filter(|command| Section::of(&command.purpose, installed) == section);
        let lines: Vec<&str> = lines.map(|command| command.command.trim()).filter(|line| !line.is_empty()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    let files = scan.and_then(|scan| scan.structure.as_ref()).map_or(&[][..], |structure| &structure.top_level);
    let context = json!({
        "name": name,
        "description": description,
        "install": of(Section::Install),
        "usage": of(Section::Usage),
        "development": of(Section::Development),
        "contributing": files.iter().find(|name| matches!(name.as_str(), "CONTRIBUTING.md" | "CONTRIBUTING")),
        "licence": scan.and_then(licence),
    });
    templates.render("readme.md", context)
}

/// Where a command stands in a README.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Install,
    Usage,
    Development,
}

impl Section {
    fn of(purpose: &str, installed: bool) -> Self {
        match purpose.to_lowercase().as_str() {
            "build" if installed => Self::Development,
            "install" | "build" => Self::Install,
            "run" | "start" | "serve" | "dev" | "usage" | "help" => Self::Usage,
            _ => Self::Development,
        }
    }
}

static PLAIN_PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[\w./-]+$").expect("the pattern is fixed"));

/// The licence the files state. Where manifest and file differ, the file's words count.
fn licence(scan: &RepoScanned) -> Option<serde_json::Value> {
    let file = scan.license_file.as_ref();
    let spdx = file.and_then(|file| file.spdx.as_deref());
    let stated = scan.manifest.as_ref().and_then(|manifest| manifest.license.as_deref());
    let expression = match (spdx, stated) {
        (Some(spdx), Some(stated)) if !stated.contains(spdx) => Some(spdx),
        (spdx, stated) => stated.or(spdx),
    };
    (file.is_some() || expression.is_some()).then(|| {
        let path = file.map(|file| file.path.as_str());
        json!({ "expression": expression, "path": path, "plain": path.is_some_and(|path| PLAIN_PATH.is_match(path)) })
    })
}

#[cfg(test)]
mod tests;
