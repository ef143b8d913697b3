//! Whether a README is clean: eleven rules worth 100 points. Clean is 80 or more without a blocker.
//!
//! Invariants: pure; the same text and scan have the same score. A rule that does not apply passes and says so. What
//! the scan does not know (files below the top level, a repository that was not read) is never held against a README.

use crate::safety;
use flywheel_events::RepoScanned;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

mod page;
#[cfg(test)]
mod tests;

use page::Page;

/// Points from which a README is clean.
const CLEAN: u32 = 80;
/// Characters a short description may have.
const DESCRIPTION_MAX: usize = 350;
/// Lines from which a README needs a table of contents.
const CONTENTS_LINES: usize = 100;
/// Top-level names a scan records at most: a full list says nothing about what is not on it.
const TOP_LEVEL_MAX: usize = 100;

/// How clean a README is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// No blocker and a score of 80 or more.
    pub clean: bool,
    /// Points of the rules passed, of 100.
    pub score: u32,
    /// Every rule, in the order of the table.
    pub rules: Vec<Verdict>,
    /// What must not be published whatever the score.
    pub blockers: Vec<String>,
}

/// How one rule ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The rule's name.
    pub rule: String,
    /// What it is worth.
    pub points: u32,
    /// Whether the points are given.
    pub passed: bool,
    /// Why, in a few words.
    pub note: String,
}

/// `Ok` and `Err` say why it passed or failed.
type Judged = Result<String, String>;
/// One rule: its name, its points, and what judges it.
type Rule = (&'static str, u32, fn(&Page, &str, &RepoScanned) -> Judged);

/// The rules.
const RULES: [Rule; 11] = [
    ("title and description", 10, title),
    ("install", 15, install),
    ("usage", 15, usage),
    ("licence", 10, licence),
    ("no placeholders, secrets or absolute paths", 10, nothing_left_over),
    ("links resolve", 15, links),
    ("images have alt text", 5, alt_text),
    ("headings and fences", 5, structure),
    ("contributing or support", 5, support),
    ("table of contents", 5, contents),
    ("commands and files exist", 5, still_there),
];

/// Judges a README by what the scan saw.
pub fn score(text: &str, scan: &RepoScanned) -> Score {
    let page = Page::read(text);
    let verdict = |(rule, points, judge): &Rule| {
        let judged = judge(&page, text, scan);
        let passed = judged.is_ok();
        Verdict { rule: (*rule).to_owned(), points: *points, passed, note: judged.unwrap_or_else(|why| why) }
    };
    let rules: Vec<Verdict> = RULES.iter().map(verdict).collect();
    let score = rules.iter().filter(|rule| rule.passed).map(|rule| rule.points).sum();
    let secret = secret(text).map(|(kind, line)| format!("a secret stood in line {line} ({kind})"));
    let path = home(text).map(|line| format!("a path of somebody's machine in line {line}"));
    let blockers: Vec<String> = secret.into_iter().chain(path).collect();
    Score { clean: blockers.is_empty() && score >= CLEAN, score, rules, blockers }
}

macro_rules! patterns {
    ($($name:ident = $pattern:expr;)+) => {
        $(static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("the pattern is fixed"));)+
    };
}
patterns! {
    INSTALL = r"(?i)\binstall|\bset-?up\b|\bgetting started\b|\bquick ?-?start\b|\bbuild(ing)?\b";
    USAGE = r"(?i)\busage\b|\bexamples?\b|\bgetting started\b|\bquick ?-?start\b|\bhow to (use|run)\b|\brunning\b";
    LICENCE = r"(?i)\blicen[cs](e|ing)\b|\bcopyright\b";
    SUPPORT = r"(?i)\bcontribut|\bsupport\b|\bhelp\b|/issues\b|/discussions\b|\bissue tracker\b|\bcontact\b";
    CONTENTS = r"(?i)\bcontents\b|\btoc\b";
    PLACEHOLDER = r"\b(TODO|TBD|FIXME|XXX)\b|(?i:lorem ipsum|coming soon|under construction|\byour[-_ ]?(user)?name\b|\binsert \w+ here\b)";
    MARKER = r"\[redacted:([a-z0-9-]+)";
    HOME = r"(?:^|[^\w.:/~-])/(?:home|Users)/[\w.-]+|\b[A-Za-z]:\\[Uu]sers\\";
    ABSOLUTE = r"\b[A-Za-z]:\\\w|\bfile://";
    PATH = r"^\.?/?[\w.-]+(/[\w.-]+)*(\.[A-Za-z]\w{0,9}|/)$";
    SCRIPT = r"(?m)^\s*\$?\s*(?:npm|pnpm|yarn|bun) run ([\w:.-]+)";
    SCHEME = r"^[A-Za-z][A-Za-z0-9+.-]*:";
}

