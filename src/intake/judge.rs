//! The fields of a session: the JSON Schema's verdict in plain words, and the rules a schema cannot say.

use super::{
    document::{Children, Document, Member, Node, join, tokens},
    plain,
    report::{PROBLEMS_MAX, Problem},
    screenshot, words,
};
use crate::trading::settings::{self, Settings};
use flywheel_events::{AgentId, SessionCompleted, SessionType, stamp, work_session};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde::Deserialize as _;
use serde_json::Value;
use std::{borrow::Cow, collections::HashSet, ops::Range, sync::LazyLock};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| work_session::session_schema().to_value());
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).expect("the session's schema is a schema"));

/// The objects whose keys are looked at for slips of the pen.
const KNOWN_OBJECTS: [&str; 4] = ["", "/metadata", "/source_data", TRADING];
/// Its keys are known to the trading settings, not to the schema.
const TRADING: &str = "/source_data/trading";
/// How many keys of an object are looked at for what it lacks.
const KEYS_MAX: usize = 64;
/// The outputs that stand in the file beside the session.
const OUTPUTS: [&str; 2] = ["artifacts", "pipeline_status"];

/// Judges a whole document and decodes it; without a session there is at least one error in `problems`.
pub fn session(
    document: &Document,
    expected: Option<SessionType>,
    problems: &mut Vec<Problem>,
) -> Option<SessionCompleted> {
    if !document.value.is_object() {
        let message = format!("a session is one object; found {}", words::found(&document.value));
        problems.push(
            Problem::error(&document.source, "not_an_object", document.root().span.clone(), message)
                .expected("an object with `session_id`, `session_type`, `timestamp` and `agent_id`"),
        );
        return None;
    }
    let slips = slips(document);
    let (read_as_meant, mut errors) = as_meant(document, &slips);
    errors.extend(schema_errors(&read_as_meant));
    errors.extend(rules(&read_as_meant, expected));
    let required =
        |known: &str| errors.iter().any(|error: &Problem| error.code == "missing_field" && error.pointer == known);
    problems.extend(
        slips.iter().filter(|slip| !required(&join(slip.object, slip.known))).map(|slip| slip.warning(document)),
    );
    problems.extend(record_stamps(document));
    problems.extend(outputs(document));
    if errors.is_empty() {
        match SessionCompleted::deserialize(&document.value) {
            Ok(session) => {
                errors.extend(trading_settings(document, &session));
                if errors.is_empty() {
                    return Some(session);
                }
            }
            // Again, and this time with an eye on where it stops.
            Err(_) => errors.extend(
                serde_path_to_error::deserialize::<_, SessionCompleted>(&document.value)
                    .err()
                    .map(|error| undecodable(document, &error)),
            ),
        }
    }
    problems.append(&mut errors);
    None
}

/// The settings that decide a trading session's figures: every one that cannot be read, at its place.
fn trading_settings(document: &Document, session: &SessionCompleted) -> Vec<Problem> {
    let mut problems = Vec::new();
    if session.session_type != SessionType::Trade || Settings::of(session).is_ok() {
        return problems;
    }
    let mut session = session.clone();
    while let Err(error) = Settings::of(&session) {
        let pointer = format!("{TRADING}/{}", error.path().replace('.', "/"));
        let span = document.span(&pointer).unwrap_or_else(|| document.root().span.clone());
        problems.push(Problem::error(&document.source, "bad_setting", span, error.to_string()).at(pointer));
        // Without it, the next one shows.
        let mut names = error.path().split('.');
        let (first, second) = (names.next().unwrap_or_default(), names.next());
        let Some(settings) = session.source_data.trading.as_mut() else { break };
        let removed = match second {
            Some(second) => {
                settings.get_mut(first).and_then(Value::as_object_mut).and_then(|inner| inner.remove(second))
            }
            None => settings.remove(first),
        };
        if removed.is_none() {
            break;
        }
    }
    problems
}

