//! What a session says about itself, wherever it says it.
//!
//! Agents write more fields than the schema has, at the top level, in `metadata` or in `source_data`. [`KNOWN`] is the
//! one table of those that are evidence; a new name is one row. Text is taken as it stands (trimmed, whole); nothing is
//! paraphrased, and each piece keeps the place it was found at.

use crate::wording;
use flywheel_events::{Evidence, SessionCompleted};
use serde_json::{Map, Value};

/// What a piece of evidence is evidence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// What the session was about.
    Overview,
    /// How it went, at length.
    Narrative,
    /// What was said in a conversation.
    Conversation,
    /// What was wanted.
    Goal,
    /// What is new.
    Feature,
    /// A file that was made.
    Deliverable,
    /// What was wrong.
    Problem,
    /// What was done about it.
    Solution,
    /// What was learnt.
    Lesson,
    /// How tests ended.
    TestResult,
}

/// The known names, in the order in which they are told. Names are compared in lower case with `_` for `-` and blanks.
pub const KNOWN: &[(&str, Role)] = &[
    ("title", Role::Overview),
    ("session_summary", Role::Overview),
    ("work_summary", Role::Overview),
    ("summary", Role::Overview),
    ("overview", Role::Overview),
    ("description", Role::Overview),
    ("narrative", Role::Narrative),
    ("session_notes", Role::Narrative),
    ("notes", Role::Narrative),
    ("goal", Role::Goal),
    ("goals", Role::Goal),
    ("objective", Role::Goal),
    ("current_mission", Role::Goal),
    ("mission", Role::Goal),
    ("key_achievements", Role::Feature),
    ("achievements", Role::Feature),
    ("key_features", Role::Feature),
    ("features", Role::Feature),
    ("completed_tasks", Role::Feature),
    ("infrastructure_improvements", Role::Feature),
    ("deliverables", Role::Deliverable),
    ("tools_created", Role::Deliverable),
    ("problem", Role::Problem),
    ("problems", Role::Problem),
    ("challenges", Role::Problem),
    ("blockers", Role::Problem),
    ("solution", Role::Solution),
    ("solutions", Role::Solution),
    ("lessons", Role::Lesson),
    ("lessons_learned", Role::Lesson),
    ("learnings", Role::Lesson),
    ("insights", Role::Lesson),
    ("test_results", Role::TestResult),
    ("tests", Role::TestResult),
    ("tests_run", Role::TestResult),
    ("tests_passed", Role::TestResult),
    ("tests_failed", Role::TestResult),
];

/// Labels that open a line of prose and say what it is: `Lesson: write first, then acknowledge`.
const LABELS: &[(&str, Role)] = &[
    ("problem", Role::Problem),
    ("root cause", Role::Problem),
    ("solution", Role::Solution),
    ("lesson", Role::Lesson),
    ("lessons", Role::Lesson),
    ("lesson learned", Role::Lesson),
    ("lessons learned", Role::Lesson),
    ("lesson learnt", Role::Lesson),
    ("lessons learnt", Role::Lesson),
    ("goal", Role::Goal),
];

/// Who hands out work: what they say is the goal where no field names one.
const ASSIGNERS: &[&str] = &["captain", "task", "assignment"];

/// What people write where there is nothing to say.
const PLACEHOLDERS: &[&str] = &["", "-", "n/a", "na", "none", "null", "tbd", "todo", "coming soon", "unknown"];

/// Members that name a record, best first.
const TITLES: &[&str] =
    &["title", "name", "file", "path", "feature", "achievement", "task", "text", "description", "content"];

/// Most items taken from one field: a session file is bounded, an artifact more so.
const ITEMS_MAX: usize = 200;
/// Most characters of one piece; what is longer is cut after something whole.
const PIECE_MAX: usize = 4_000;
/// Most characters of all pieces together. An artifact is at most 256 KiB.
const PIECES_MAX: usize = 64_000;

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is evidence of.
    pub role: Role,
    /// The field's own name, or whom a conversation was with.
    pub name: String,
    /// The words.
    pub text: String,
    /// What a record says beside its name: kind, length, state.
    pub detail: Option<String>,
    /// Where it stands.
    pub evidence: Evidence,
}