/// The line of the first match; its end counts, because a match may begin with the line break before.
fn line_of(pattern: &Regex, text: &str) -> Option<usize> {
    pattern.find(text).map(|found| text[..found.end()].matches('\n').count() + 1)
}

/// The line of the first path in somebody's home. The words are looked for first: a pattern takes longer to compile than a
/// README without any takes to judge.
fn home(text: &str) -> Option<usize> {
    let likely = ["/home/", "/Users/", ":\\Users\\", ":\\users\\"].iter().any(|word| text.contains(word));
    likely.then(|| line_of(&HOME, text)).flatten()
}

/// The line of the first absolute path of another kind.
fn absolute(text: &str) -> Option<usize> {
    let likely = text.contains(":\\") || text.contains("file://");
    likely.then(|| line_of(&ABSOLUTE, text)).flatten()
}

/// Words that stand where others were meant to.
fn placeholder(words: &str) -> Option<&str> {
    const ALONE: [&str; 8] =
        ["TODO", "TBD", "FIXME", "XXX", "lorem ipsum", "coming soon", "under construction", "\u{17F}"];
    let lower = words.to_lowercase();
    let likely = ALONE.iter().any(|word| lower.contains(&word.to_lowercase()))
        || lower.contains("your") && lower.contains("name")
        || lower.contains("insert") && lower.contains("here");
    likely.then(|| PLACEHOLDER.find(words)).flatten().map(|found| found.as_str())
}

/// The first secret that was taken out, and its line. What is judged was cleaned before it was stored, so that a marker
/// stands where a secret was; the markers of e-mail addresses and the like are none.
fn secret(text: &str) -> Option<(&str, usize)> {
    if !text.contains("[redacted:") {
        return None;
    }
    let found = MARKER.captures_iter(text).find(|found| safety::is_secret(&found[1]))?;
    let kind = found.get(1)?;
    Some((kind.as_str(), text[..kind.start()].matches('\n').count() + 1))
}

fn title(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    match page.headings.iter().filter(|heading| heading.level == 1).count() {
        0 => return Err("no heading of the first level".into()),
        1 if !page.title_first => return Err("the title does not come first".into()),
        1 => {}
        count => return Err(format!("{count} headings of the first level")),
    }
    match page.description.as_deref().map(|text| text.chars().count()) {
        None => Err("no description under the title".into()),
        Some(length) if length > DESCRIPTION_MAX => {
            Err(format!("the description has {length} characters, more than {DESCRIPTION_MAX}"))
        }
        Some(_) => Ok("one title, then a short description".into()),
    }
}

fn install(page: &Page, _: &str, scan: &RepoScanned) -> Judged {
    let sections = page.sections(&INSTALL);
    if sections.is_empty() {
        return Err("no install section".into());
    }
    let within = |code: &&page::Code| code.fenced && sections.iter().any(|at| page.is_within(code.under, *at));
    let commands: Vec<&str> = page.code.iter().filter(within).flat_map(|code| code.text.lines()).map(program).collect();
    let known = scan.manifest.as_ref().map_or(&[][..], |manifest| &manifest.commands);
    match known {
        _ if commands.is_empty() => Err("no fenced command in the install section".into()),
        [] => Ok("a fenced command; no manifest to compare it with".into()),
        known if known.iter().any(|known| commands.contains(&program(&known.command))) => {
            Ok("a fenced command that the manifest knows".into())
        }
        _ => Err("no command of the install section matches the manifest".into()),
    }
}