/// Judges the members that stand before a syntax error. What is missing may follow it, so nothing is.
pub fn what_was_read(document: &Document, expected: Option<SessionType>) -> Vec<Problem> {
    let mut problems = schema_errors(document);
    problems.retain(|problem| problem.code != "missing_field" || problem.pointer.matches('/').count() > 1);
    problems.extend(rules(document, expected));
    problems
}

/// A key that is nearly a known one.
struct Slip<'d> {
    object: &'static str,
    member: &'d Member,
    known: &'static str,
}

impl Slip<'_> {
    fn warning(&self, document: &Document) -> Problem {
        let message = format!("unknown key `{}`: it is kept, and not read", words::cut(&self.member.key));
        Problem::warning(&document.source, "unknown_key", self.member.key_span.clone(), message)
            .at(join(self.object, &self.member.key))
            .did_you_mean(Some(self.known))
    }
}

fn slips(document: &Document) -> Vec<Slip<'_>> {
    let mut slips = Vec::new();
    for object in KNOWN_OBJECTS {
        let Some(Value::Object(value)) = document.value.pointer(object) else { continue };
        let properties = schema_at(object).and_then(|schema| schema["properties"].as_object());
        let others: &[&'static str] = match object {
            "" => &OUTPUTS,
            TRADING => &settings::NAMES,
            _ => &[],
        };
        let properties = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
        let known: Vec<&'static str> = properties.chain(others.iter().copied()).collect();
        if value.keys().all(|key| known.contains(&key.as_str())) {
            continue;
        }
        let Some(node) = document.node(object) else { continue };
        let present: HashSet<&str> = node.members().iter().map(|member| member.key.as_str()).collect();
        // Each known key is meant once at most.
        let mut absent: Vec<&str> = known.iter().copied().filter(|known| !present.contains(known)).collect();
        for member in node.members().iter().take(KEYS_MAX).filter(|member| !known.contains(&member.key.as_str())) {
            if let Some(known) = words::nearest(&member.key, absent.iter().copied()) {
                absent.retain(|absent| *absent != known);
                slips.push(Slip { object, member, known });
            }
        }
    }
    slips
}

/// The document with the session's required keys as they were meant, so that their values are judged too; and what to
/// say about each.
fn as_meant<'d>(document: &'d Document, slips: &[Slip<'_>]) -> (Cow<'d, Document>, Vec<Problem>) {
    let required = |known: &str| SCHEMA["required"].as_array().is_some_and(|keys| keys.iter().any(|key| key == known));
    let mut meant = Cow::Borrowed(document);
    let mut problems = Vec::new();
    for slip in slips.iter().filter(|slip| slip.object.is_empty() && required(slip.known)) {
        problems.push(missing(document, "", slip.known));
        let (root, value) = meant.to_mut().root_mut();
        if let (Children::Members(members), Some(object)) = (&mut root.children, value.as_object_mut()) {
            let member = members.iter_mut().find(|member| member.key_span == slip.member.key_span);
            member.expect("a slip is a member of its document").key = slip.known.to_owned();
            let value = object.remove(&slip.member.key).unwrap_or_default();
            object.insert(slip.known.to_owned(), value);
        }
    }
    (meant, problems)
}

/// What the schema says, one problem for each value.
fn schema_errors(document: &Document) -> Vec<Problem> {
    if plain::keeps(&SCHEMA, &document.value) {
        return vec![];
    }
    let mut seen = HashSet::new();
    VALIDATOR
        .iter_errors(&document.value)
        // A stamp's text is for `rules`, which say more.
        .filter(|error| {
            !(matches!(error.kind(), Kind::Pattern { .. }) && error.instance_path().as_str() == "/timestamp")
        })
        .take(PROBLEMS_MAX)
        .map(|error| schema_error(document, &error))
        .filter(|problem| seen.insert(problem.pointer.clone()))
        .collect()
}