/// All evidence of a session, in the order of [`KNOWN`], conversations last.
pub fn gather(session: &SessionCompleted) -> Vec<Found> {
    let places: [(&str, &Map<String, Value>); 3] =
        [("", &session.extra), ("metadata.", &session.metadata.extra), ("source_data.", &session.source_data.extra)];
    let mut ranked: Vec<(usize, Role, String, &str, &Value)> = vec![];
    for (place, fields) in places {
        for (name, value) in fields {
            if let Some(rank) = rank(name) {
                ranked.push((rank, KNOWN[rank].1, format!("{place}{name}"), name, value));
            }
        }
    }
    ranked.sort_by_key(|row| row.0);
    let mut found = vec![];
    for (_, role, path, name, value) in ranked {
        collect(role, name, &path, value, false, &mut found);
    }
    conversations(session, &mut found);
    labelled(&mut found);
    // The same words under two names are one statement.
    let mut seen = std::collections::HashSet::new();
    found.retain(|one| seen.insert((one.role, one.text.to_lowercase(), one.detail.clone())));
    let mut left = PIECES_MAX;
    for one in &mut found {
        one.text = wording::cut(&one.text, PIECE_MAX);
        one.detail = one.detail.take().map(|detail| wording::cut(&detail, PIECE_MAX));
        let length = one.text.chars().count() + one.detail.as_deref().map_or(0, |detail| detail.chars().count());
        let fits = length <= left;
        left = if fits { left - length } else { 0 };
        if !fits {
            one.text.clear();
        }
    }
    found.retain(|one| !one.text.is_empty());
    found
}

fn rank(name: &str) -> Option<usize> {
    let name = name.trim().to_lowercase().replace(['-', ' '], "_");
    KNOWN.iter().position(|(known, _)| *known == name)
}

/// The text, unless it only fills the place of one.
fn said(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.trim_end_matches(['.', '!', '…']).to_lowercase();
    (!PLACEHOLDERS.contains(&bare.as_str())).then(|| text.replace("\r\n", "\n"))
}

fn collect(role: Role, name: &str, path: &str, value: &Value, in_list: bool, out: &mut Vec<Found>) {
    let evidence = || if in_list { Evidence::Record(path.to_owned()) } else { Evidence::Field(path.to_owned()) };
    let mut push = |text: Option<String>, detail: Option<String>| {
        if let Some(text) = text {
            out.push(Found { role, name: name.to_owned(), text, detail, evidence: evidence() });
        }
    };
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => {
            // Only a test result is worth its bare figure, and only with its name.
            let text = (role == Role::TestResult).then(|| format!("{}: {value}", heading(name)));
            push(text, None);
        }
        Value::String(text) if role == Role::Deliverable => push(said(text).map(|text| without_root(&text)), None),
        Value::String(text) => push(said(text), None),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate().take(ITEMS_MAX) {
                // A list in a list is nothing that anyone says.
                if !item.is_array() {
                    collect(role, name, &format!("{path}[{i}]"), item, true, out);
                }
            }
        }
        Value::Object(members) if role == Role::TestResult => {
            let members: Vec<String> = members
                .iter()
                .filter_map(|(name, value)| scalar(value).map(|v| format!("{}: {v}", words(name))))
                .collect();
            push((!members.is_empty()).then(|| members.join(", ")), None);
        }
        Value::Object(members) => record(role, name, path, members, evidence(), out),
    }
}

