//! S4 `build_log`: what shipped, what went wrong, what was counted, and what was only claimed.
//!
//! Every section rests on evidence and is left out without it. Listed and hidden commits always sum to the commits.

use crate::{
    stages::Stop,
    story::{
        self, body,
        changelog::{self, Changelog, Entry, Kind},
        evidence::{self, Found, Role},
        figures::{Figures, is_path},
    },
    templates::Templates,
    wording::{capitalised, count, cut, date, date_time, duration, list, number, shortened},
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, Evidence, FiguresFrom, RepoScanned, SessionCompleted, Statement, StoryExtracted,
};
use serde_json::{Value, json};

const TEMPLATE: &str = "build_log.md";

/// Most characters of a title.
const TITLE_MAX: usize = 80;
/// Most characters of one body or one piece of narrative.
const TEXT_MAX: usize = 4_000;
/// Most characters of all bodies and narrative together: an artifact is at most 256 KiB.
const TEXTS_MAX: usize = 64_000;
/// Most characters of a commit's header.
const HEADER_MAX: usize = 500;

/// Writes the log.
pub fn build_log(
    session: &SessionCompleted,
    scan: Option<&RepoScanned>,
    story: Option<&StoryExtracted>,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let commits = story::commits(session, scan);
    let found = evidence::gather(session);
    let log = Changelog::of(&commits);
    let figures = Figures::of(session, scan, &commits, &found);
    let mut texts = Texts { left: TEXTS_MAX };
    let title = title(session, story, &log, &found);
    let overview = story.and_then(|story| story.overview.as_ref()).filter(|one| is_own_words(one));
    let overview = overview.map(|one| one.text.as_str());
    let narrative = narrative(&found, overview, &mut texts);
    let context = json!({
        "title": title,
        "repository": scan.and_then(|scan| scan.repo_name.as_deref()),
        "outcome": outcome(&log, &figures, &found),
        "when": date_time(&session.timestamp),
        "overview": overview.filter(|text| !says(&title, text)),
        "goals": texts_of(&found, Role::Goal),
        "groups": groups(&log, &mut texts),
        "breaking": breaking(&log),
        "cancelled": cancelled(&log, &mut texts),
        "reported": reported(&found),
        "told": told_problems(&found),
        "fixed": fixed(&log, &mut texts),
        "lessons": lessons(story, &log),
        "narrative": narrative,
        "numbers": numbers(session, &log, &figures),
        "tests": texts_of(&found, Role::TestResult),
        "counted": figures.counted,
        "has_repository": scan.is_some_and(|scan| scan.repo_name.is_some()) || session.source_data.repo_path.is_some(),
        "mismatches": figures.mismatches.iter().map(|row| json!({
            "what": row.what, "claimed": number(row.claimed), "found": number(row.found),
        })).collect::<Vec<_>>(),
        "not_found": scan.map(not_found).unwrap_or_default(),
        "untouched": figures.untouched,
        "session": session.session_id,
        "agent": session.agent_id,
        "figures_from": figures_from(scan),
        "version": templates.version(TEMPLATE),
    });
    let rendered = templates.render(TEMPLATE, &context)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::BuildLog, rendered.text);
    artifact.template = Some(rendered.template);
    if !figures.mismatches.is_empty() {
        artifact.notes.insert("claims".into(), json!(figures.mismatches));
    }
    // Why the repository was not read names options and paths: that is for the reviewer, not for readers.
    if let Some(why) = scan.and_then(|scan| scan.unreachable.as_deref()) {
        artifact.notes.insert("unreachable".into(), json!(why));
    }
    let warnings = scan.map(|scan| scan.warnings.as_slice()).unwrap_or_default();
    if !warnings.is_empty() {
        artifact.notes.insert("warnings".into(), json!(warnings));
    }
    Ok(artifact)
}

/// Whether an overview is the session's own field: a conversation or a commit body is told in its own place.
fn is_own_words(overview: &Statement) -> bool {
    overview.evidence.iter().any(|evidence| match evidence {
        Evidence::Field(_) => true,
        Evidence::Record(path) => !path.starts_with("source_data.conversations"),
        Evidence::Commit(_) => false,
    })
}

/// Whether the title says the whole text already.
fn says(title: &str, text: &str) -> bool {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_lowercase() == title.to_lowercase()
}

/// What the session lists and the repository does not have: by whatever the session calls it.
fn not_found(scan: &RepoScanned) -> Vec<Value> {
    let of = |hash: &String| scan.commits.iter().find(|commit| commit.hash == *hash);
    let hashes = scan.commits_not_found.iter();
    hashes
        .map(|hash| {
            let title = of(hash).filter(|commit| !commit.message.trim().is_empty()).map(changelog::header);
            json!({ "hash": hash, "title": title.map(|title| cut(title, HEADER_MAX)) })
        })
        .collect()
}