fn schema_error(document: &Document, error: &ValidationError<'_>) -> Problem {
    let pointer = error.instance_path().as_str();
    if let Kind::Required { property } = error.kind() {
        return missing(document, pointer, property.as_str().unwrap_or_default());
    }
    if let Some(problem) = screenshot::digest(document, pointer, error.instance().as_ref()) {
        return problem;
    }
    let keyword = error.schema_path().as_str();
    let schema = keyword.rsplit_once('/').and_then(|(parent, _)| SCHEMA.pointer(parent)).unwrap_or(&Value::Null);
    let value = error.instance().as_ref();
    let source = &document.source;
    let span = nearest_span(document, pointer);
    let special = value.as_str().and_then(|text| match pointer {
        "/session_id" => Some(session_id(text)),
        "/agent_id" => Some(agent_id(text)),
        "/session_type" => Some(session_type(text)),
        _ => None,
    });
    if let Some((code, message, meant)) = special {
        let problem = Problem::error(source, code, span, message).at(pointer).did_you_mean(meant);
        let hint = (code == "bad_session_id").then_some("`uuidgen` or `flywheel session new` makes one");
        return Problem { hint: hint.map(Into::into), ..problem.expected(words::expectation(schema)) };
    }
    let code = match error.kind() {
        Kind::Minimum { .. } => "negative",
        Kind::Pattern { .. } | Kind::MaxLength { .. } | Kind::MinLength { .. } => "bad_text",
        _ => "wrong_type",
    };
    unexpected(document, code, pointer, span, schema, value)
}

/// `metadata.commits: expected a whole number, 0 or more; found "eight"`.
fn unexpected(
    document: &Document,
    code: &'static str,
    pointer: &str,
    span: Range<usize>,
    schema: &Value,
    value: &Value,
) -> Problem {
    let expected = words::expectation(schema);
    let message = format!("{}: expected {expected}; found {}", dotted(pointer), words::found(value));
    Problem::error(&document.source, code, span, message).at(pointer).expected(expected)
}

fn missing(document: &Document, object: &str, field: &str) -> Problem {
    let node = document.node(object).unwrap_or(document.root());
    let pointer = join(object, field);
    // Only what the object itself does not know can be a slip of the pen.
    let meant = |member: &&Member| {
        schema_at(&join(object, &member.key)).is_none() && words::nearest(&member.key, [field]).is_some()
    };
    let slip = node.members().iter().take(KEYS_MAX).find(meant);
    let span = slip.map_or_else(|| opening(node), |member| member.key_span.clone());
    let message = match slip {
        Some(member) => format!("`{}` is missing; found `{}`", dotted(&pointer), words::cut(&member.key)),
        None => format!("`{}` is missing", dotted(&pointer)),
    };
    let expected = schema_at(&pointer).map(words::expectation);
    let problem = Problem::error(&document.source, "missing_field", span, message).at(pointer);
    Problem { expected, ..problem.did_you_mean(slip.map(|_| field)) }
}

/// The bracket that opens a value: enough to point at an object that lacks something.
fn opening(node: &Node) -> Range<usize> {
    node.span.start..node.span.start + 1
}