/// The program a command line starts, a prompt aside.
fn program(line: &str) -> &str {
    line.trim().trim_start_matches(['$', '>', '%']).split_whitespace().next().unwrap_or("")
}

fn usage(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    let sections = page.sections(&USAGE);
    if sections.is_empty() {
        return Err("no usage section".into());
    }
    let mut code = page.code.iter().filter(|code| sections.iter().any(|at| page.is_within(code.under, *at)));
    match code.any(|code| code.fenced && !code.language.is_empty()) {
        true => Ok("a fenced block that names its language".into()),
        false => Err("no fenced block with a language in the usage section".into()),
    }
}

fn licence(page: &Page, text: &str, scan: &RepoScanned) -> Judged {
    let sections = page.sections(&LICENCE);
    if sections.is_empty() {
        return Err("no licence section".into());
    }
    let words: String = (page.prose.iter())
        .filter(|(under, _)| sections.iter().any(|at| page.is_within(*under, *at)))
        .map(|(_, words)| words.to_lowercase() + "\n")
        .collect();
    let file = scan.license_file.as_ref().and_then(|file| file.spdx.as_deref());
    let Some(expected) = file.or_else(|| scan.manifest.as_ref().and_then(|manifest| manifest.license.as_deref()))
    else {
        return match &scan.license_file {
            Some(file) if !text.contains(&file.path) => Err(format!("the licence section does not name {}", file.path)),
            _ => Ok("a licence section; no known licence to compare it with".into()),
        };
    };
    // `Apache-2.0` is also written `Apache License 2.0`; `MIT OR Apache-2.0` names both.
    let names = |id: &str| words.contains(id.split('-').next().unwrap_or(id));
    let ids = expected.to_lowercase().replace(['(', ')', '/'], " ");
    match ids.split_whitespace().filter(|id| !matches!(*id, "or" | "and" | "with")).all(names) {
        true => Ok(format!("the licence section names {expected}")),
        false => Err(format!("the licence section does not name {expected}")),
    }
}

fn nothing_left_over(page: &Page, text: &str, _: &RepoScanned) -> Judged {
    if let Some((kind, line)) = secret(text) {
        return Err(format!("a secret stood in line {line} ({kind})"));
    }
    if let Some(line) = home(text).or_else(|| absolute(text)) {
        return Err(format!("an absolute path in line {line}"));
    }
    let titles = page.headings.iter().map(|heading| &heading.text);
    match titles.chain(page.prose.iter().map(|(_, words)| words)).find_map(|words| placeholder(words)) {
        Some(found) => Err(format!("the placeholder `{found}`")),
        None => Ok("none found".into()),
    }
}

fn links(page: &Page, _: &str, scan: &RepoScanned) -> Judged {
    let targets: Vec<&str> =
        page.links.iter().chain(page.images.iter().map(|image| &image.source)).map(String::as_str).collect();
    let local: Vec<&str> = targets.into_iter().filter(|target| !is_remote(target)).collect();
    match local.iter().find(|target| !resolves(target, page, scan)) {
        Some(target) => Err(format!("`{target}` leads nowhere")),
        None if local.is_empty() => Ok("no relative links, images or anchors".into()),
        None => Ok(format!("{} looked up", local.len())),
    }
}

fn is_remote(target: &str) -> bool {
    let target = target.to_lowercase();
    target.starts_with("//") || SCHEME.is_match(&target) && !target.starts_with("javascript:")
}

fn resolves(target: &str, page: &Page, scan: &RepoScanned) -> bool {
    match target.strip_prefix('#') {
        // `#` and `#top` lead to the top of every page.
        Some(anchor) => matches!(anchor, "" | "top") || page.anchors.contains(&decoded(anchor).to_lowercase()),
        None => !target.is_empty() && !target.starts_with("javascript:") && exists(target, scan),
    }
}