/// What is left of the room for long texts.
struct Texts {
    left: usize,
}

impl Texts {
    /// The text, cut at a paragraph or sentence where it is too long; nothing once the room is used up.
    fn take(&mut self, text: &str) -> Option<String> {
        let limit = TEXT_MAX.min(self.left);
        let length = text.chars().count();
        self.left = self.left.saturating_sub(length.min(limit));
        (!text.is_empty() && limit > 0).then(|| cut(text, limit))
    }
}

/// What happened, in the session's words: its summary; the goal where something came of it; the first thing that shipped.
fn title(session: &SessionCompleted, story: Option<&StoryExtracted>, log: &Changelog<'_>, found: &[Found]) -> String {
    let of = |role: Role| found.iter().find(|one| one.role == role).map(|one| one.text.as_str());
    let worked = log.shipped().next().is_some() || of(Role::Feature).or(of(Role::Deliverable)).is_some();
    let feature = || story.and_then(|story| story.key_features.first()).map(|feature| feature.text.as_str());
    let shipped = || log.shipped().next().map(|entry| changelog::title(entry.commit));
    let said = of(Role::Overview).or(of(Role::Goal).filter(|_| worked)).or_else(feature).or_else(shipped);
    let first = said.and_then(|text| story::sentences(text).into_iter().next());
    match first {
        Some(text) => capitalised(&shortened(&text, TITLE_MAX)),
        None => format!("Build session of {}", date(&session.timestamp)),
    }
}

/// How it ended, in one line.
fn outcome(log: &Changelog<'_>, figures: &Figures, found: &[Found]) -> String {
    let noun = |n: usize, (_, _, one, many): Kind| count(n as u64, one, many);
    let shipped: Vec<String> = log.groups.iter().map(|group| noun(group.entries.len(), group.kind)).collect();
    let results = found.iter().filter(|one| one.role == Role::Feature).count() as u64;
    let made = found.iter().filter(|one| one.role == Role::Deliverable).count() as u64;
    let mut reported = vec![];
    if results > 0 {
        reported.push(count(results, "result", "results"));
    }
    if made > 0 {
        reported.push(count(made, "deliverable", "deliverables"));
    }
    let whose = if figures.counted { "" } else { ", as the session lists them" };
    let mut parts = vec![match (shipped.is_empty(), log.entries() + log.hidden.total()) {
        (false, _) => format!("shipped {}{whose}", list(&shipped)),
        (true, 0) if figures.counted && figures.commits.is_none() => {
            "which commits are its own, the session does not say".to_owned()
        }
        (true, 0) => "no commits".to_owned(),
        (true, _) => "nothing shipped".to_owned(),
    }];
    if !log.cancelled.is_empty() {
        let n = log.cancelled.len() as u64;
        parts.push(format!("{} taken back within the session", count(n, "commit", "commits")));
    }
    if !figures.not_found.is_empty() {
        let (n, are) = (figures.not_found.len() as u64, if figures.not_found.len() == 1 { "is" } else { "are" });
        parts.push(format!("{} {are} not in the repository", count(n, "listed commit", "listed commits")));
    }
    if shipped.is_empty() {
        parts.push(match reported.is_empty() {
            false => format!("the session reports {}", list(&reported)),
            true => "the session reports no results".to_owned(),
        });
    }
    parts.join("; ")
}

fn texts_of(found: &[Found], role: Role) -> Vec<&str> {
    found.iter().filter(|one| one.role == role).map(|one| one.text.as_str()).collect()
}

fn item(entry: &Entry<'_>) -> Value {
    let commit = entry.commit;
    json!({
        "scope": changelog::scope(commit).filter(|_| changelog::is_known(commit)),
        "title": cut(changelog::title(commit), HEADER_MAX),
        "hash": entry.hash,
        "pr": commit.pr.filter(|pr| !changelog::title(commit).contains(&format!("#{pr}"))),
        "items": commit.squash_items.iter().map(|item| json!({
            "kind": item.kind, "scope": item.scope, "title": item.description,
        })).collect::<Vec<_>>(),
    })
}

fn with(mut item: Value, name: &str, value: impl Into<Value>) -> Value {
    item[name] = value.into();
    item
}

/// A fix that says what was wrong is told among the problems, with its body; here by its line alone.
fn groups(log: &Changelog<'_>, texts: &mut Texts) -> Vec<Value> {
    log.groups
        .iter()
        .map(|group| {
            let entries = group.entries.iter().map(|entry| {
                let body = body::prose(entry.commit).filter(|_| group.kind.0 != "fix");
                with(item(entry), "body", body.and_then(|body| texts.take(&body)))
            });
            json!({ "heading": group.kind.1, "entries": entries.collect::<Vec<_>>() })
        })
        .collect()
}