fn session_id(text: &str) -> (&'static str, String, Option<String>) {
    let shown = words::cut(text);
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect();
    let others = text.chars().filter(|char| !char.is_ascii_hexdigit());
    let meant = digits.len() == 32 && others.clone().all(|char| "-{}() ".contains(char));
    let meant =
        meant.then(|| [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"));
    let message = match holds(text) {
        Some(what) => format!("the session id `{shown}` holds {what}"),
        None => format!("the session id `{shown}` is not a UUID"),
    };
    ("bad_session_id", message, meant)
}

fn agent_id(text: &str) -> (&'static str, String, Option<String>) {
    let shown = words::cut(text);
    let what = holds(text);
    let meant: String = text.trim().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let meant = (what.is_none() && meant.parse::<AgentId>().is_ok()).then_some(meant);
    let message = match what {
        Some(what) => format!("the agent id `{shown}` holds {what}"),
        None if text.is_empty() => "the agent id is empty".to_owned(),
        None if text.len() > 64 => format!("the agent id `{shown}` is too long: {} bytes", text.len()),
        None => format!("the agent id `{shown}` holds a character that an id may not have"),
    };
    ("bad_agent_id", message, meant)
}

/// What makes an id dangerous in a path or a subject.
fn holds(id: &str) -> Option<&'static str> {
    if id.contains(['/', '\\']) || id.contains("..") {
        Some("a path")
    } else if id.contains(['*', '>', '?']) {
        Some("a wildcard")
    } else {
        None
    }
}

fn session_type(text: &str) -> (&'static str, String, Option<String>) {
    let names = SessionType::ALL.map(SessionType::as_str);
    let alias = match text.to_lowercase().as_str() {
        "life" | "aria" | "life/aria" | "life & aria" => Some("life_aria"),
        "trading" => Some("trade"),
        "building" | "code" | "coding" => Some("build"),
        _ => None,
    };
    let meant = alias.or_else(|| words::nearest(text, names)).map(Into::into);
    ("unknown_session_type", format!("unknown session type `{}`", words::cut(text)), meant)
}

/// The rules a schema cannot say: the session's own stamp, the type asked for, an exact duration.
fn rules(document: &Document, expected: Option<SessionType>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(Value::String(text)) = document.value.get("timestamp")
        && let Err(error) = stamp::parse(text)
        && let Some(span) = document.span("/timestamp")
    {
        problems.push(own_stamp(document, text, span, &error));
    }
    if let (Some(Value::String(text)), Some(expected)) = (document.value.get("session_type"), expected)
        && text != expected.as_str()
        && SessionType::ALL.iter().any(|kind| kind.as_str() == text)
        && let Some(span) = document.span("/session_type")
    {
        let expected = expected.as_str();
        let message = format!("the session's type `{text}` contradicts the pipeline asked for, `{expected}`");
        problems.push(
            Problem::error(&document.source, "type_contradicts_pipeline", span, message)
                .at("/session_type")
                .expected(format!("`{expected}`"))
                .hint(format!("ask for `--pipeline {text}`, or leave the option out")),
        );
    }
    problems
}

fn own_stamp(document: &Document, text: &str, span: Range<usize>, error: &stamp::Error) -> Problem {
    let shown = words::cut(text);
    let problem = |code, message: String| Problem::error(&document.source, code, span, message).at("/timestamp");
    match error {
        stamp::Error::NoZone(_) => problem(
            "timestamp_without_zone",
            format!("the session's timestamp `{shown}` has no zone, so it names no instant"),
        )
        .expected("an offset like `Z` or `-06:00` at the end")
        .hint("add the offset of the clock it was read from; `Z` only where that was UTC"),
        stamp::Error::Malformed(_) => {
            let meant = stamp::parse_lenient(text).ok().map(|(stamp, _)| stamp.to_rfc3339());
            problem("bad_timestamp", format!("the session's timestamp `{shown}` is not a date and time"))
                .expected("RFC 3339, like `2025-12-02T05:20:00Z`")
                .did_you_mean(meant)
        }
    }
}

/// The stamps of commits and conversations: never a reason to refuse.
fn record_stamps(document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    for list in ["git_commits", "conversations"] {
        let Some(records) = document.value["source_data"][list].as_array() else { continue };
        for (index, record) in records.iter().enumerate() {
            let Some(value) = record.get("timestamp").filter(|value| !value.is_null()) else { continue };
            let read = value.as_str().map(stamp::parse_lenient);
            if matches!(read, Some(Ok((_, false)))) {
                continue;
            }
            let pointer = format!("/source_data/{list}/{index}/timestamp");
            problems.push(record_stamp(document, &pointer, value, read));
            if problems.len() == PROBLEMS_MAX {
                return problems;
            }
        }
    }
    problems
}

/// What to say of a stamp that is not RFC 3339, or no text at all.
fn record_stamp(
    document: &Document,
    pointer: &str,
    value: &Value,
    read: Option<Result<(stamp::Stamp, bool), stamp::Error>>,
) -> Problem {
    let (name, found) = (dotted(pointer), words::found(value));
    let (code, message) = match read {
        Some(Ok((stamp, _))) => (
            "repaired_record_timestamp",
            format!("{name}: {found} is not RFC 3339; it reads as {}", stamp.to_rfc3339()),
        ),
        Some(Err(stamp::Error::NoZone(_))) => {
            ("record_timestamp_without_zone", format!("{name}: {found} has no zone, so it is not used"))
        }
        Some(Err(stamp::Error::Malformed(_))) | None => {
            ("bad_record_timestamp", format!("{name}: {found} is not a date and time, so it is not used"))
        }
    };
    Problem::warning(&document.source, code, nearest_span(document, pointer), message)
        .at(pointer)
        .expected("RFC 3339, like `2025-12-02T05:20:00Z`")
}

/// Outputs are the program's own, so what cannot be merged is replaced.
fn outputs(document: &Document) -> Vec<Problem> {
    let strange = |key: &&str| document.value.get(*key).is_some_and(|value| !value.is_object() && !value.is_null());
    let warning = |key: &str| {
        let pointer = join("", key);
        let message = format!("{key} is no object, so a run replaces it");
        Problem::warning(&document.source, "bad_output", nearest_span(document, &pointer), message)
            .at(pointer)
            .expected("an object `{...}`")
    };
    OUTPUTS.into_iter().filter(|key| strange(key)).map(warning).collect()
}

/// What passes the schema and still cannot be decoded: `8.0` for a count, a number out of range.
fn undecodable(document: &Document, error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in error.path() {
        let next = match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => join(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => break,
        };
        if document.node(&next).is_none() {
            break;
        }
        pointer = next;
    }
    let schema = schema_at(&pointer).unwrap_or(&Value::Null);
    let value = document.value.pointer(&pointer).unwrap_or(&Value::Null);
    let span = nearest_span(document, &pointer);
    let problem = unexpected(document, "bad_value", &pointer, span, schema, value);
    if !value.is_number() {
        return problem;
    }
    let whole = words::expectation(schema).starts_with("a whole");
    problem.hint(if whole {
        "write plain digits without a fraction or an exponent, at most 18446744073709551615"
    } else {
        "write a number of a usual size, with at most 28 digits"
    })
}

/// The schema of the value at a pointer, as far as it is known.
fn schema_at(pointer: &str) -> Option<&'static Value> {
    let schema: &'static Value = &SCHEMA;
    tokens(pointer).try_fold(schema, |schema, token| match schema.get("items") {
        Some(items) if token.bytes().all(|byte| byte.is_ascii_digit()) => Some(items),
        _ => schema.get("properties")?.get(&token),
    })
}

/// The bytes of a value, or of the nearest thing around it.
fn nearest_span(document: &Document, pointer: &str) -> Range<usize> {
    let mut pointer = pointer;
    loop {
        match (document.span(pointer), pointer.rsplit_once('/')) {
            (Some(span), _) => return span,
            (None, Some((parent, _))) => pointer = parent,
            (None, None) => return opening(document.root()),
        }
    }
}

/// A pointer as people write it: `source_data.git_commits[1].hash`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut dotted = String::new();
    for token in tokens(pointer) {
        if token.bytes().all(|byte| byte.is_ascii_digit()) && !token.is_empty() {
            dotted.push_str(&format!("[{token}]"));
        } else {
            if !dotted.is_empty() {
                dotted.push('.');
            }
            dotted.push_str(&words::cut(&token));
        }
    }
    dotted
}
