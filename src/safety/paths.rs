//! Absolute paths: relative to the repository, to the home directory, or only their last component.
//!
//! No drive, user name or machine layout stays. What only looks like a path does: routes, dates, programs of the
//! system (`/usr/bin/env`), regular expressions.

use std::borrow::Cow;

use super::{engine::Span, rules};

/// First components that say where a machine keeps things. `/usr`, `/bin`, `/etc`, `/dev` and the like are the same
/// everywhere and stay.
const MACHINE_ROOTS: &[&str] = &[
    "tmp",
    "var",
    "opt",
    "mnt",
    "media",
    "work",
    "srv",
    "workspace",
    "workspaces",
    "data",
    "private",
    "Volumes",
    "home",
    "Users",
    "root",
    "scratch",
    "storage",
    "export",
    "builds",
    "github",
    "cygdrive",
    "snap",
    "System",
];

/// After these words comes a route, not a path.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// A component with blanks has at most so many of them.
const BLANKS_MAX: usize = 3;

/// What a path begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    Drive(char),
    Share,
    Slash,
}

/// An absolute folder under which paths are shortened.
#[derive(Debug, Clone)]
pub(super) struct Root {
    start: Start,
    parts: Vec<String>,
}

impl Root {
    /// The folder that `path` names; nothing when it is relative, or the root of everything.
    pub fn parse(path: &str) -> Option<Self> {
        let (start, at) = beginning(path.trim(), 0)?;
        let parts = parts(&path.trim()[at..], &start);
        (!parts.is_empty()).then(|| Self { parts: parts.into_iter().map(str::to_owned).collect(), start })
    }

    /// The folder's own name, unless that is a user's.
    fn name(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        match home_length(&self.start, &parts) {
            Some(length) if length == parts.len() => ".".to_owned(),
            _ => self.parts.last().cloned().unwrap_or_default(),
        }
    }

    /// Where the folder's path ends, if it stands at `at`, behind what a path begins with.
    fn ends(&self, text: &str, start: &Start, mut at: usize) -> Option<usize> {
        let fold = *start != Start::Slash;
        (self.start == *start).then_some(())?;
        for (index, part) in self.parts.iter().enumerate() {
            let separators = text[at..].len() - text[at..].trim_start_matches(['/', '\\']).len();
            (separators > 0 || index == 0).then_some(())?;
            at += separators;
            let found = text.get(at..at + part.len())?;
            (found == part || fold && found.to_lowercase() == part.to_lowercase()).then_some(())?;
            at += part.len();
        }
        let rest = text[at..].strip_prefix('.').unwrap_or(&text[at..]);
        (rest.len() < text[at..].len() && !rest.starts_with(is_component) || !text[at..].starts_with(is_component))
            .then_some(at)
    }
}

/// Absolute paths in a text, and what they become.
pub(super) fn find(text: &str, root: Option<&Root>, home: Option<&Root>) -> Vec<Span> {
    let mut spans = Vec::new();
    if !text.contains(['/', '\\']) {
        return spans;
    }
    let mut at = 0;
    for (index, c) in text.char_indices() {
        if index < at || !(c == '/' || c == '\\' || c.is_ascii_alphabetic()) || !begins(text, index) {
            continue;
        }
        let Some((start, body)) = beginning(text, index) else { continue };
        let (end, replaced) = one(text, index, &start, body, root, home);
        at = end.max(index + 1);
        if let Some((replacement, kind)) = replaced {
            spans.push(Span { start: index, end, kind: Cow::Borrowed(kind), replacement, rank: 0 });
        }
    }
    spans
}

