//! What is wrong with a file: one list, shown to people with the lines underlined and to programs as JSON.
//!
//! Invariant: what is printed of a file is cut around the error and holds no control character, so neither a line of
//! 700 KiB nor a hostile one reaches the terminal.

use super::source::Source;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteSpanContents, SourceSpan};
use serde::Serialize;
use serde_json::json;
use std::{fmt, ops::Range};

/// How much of a line stands before and after an error, in characters.
const CONTEXT_CHARS: usize = 40;
/// How much of a span is underlined, in characters.
const UNDERLINED_CHARS_MAX: usize = 60;
/// How many problems of one kind (syntax, keys, fields, stamps) are looked for in one file.
pub const PROBLEMS_MAX: usize = 1_000;
/// How many problems of one file are shown to people; programs get all.
const SHOWN_MAX: usize = 50;
/// The width people read at.
const WIDTH: usize = 100;

/// Whether a problem refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken, and somebody should look.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// A stable name for programs: `missing_field`, `wrong_type`, …
    pub code: &'static str,
    /// Whether it refuses the file.
    pub severity: Severity,
    /// The JSON pointer of the value (RFC 6901); for a missing field of the field that should be there.
    pub pointer: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters from there, to the end of the line at most.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    /// The bytes meant, in the source.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl Problem {
    /// An error at a span.
    pub fn error(source: &Source, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        let (line, column) = source.locate(span.start);
        let end = span.end.min(source.line_at(span.start).end);
        let length = source.slice(&(span.start..end)).chars().count();
        Self {
            code,
            severity: Severity::Error,
            pointer: String::new(),
            line,
            column,
            length,
            message: message.into(),
            expected: None,
            hint: None,
            did_you_mean: None,
            span,
        }
    }

    /// A warning at a span.
    pub fn warning(source: &Source, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(source, code, span, message) }
    }

    /// Says which value it is about.
    pub fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..self }
    }

    /// Says what should be there.
    pub fn expected(self, text: impl Into<String>) -> Self {
        Self { expected: Some(text.into()), ..self }
    }

    /// Says what to do.
    pub fn hint(self, text: impl Into<String>) -> Self {
        Self { hint: Some(text.into()), ..self }
    }

    /// Says what was probably meant.
    pub fn did_you_mean(self, text: Option<impl Into<String>>) -> Self {
        Self { did_you_mean: text.map(Into::into), ..self }
    }

    /// The help under the underlined line.
    fn help(&self) -> Option<String> {
        let unsaid = self.expected.as_ref().filter(|expected| !self.message.contains(expected.as_str()));
        let expected = unsaid.map(|expected| format!("expected {}", plain(expected)));
        let meant = self.did_you_mean.as_ref().map(|meant| format!("did you mean `{}`?", plain(meant)));
        let lines: Vec<String> = [expected, meant, self.hint.as_deref().map(plain)].into_iter().flatten().collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Everything that is wrong with one file.
#[derive(Debug, Clone)]
pub struct Report {
    /// The file's name as it was given.
    pub file: String,
    /// What refuses the file, in the order of the file.
    pub errors: Vec<Problem>,
    /// What does not.
    pub warnings: Vec<Problem>,
    source: Source,
}

impl Report {
    /// Orders problems as they stand in the file.
    pub fn new(file: impl Into<String>, source: Source, mut problems: Vec<Problem>) -> Self {
        // Stable: what stands at one place keeps the order in which it was found.
        problems.sort_by_key(|problem| (problem.line, problem.column));
        let more = problems.len() >= PROBLEMS_MAX;
        let (mut errors, warnings): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        if more && !errors.is_empty() {
            let end = source.text().len();
            let message = format!("there may be more: at most {PROBLEMS_MAX} problems of a kind are listed");
            errors.push(Problem::error(&source, "more_errors", end..end, message));
        }
        Self { file: file.into(), errors, warnings, source }
    }

    /// The report of a file that could not be read at all.
    pub fn unreadable(file: impl Into<String>, code: &'static str, message: &str, hint: &str) -> Self {
        let source = Source::default();
        let problem = Problem::error(&source, code, 0..0, message).hint(hint);
        Self::new(file, source, vec![problem])
    }

    /// The report for programs: `{"file", "valid", "errors", "warnings"}`.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "file": self.file, "valid": self.errors.is_empty(), "errors": self.errors, "warnings": self.warnings,
        })
    }

    /// Each reason in one line, for an event: `agent_id: …`.
    pub fn reasons(&self) -> Vec<String> {
        let line = |problem: &Problem| match problem.pointer.trim_start_matches('/') {
            "" => problem.message.clone(),
            pointer => format!("{}: {}", plain(pointer), problem.message),
        };
        self.errors.iter().map(line).collect()
    }

    /// The report for people; colour and Unicode where a terminal shows them.
    pub fn render(&self, terminal: bool) -> String {
        let theme = if terminal { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
        let name = plain(&self.file);
        let mut text = match (self.errors.len(), self.warnings.len()) {
            (0, warnings) => format!("{name}: {}\n", counted(warnings, "warning")),
            (errors, 0) => format!("{name}: refused, {}\n", counted(errors, "error")),
            (errors, warnings) => {
                format!("{name}: refused, {}, {}\n", counted(errors, "error"), counted(warnings, "warning"))
            }
        };
        let all = self.errors.len() + self.warnings.len();
        for problem in self.errors.iter().chain(&self.warnings).take(SHOWN_MAX) {
            // Of a file that could not be read there is nothing to show.
            let excerpt = (!self.source.text().is_empty()).then(|| Excerpt::of(&name, &self.source, problem));
            let shown = Shown { problem, help: problem.help(), excerpt };
            text.push('\n');
            // Writing to a string cannot fail, and an excerpt always answers.
            let _ = handler.render_report(&mut text, &shown);
        }
        if all > SHOWN_MAX {
            text.push_str(&format!("\n... and {} more; --json prints them all\n", all - SHOWN_MAX));
        }
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Text as a terminal may see it: no control characters and no characters that reorder others.
pub fn plain(text: &str) -> String {
    text.chars().map(plain_char).collect()
}

fn plain_char(char: char) -> char {
    match char {
        '\t' => ' ',
        char if char.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        char => char,
    }
}

/// A problem as miette shows it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    help: Option<String>,
    excerpt: Option<Excerpt>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.problem.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, excerpt.underlined))))
    }
}