/// A record: its own problem, solution and lessons, else its name with what it says beside it.
fn record(role: Role, name: &str, path: &str, members: &Map<String, Value>, evidence: Evidence, out: &mut Vec<Found>) {
    let mut told = false;
    for (member, value) in members {
        let Some(nested) = rank(member).map(|rank| KNOWN[rank].1) else { continue };
        let always = matches!(nested, Role::Problem | Role::Solution | Role::Lesson);
        if (always || role == Role::Narrative) && !value.is_object() {
            collect(nested, member, &format!("{path}.{member}"), value, false, out);
            told = true;
        }
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str).and_then(said);
    let Some((title, words_of_it)) = TITLES.iter().find_map(|title| text(title).map(|text| (*title, text))) else {
        return;
    };
    if told && title != "title" && title != "name" {
        return;
    }
    let beside: Vec<String> = ["description", "type", "lines", "status"]
        .iter()
        .filter(|name| **name != title)
        .filter_map(|name| {
            let value = scalar(members.get(*name)?)?;
            Some(if *name == "lines" { format!("{value} lines") } else { value })
        })
        .collect();
    let text = if role == Role::Deliverable { without_root(&words_of_it) } else { words_of_it };
    let detail = (!beside.is_empty()).then(|| beside.join(", "));
    out.push(Found { role, name: name.to_owned(), text, detail, evidence });
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => said(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn conversations(session: &SessionCompleted, out: &mut Vec<Found>) {
    let mut wanted = !out.iter().any(|found| found.role == Role::Goal);
    for (i, conversation) in session.source_data.conversations.iter().enumerate() {
        let Some(text) = said(&conversation.content) else { continue };
        let source = conversation.source.as_deref().map(str::trim).filter(|source| !source.is_empty());
        let assigned = source.is_some_and(|source| ASSIGNERS.contains(&source.to_lowercase().as_str()));
        let role = if assigned && wanted { Role::Goal } else { Role::Conversation };
        wanted &= !assigned;
        out.push(Found {
            role,
            name: source.unwrap_or("conversation").to_owned(),
            text,
            detail: None,
            evidence: Evidence::Record(format!("source_data.conversations[{i}]")),
        });
    }
}

/// Takes labelled lines out of prose and puts them where they belong.
fn labelled(found: &mut Vec<Found>) {
    let mut more = vec![];
    for one in found.iter_mut().filter(|one| matches!(one.role, Role::Narrative | Role::Conversation)) {
        let (prose, labelled) = read(&one.text);
        if labelled.is_empty() {
            continue;
        }
        more.extend(labelled.into_iter().map(|(role, text)| Found { role, text, ..one.clone() }));
        one.text = prose;
    }
    found.retain(|one| !one.text.is_empty());
    found.extend(more);
}

/// Prose without its labelled lines, and those lines by what they are. A label alone on its line is for the list below.
pub fn read(text: &str) -> (String, Vec<(Role, String)>) {
    let (mut prose, mut labelled, mut heading) = (vec![], vec![], None);
    for line in text.lines() {
        let bare = line.trim().trim_start_matches(['-', '*', '•', '#', ' ']);
        let is_bullet = line.trim_start().starts_with(['-', '*', '•']);
        let label = bare.split_once(':').and_then(|(label, rest)| {
            let label = label.trim_matches(['*', ' ']).to_lowercase();
            let role = LABELS.iter().find(|(known, _)| *known == label)?.1;
            Some((role, rest.trim_matches(['*', ' '])))
        });
        match (label, heading) {
            (Some((role, "")), _) => heading = Some(role),
            (Some((role, rest)), _) => {
                heading = None;
                labelled.extend(said(rest).map(|text| (role, text)));
            }
            (None, Some(role)) if is_bullet => labelled.extend(said(bare).map(|text| (role, text))),
            (None, _) => {
                heading = None;
                prose.push(line);
            }
        }
    }
    (prose.join("\n").trim().to_owned(), labelled)
}

/// A field's name as a heading: `key_achievements` → `Key achievements`.
pub fn heading(name: &str) -> String {
    wording::capitalised(&words(name))
}

fn words(name: &str) -> String {
    name.trim().replace(['_', '-'], " ").to_lowercase()
}

/// A path without its root: what lies on somebody's disk is nobody's business, its name is.
pub fn without_root(text: &str) -> String {
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    let rooted = drive || (text.starts_with(['/', '\\', '~']) && !text.contains(' '));
    let last = text.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    if rooted && !last.is_empty() { last.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