/// The path at `index`: where it ends, and what it becomes.
fn one(
    text: &str,
    index: usize,
    start: &Start,
    body: usize,
    root: Option<&Root>,
    home: Option<&Root>,
) -> (usize, Option<(String, &'static str)>) {
    let known = |known: Option<&Root>| known.and_then(|known| known.ends(text, start, body));
    if let (Some(found), Some(at)) = (root, known(root)) {
        let (rest, end) = components(text, at, start);
        let replacement = if rest.is_empty() { found.name() } else { rest.join("/") };
        return (end, Some((replacement, rules::REPOSITORY_PATH)));
    }
    if let Some(at) = known(home) {
        let (rest, end) = components(text, at, start);
        return (end, Some((under_home(&rest), rules::HOME_PATH)));
    }
    let (parts, end) = components(text, body, start);
    let Some(last) = parts.last() else { return (end, None) };
    if text[..index].ends_with('<') && parts.len() == 1 {
        // The end of an element, such as `</root>`.
        return (end, None);
    }
    if let Some(length) = home_length(start, &parts) {
        let rest = &parts[length..];
        let temporary = rest.len() > 3 && rest[..3].join("/").eq_ignore_ascii_case("appdata/local/temp");
        return match temporary {
            true => (end, Some(((*last).to_owned(), rules::MACHINE_PATH))),
            false => (end, Some((under_home(rest), rules::HOME_PATH))),
        };
    }
    let before = text[..index].trim_end();
    let route = METHODS.iter().any(|method| before.ends_with(method));
    let machine = parts.len() > 1 && MACHINE_ROOTS.contains(&parts[0]) && !route;
    let file = text[index..].len() >= 5 && text.as_bytes()[index].is_ascii_alphabetic();
    if *start == Start::Slash && !machine && !file {
        return (end, None);
    }
    (end, Some(((*last).to_owned(), rules::MACHINE_PATH)))
}

fn under_home(rest: &[&str]) -> String {
    std::iter::once(&"~").chain(rest).copied().collect::<Vec<_>>().join("/")
}

/// A value that as a whole is an absolute path: relative to the repository, or its last component.
pub(super) fn whole(text: &str, key: &str, root: Option<&Root>, home: Option<&Root>) -> Option<(String, &'static str)> {
    let value = text.trim();
    if value.contains(['\n', '\r']) || value.starts_with("//") {
        return None;
    }
    let (start, body) = beginning(value, 0)?;
    if !names_path(key) {
        // Only what is sure to be one path, from its first character to its last.
        let (end, replaced) = one(value, 0, &start, body, root, home);
        let (replacement, kind) = replaced.filter(|_| end == value.len())?;
        let last = if kind == rules::HOME_PATH { replacement.rsplit('/').next()?.to_owned() } else { replacement };
        return Some((last, kind));
    }
    let parts = parts(&value[body..], &start);
    for (known, kind) in [(root, rules::REPOSITORY_PATH), (home, rules::HOME_PATH)] {
        let Some(known) = known else { continue };
        let Some(at) = known.ends(value, &start, body) else { continue };
        let rest = self::parts(&value[at..], &start);
        let relative = match (rest.last(), kind) {
            (None, rules::REPOSITORY_PATH) => known.name(),
            (None, _) => "~".to_owned(),
            (Some(_), rules::REPOSITORY_PATH) => rest.join("/"),
            (Some(last), _) => (*last).to_owned(),
        };
        return Some((relative, kind));
    }
    match (parts.last(), home_length(&start, &parts)) {
        (Some(_), Some(length)) if length == parts.len() => Some(("~".to_owned(), rules::HOME_PATH)),
        (Some(last), _) => Some(((*last).to_owned(), rules::MACHINE_PATH)),
        (None, _) if start == Start::Slash => None,
        (None, _) => Some((".".to_owned(), rules::MACHINE_PATH)),
    }
}

/// Whether a field of this name holds paths.
fn names_path(key: &str) -> bool {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if ["url", "api", "route", "http", "endpoint"].iter().any(|word| key.contains(word)) {
        return false;
    }
    [
        "path",
        "paths",
        "file",
        "files",
        "dir",
        "directory",
        "folder",
        "root",
        "cwd",
        "filename",
        "workspace",
        "screenshot",
        "screenshots",
    ]
    .iter()
    .any(|ending| key.ends_with(ending))
        || matches!(key.as_str(), "home" | "fileschanged" | "deliverables")
}

/// Whether a path may begin at `index`: not in the middle of a word, an address or a relative path.
fn begins(text: &str, index: usize) -> bool {
    let mut before = text[..index].chars().rev();
    let Some(previous) = before.next() else { return true };
    if text.as_bytes()[index].is_ascii_alphabetic() {
        // `(?-u:\B)`, `%d:\t` and the like.
        return !previous.is_alphanumeric() && !"_-?%".contains(previous);
    }
    if previous.is_alphanumeric() {
        // An editor's address, as in `vscode://file/home/…`.
        if text[..index].ends_with("://file") {
            return true;
        }
        // The value of a flag, as in `-I/opt/x/include`.
        return before.next() == Some('-') && before.next().is_none_or(char::is_whitespace);
    }
    if text[index..].starts_with('\\') {
        return !"\\/._-~$%".contains(previous);
    }
    let scheme = previous == ':' && text[index..].starts_with("//");
    !scheme && !"/\\._-~$%@*}])+^?".contains(previous)
}

/// What an absolute path at `at` begins with, and where its components do.
fn beginning(text: &str, at: usize) -> Option<(Start, usize)> {
    let rest = text.get(at..)?;
    let drive = |rest: &str| {
        let bytes = rest.as_bytes();
        let found =
            bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
        // `x://` is an address' scheme.
        let scheme = rest.get(1..4) == Some("://") && bytes[0].is_ascii_lowercase();
        (found && !scheme).then(|| Start::Drive(char::from(bytes[0].to_ascii_uppercase())))
    };
    if let Some(start) = drive(rest) {
        return Some((start, at + 2));
    }
    if rest.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file://")) {
        let after = rest[7..].trim_start_matches('/');
        let slashes = rest[7..].len() - after.len();
        return match drive(after) {
            Some(start) => Some((start, at + 7 + slashes + 2)),
            None if slashes > 0 => Some((Start::Slash, at + 7)),
            None => Some((Start::Share, at + 7)),
        };
    }
    if rest.get(..8).is_some_and(|long| long.eq_ignore_ascii_case(r"\\?\UNC\")) {
        return Some((Start::Share, at + 7));
    }
    if let Some(after) = rest.strip_prefix(r"\\?\").or_else(|| rest.strip_prefix(r"\\.\"))
        && let Some(start) = drive(after)
    {
        return Some((start, at + 6));
    }
    if rest.starts_with(r"\\") {
        return is_share(rest).then_some((Start::Share, at));
    }
    let escaped = rest.starts_with(r"\/home\/") || rest.starts_with(r"\/Users\/");
    let slash = rest.starts_with('/') && rest[1..].starts_with(is_component);
    (escaped || slash).then_some((Start::Slash, at))
}

/// `\\host\share`, or the same with each backslash escaped; not a row of escapes such as `\\x00\x1f`.
fn is_share(text: &str) -> bool {
    let backslashes = |text: &str| text.len() - text.trim_start_matches('\\').len();
    let leading = backslashes(text);
    let (host, rest) = text[leading..].split_at(text[leading..].find(['\\', '/']).unwrap_or(text.len() - leading));
    let share = &rest[backslashes(rest)..];
    let share = &share[..share.find(|c| !is_component(c)).unwrap_or(share.len())];
    let named = |word: &str| word.len() >= 2 && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-$".contains(c));
    let escape = host.strip_prefix(['x', 'u', 'U']).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    matches!((leading, backslashes(rest)), (2, 1) | (4, 2)) && named(host) && named(share) && !escape
}

/// The components of a path that is all of `text`.
fn parts<'t>(text: &'t str, start: &Start) -> Vec<&'t str> {
    let escaped = text.starts_with(r"\/");
    let separator = |c: char| c == '/' || c == '\\' && (*start != Start::Slash || escaped);
    text.split(separator).filter(|part| !part.is_empty()).collect()
}