/// Whether a path from the README's folder may exist: its first component is among the top-level names, as far as
/// those are known.
fn exists(target: &str, scan: &RepoScanned) -> bool {
    let path = decoded(target.split(['#', '?']).next().unwrap_or(""));
    let folder = scan.readme.as_ref().and_then(|readme| readme.path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let from = if path.starts_with('/') { "" } else { folder };
    let mut components: Vec<&str> = vec![];
    for component in from.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            // Above the repository's root there is nothing, or GitHub's own pages (`../../issues`).
            ".." if components.pop().is_none() => return true,
            ".." => {}
            name => components.push(name),
        }
    }
    let seen =
        [scan.license_file.as_ref().map(|file| &file.path), scan.manifest.as_ref().map(|manifest| &manifest.path)];
    if seen.into_iter().flatten().any(|path| *path == components.join("/")) {
        return true;
    }
    let (Some(structure), Some(first)) = (&scan.structure, components.first()) else { return true };
    let found = structure.top_level.iter().any(|name| name.trim_end_matches('/') == *first);
    found || structure.top_level.len() >= TOP_LEVEL_MAX
}

/// The target without its percent escapes.
fn decoded(target: &str) -> String {
    percent_encoding::percent_decode_str(target).decode_utf8_lossy().into_owned()
}

fn alt_text(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    match page.images.iter().find(|image| image.alt.trim().is_empty()) {
        Some(image) => Err(format!("the image `{}` has none", image.source)),
        None if page.images.is_empty() => Ok("no images".into()),
        None => Ok(format!("{} images", page.images.len())),
    }
}

fn structure(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    if page.code.iter().any(|code| code.fenced && !code.closed) {
        return Err("a code fence is not closed".into());
    }
    let mut above: Vec<&page::Heading> = vec![];
    let mut siblings: Vec<Vec<String>> = vec![vec![]];
    for heading in &page.headings {
        while above.last().is_some_and(|last| last.level >= heading.level) {
            above.pop();
            siblings.pop();
        }
        if above.last().map_or(0, |last| last.level) + 1 < heading.level && !(above.is_empty() && heading.level == 2) {
            return Err(format!("`{}` skips a level", heading.text));
        }
        let names = siblings.last_mut().expect("the top level stays");
        if names.contains(&heading.text.to_lowercase()) {
            return Err(format!("`{}` stands twice side by side", heading.text));
        }
        names.push(heading.text.to_lowercase());
        above.push(heading);
        siblings.push(vec![]);
    }
    Ok("in order".into())
}

fn support(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    let titles = page.headings.iter().map(|heading| &heading.text);
    match titles.chain(&page.links).any(|text| SUPPORT.is_match(text)) {
        true => Ok("a heading or link points there".into()),
        false => Err("no heading or link to contributing, support or issues".into()),
    }
}

fn contents(page: &Page, _: &str, _: &RepoScanned) -> Judged {
    let anchors = page.links.iter().filter(|link| link.starts_with('#')).count();
    match page.lines > CONTENTS_LINES {
        false => Ok(format!("{} lines need none", page.lines)),
        true if anchors >= 3 || !page.sections(&CONTENTS).is_empty() => Ok("there is one".into()),
        true => Err(format!("none, with {} lines", page.lines)),
    }
}

fn still_there(page: &Page, _: &str, scan: &RepoScanned) -> Judged {
    // A name without a folder may lie anywhere; a folder at the top may not.
    let gone = |span: &&String| span.trim_end_matches('/').contains('/') && !exists(span, scan) && PATH.is_match(span);
    if let Some(span) = page.spans.iter().find(gone) {
        return Err(format!("`{span}` is not in the repository"));
    }
    let Some(manifest) = &scan.manifest else { return Ok("no manifest to compare commands with".into()) };
    if !manifest.path.ends_with("package.json") {
        return Ok("none is missing".into());
    }
    let known =
        |script: &str| manifest.commands.iter().any(|known| known.purpose == script || known.command.contains(script));
    let mut scripts =
        page.code.iter().flat_map(|code| SCRIPT.captures_iter(&code.text)).map(|found| found[1].to_owned());
    match scripts.find(|script| !known(script)) {
        Some(script) => Err(format!("the script `{script}` is not in {}", manifest.path)),
        None => Ok("none is missing".into()),
    }
}