/// The part of one line that shows an error. It answers every question for a span with itself.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    underlined: SourceSpan,
    line: usize,
    column: usize,
}

impl Excerpt {
    fn of(name: &str, source: &Source, problem: &Problem) -> Self {
        let line = source.line_at(problem.span.start);
        let at = source.text().floor_char_boundary(problem.span.start).clamp(line.start, line.end);
        let before: Vec<char> = source.text()[line.start..at].chars().collect();
        let underlined = problem.length.clamp(1, UNDERLINED_CHARS_MAX);
        let mut after = source.text()[at..line.end].chars();
        let mut text = String::new();
        if before.len() > CONTEXT_CHARS {
            text.push_str("...");
        }
        text.extend(before[before.len().saturating_sub(CONTEXT_CHARS)..].iter().copied().map(plain_char));
        let start = text.len();
        text.extend(after.by_ref().take(underlined).map(plain_char));
        if text.len() == start {
            text.push(' ');
        }
        let length = text.len() - start;
        text.extend(after.by_ref().take(CONTEXT_CHARS).map(plain_char));
        if after.next().is_some() {
            text.push_str("...");
        }
        Self {
            name: name.to_owned(),
            text,
            underlined: (start, length).into(),
            line: problem.line.saturating_sub(1),
            column: problem.column.saturating_sub(1),
        }
    }
}

impl miette::SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let whole = SourceSpan::from((0, self.text.len()));
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            whole,
            self.line,
            self.column,
            1,
        )))
    }
}