fn is_component(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"\\/:*?\"<>|'`()[]{},;=&".contains(c)
}

/// The components of a path within a text, from `at`, and where they end. A dot that ends a sentence is not the path's.
fn components<'t>(text: &'t str, at: usize, start: &Start) -> (Vec<&'t str>, usize) {
    let windows = *start != Start::Slash;
    let escaped = text[at..].starts_with(r"\/");
    let separators =
        |rest: &str| rest.len() - rest.trim_start_matches(|c| c == '/' || c == '\\' && (windows || escaped)).len();
    let mut found = Vec::new();
    let mut end = at;
    loop {
        let begin = end + separators(&text[end..]);
        let rest = &text[begin..];
        let mut length = rest.find(|c| !is_component(c)).unwrap_or(rest.len());
        if windows && length > 0 {
            length += blanks(&rest[length..]);
        }
        if length == 0 || begin == end {
            break;
        }
        found.push(&rest[..length]);
        end = begin + length;
    }
    if let Some(last) = found.last_mut() {
        let trimmed = last.trim_end_matches(['.', '!']);
        if !trimmed.is_empty() {
            end -= last.len() - trimmed.len();
            *last = trimmed;
        }
    }
    (found, end)
}

/// How much of `rest` still belongs to a component with blanks: words up to the next backslash.
fn blanks(rest: &str) -> usize {
    let word = |c: char| is_component(c) || c == '(' || c == ')';
    let end = rest.find(|c| !(word(c) || c == ' ')).unwrap_or(rest.len());
    let (inside, after) = rest.split_at(end);
    let count = inside.matches(' ').count();
    let fits =
        after.starts_with('\\') && inside.starts_with([' ', '(']) && count <= BLANKS_MAX && !inside.contains("  ");
    if fits { end } else { 0 }
}

/// How many components lead to a user's home directory, if the path is in one.
fn home_length(start: &Start, parts: &[&str]) -> Option<usize> {
    let first = |at: usize| parts.get(at).copied().unwrap_or_default();
    let letter = |part: &str| part.len() == 1 && part.starts_with(|c: char| c.is_ascii_alphabetic());
    let skipped = match (start, first(0)) {
        (Start::Drive(_), _) => 0,
        (Start::Share, _) => 2,
        (Start::Slash, "mnt" | "cygdrive") if letter(first(1)) => 2,
        (Start::Slash, "System") if first(1) == "Volumes" => 3,
        (Start::Slash, "export" | "usr" | "var" | "host") => 1,
        (Start::Slash, part) if letter(part) => 1,
        (Start::Slash, "root") => return Some(1),
        (Start::Slash, _) => 0,
    };
    let user = first(skipped + 1);
    let folder = first(skipped);
    let homes = match start {
        Start::Slash if skipped == 0 => matches!(folder, "home" | "Users"),
        _ => ["home", "users", "documents and settings"].iter().any(|home| folder.eq_ignore_ascii_case(home)),
    };
    (homes && !user.is_empty() && !user.starts_with('$')).then_some(skipped + 2)
}