fn fixed(log: &Changelog<'_>, texts: &mut Texts) -> Vec<Value> {
    log.of_kind("fix")
        .filter_map(|entry| Some(with(item(entry), "body", texts.take(&body::without_lessons(entry.commit)?)?)))
        .collect()
}

fn breaking(log: &Changelog<'_>) -> Vec<Value> {
    let broken = log.shipped().filter(|entry| entry.commit.breaking);
    broken
        .map(|entry| {
            let note = entry.commit.breaking_note.as_deref().map(str::trim).filter(|note| !note.is_empty());
            with(item(entry), "note", note)
        })
        .collect()
}

fn cancelled(log: &Changelog<'_>, texts: &mut Texts) -> Vec<Value> {
    log.cancelled
        .iter()
        .map(|one| {
            let why = body::prose(one.by.commit).and_then(|why| texts.take(&why));
            with(with(item(&one.entry), "by", one.by.hash), "body", why)
        })
        .collect()
}

/// What the session says it achieved and made, under the names it gives them.
fn reported(found: &[Found]) -> Vec<Value> {
    let mut sections: Vec<(String, Vec<Value>)> = vec![];
    for one in found.iter().filter(|one| matches!(one.role, Role::Feature | Role::Deliverable)) {
        let heading = evidence::heading(&one.name);
        let entry = json!({ "text": one.text, "path": is_path(&one.text), "detail": one.detail });
        match sections.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, entries)) => entries.push(entry),
            None => sections.push((heading, vec![entry])),
        }
    }
    sections.into_iter().map(|(heading, entries)| json!({ "heading": heading, "entries": entries })).collect()
}

/// Problems and solutions the session names: in pairs where there are as many of each.
fn told_problems(found: &[Found]) -> Vec<Value> {
    let (problems, solutions) = (texts_of(found, Role::Problem), texts_of(found, Role::Solution));
    if problems.len() == solutions.len() {
        let pairs = problems.iter().zip(&solutions);
        return pairs.map(|(problem, solution)| json!({ "problem": problem, "solution": solution })).collect();
    }
    let problems = problems.iter().map(|text| json!({ "problem": text, "solution": null }));
    problems.chain(solutions.iter().map(|text| json!({ "problem": null, "solution": text }))).collect()
}

fn lessons(story: Option<&StoryExtracted>, log: &Changelog<'_>) -> Vec<Value> {
    let short = |hash: &str| log.shipped().find(|entry| entry.commit.hash == hash).map(|entry| entry.hash.to_owned());
    let hash = |statement: &Statement| match statement.evidence.first() {
        Some(Evidence::Commit(hash)) => short(hash),
        _ => None,
    };
    let lessons = story.map(|story| story.lessons.as_slice()).unwrap_or_default();
    lessons.iter().map(|lesson| json!({ "text": lesson.text, "hash": hash(lesson) })).collect()
}

/// The narrative and conversations, without what stands in the overview already.
fn narrative(found: &[Found], overview: Option<&str>, texts: &mut Texts) -> Vec<Value> {
    let mut told = vec![];
    for one in found.iter().filter(|one| matches!(one.role, Role::Narrative | Role::Conversation)) {
        let text = overview.and_then(|overview| one.text.strip_prefix(overview)).unwrap_or(&one.text).trim();
        let by = (one.role == Role::Conversation).then(|| one.name.clone());
        if let Some(text) = texts.take(text) {
            told.push(json!({ "by": by, "text": text }));
        }
    }
    told
}

fn numbers(session: &SessionCompleted, log: &Changelog<'_>, figures: &Figures) -> Vec<Value> {
    let mut rows = vec![];
    let mut row = |name: &str, text: Option<String>| {
        rows.extend(text.map(|text| json!({ "name": name, "text": text })));
    };
    let hidden = log.hidden;
    let listed = log.entries();
    let sum = (hidden.total() > 0).then(|| {
        let mut what = vec![];
        if hidden.merges > 0 {
            what.push(count(hidden.merges, "merge", "merges"));
        }
        if hidden.fixups > 0 {
            what.push(count(hidden.fixups, "fixup", "fixups"));
        }
        let (all, total) = (listed + hidden.total(), hidden.total());
        format!("{} = {} listed above + {} hidden ({})", number(all), number(listed), number(total), list(&what))
    });
    row("Commits", sum.or_else(|| figures.commits.map(number)));
    // Where nothing was committed, nothing was changed: three zeros say no more than one.
    if !(figures.counted && figures.commits == Some(0)) {
        row("Files changed", figures.files.map(number));
        row("Lines", figures.lines());
    }
    row("Duration", session.metadata.duration_minutes.and_then(duration));
    rows
}

fn figures_from(scan: Option<&RepoScanned>) -> &'static str {
    match scan.map(|scan| scan.figures_from) {
        Some(FiguresFrom::Repository) => "the repository, as git counts them",
        Some(FiguresFrom::Session) | None => "the session itself",
    }
}
