//! Writing a run's outputs back into a session file, in place.
//!
//! Invariants: outside the values of `artifacts` and `pipeline_status` not one byte changes; inside them, nothing that
//! already says the same; a second update with the same values changes nothing. New text follows the file's own line
//! ends and indentation.

use super::document::{Document, Member, Node};
use serde_json::{Map, Value};
use std::ops::Range;

/// The fields of an artifact's entry that a run sets; others in it are kept.
const ENTRY_FIELDS: [&str; 3] = ["generated", "path", "status"];

/// The file's new bytes: `artifacts` gets these entries (`{"<type>": {"generated", "path", "status"}}`), and
/// `pipeline_status` these keys. Other entries and keys stay. The document's root must be an object.
pub fn update(document: &Document, artifacts: &Map<String, Value>, status: &[(&str, &str)]) -> Vec<u8> {
    let text = document.source.text();
    let style = Style::of(text, document.root());
    let mut edits = Vec::new();
    let entries = artifacts.iter().map(|(key, entry)| {
        let old = document.value.get("artifacts").and_then(|artifacts| artifacts.get(key));
        (key.clone(), merged(old, entry))
    });
    put_all(document, &style, "artifacts", entries.collect(), &mut edits);
    let status = status.iter().map(|(key, status)| ((*key).to_owned(), Value::from(*status)));
    put_all(document, &style, "pipeline_status", status.collect(), &mut edits);
    apply(text, edits).into_bytes()
}

/// An entry with the fields a run does not know, which stay as they were.
fn merged(old: Option<&Value>, new: &Value) -> Value {
    let (Some(Value::Object(old)), Value::Object(new)) = (old, new) else { return new.clone() };
    let kept = old.iter().filter(|(key, _)| !ENTRY_FIELDS.contains(&key.as_str()));
    Value::Object(kept.chain(new).map(|(key, value)| (key.clone(), value.clone())).collect())
}

struct Edit {
    span: Range<usize>,
    text: String,
}

/// Puts members into one object of the root.
fn put_all(document: &Document, style: &Style, key: &str, new: Vec<(String, Value)>, edits: &mut Vec<Edit>) {
    let text = document.source.text();
    let Some(member) = document.root().member(key) else {
        let object = Value::Object(new.into_iter().collect());
        edits.push(insert(text, style, document.root(), &[(key.to_owned(), object)]));
        return;
    };
    if !document.value[key].is_object() {
        let object = Value::Object(new.into_iter().collect());
        edits.push(Edit { span: member.node.span.clone(), text: style.render(&object, &indent_of(text, member)) });
        return;
    }
    let mut missing = Vec::new();
    for (name, value) in new {
        match member.node.member(&name) {
            Some(_) if document.value[key][&name] == value => {}
            Some(old) => {
                let inline = !lead(text, &member.node).contains('\n');
                let style = if inline { &style.inline() } else { style };
                edits.push(Edit { span: old.node.span.clone(), text: style.render(&value, &indent_of(text, old)) });
            }
            None => missing.push((name, value)),
        }
    }
    if !missing.is_empty() {
        if member.node.members().is_empty() {
            let object = Value::Object(missing.into_iter().collect());
            edits.push(Edit { span: member.node.span.clone(), text: style.render(&object, &indent_of(text, member)) });
        } else {
            edits.push(insert(text, style, &member.node, &missing));
        }
    }
}

/// New members after an object's last, set out like its first.
fn insert(text: &str, style: &Style, object: &Node, members: &[(String, Value)]) -> Edit {
    let lead = lead(text, object);
    let several_lines = lead.contains('\n');
    let style = if several_lines { style.clone() } else { style.inline() };
    let indent = lead.rsplit_once('\n').map_or("", |(_, indent)| indent);
    let (at, mut comma) = match object.members().last() {
        Some(last) => (last.node.span.end, true),
        None => (object.span.start + 1, false),
    };
    let mut inserted = String::new();
    for (key, value) in members {
        if comma {
            inserted.push(',');
        }
        match several_lines {
            true => inserted.push_str(lead),
            false if comma => inserted.push_str(style.after_comma),
            false => {}
        }
        inserted.push_str(&format!("{}{}{}", Value::from(key.as_str()), style.colon, style.render(value, indent)));
        comma = true;
    }
    Edit { span: at..at, text: inserted }
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    // Stable: two insertions at one place keep their order.
    edits.sort_by_key(|edit| edit.span.start);
    let mut new = String::with_capacity(text.len() + 1024);
    let mut done = 0;
    for edit in edits {
        new.push_str(&text[done..edit.span.start]);
        new.push_str(&edit.text);
        done = edit.span.end;
    }
    new.push_str(&text[done..]);
    new
}

/// What stands between an object's brace and its first key.
fn lead<'t>(text: &'t str, object: &Node) -> &'t str {
    object.members().first().map_or("", |first| &text[object.span.start + 1..first.key_span.start])
}

/// The white space that a member's line begins with.
fn indent_of(text: &str, member: &Member) -> String {
    let line = text[..member.key_span.start].rsplit_once('\n').map_or("", |(_, line)| line);
    line.chars().take_while(|char| matches!(char, ' ' | '\t')).collect()
}

/// How a file is set out, read off its first members.
#[derive(Debug, Clone)]
struct Style {
    /// The line end, or nothing where the file is one line.
    newline: &'static str,
    /// One step of indentation.
    unit: String,
    /// What stands between a key and its value.
    colon: String,
    /// What follows a comma within a line.
    after_comma: &'static str,
}

impl Style {
    fn of(text: &str, root: &Node) -> Self {
        let lead = lead(text, root);
        let newline = match lead {
            lead if lead.contains("\r\n") => "\r\n",
            lead if lead.contains('\n') => "\n",
            _ => "",
        };
        let unit = lead.rsplit_once('\n').map_or("", |(_, unit)| unit).to_owned();
        let colon = root.members().first().map_or(":", |first| &text[first.key_span.end..first.node.span.start]);
        let colon = if colon.contains('\n') { ": " } else { colon };
        let spaced = match root.members() {
            [first, second, ..] => text[first.node.span.end..second.key_span.start].ends_with(", "),
            _ => colon.ends_with(' '),
        };
        let spaced = spaced || (!newline.is_empty() && colon.ends_with(' '));
        Self { newline, unit, colon: colon.to_owned(), after_comma: if spaced { " " } else { "" } }
    }

    /// The same within one line.
    fn inline(&self) -> Self {
        Self { newline: "", unit: String::new(), ..self.clone() }
    }

    /// A value whose first character stands on a line that begins with `indent`.
    fn render(&self, value: &Value, indent: &str) -> String {
        let mut text = String::new();
        self.write(value, indent, &mut text);
        text
    }

    fn write(&self, value: &Value, indent: &str, text: &mut String) {
        let (open, close, items): (char, char, Vec<(Option<&String>, &Value)>) = match value {
            Value::Object(map) if !map.is_empty() => ('{', '}', map.iter().map(|(k, v)| (Some(k), v)).collect()),
            Value::Array(list) if !list.is_empty() => ('[', ']', list.iter().map(|v| (None, v)).collect()),
            scalar => return text.push_str(&scalar.to_string()),
        };
        let inner = format!("{indent}{}", self.unit);
        text.push(open);
        for (index, (key, value)) in items.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if self.newline.is_empty() {
                text.push_str(if index > 0 { self.after_comma } else { "" });
            } else {
                text.push_str(self.newline);
                text.push_str(&inner);
            }
            if let Some(key) = key {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(&self.colon);
            }
            self.write(value, &inner, text);
        }
        if !self.newline.is_empty() {
            text.push_str(self.newline);
            text.push_str(indent);
        }
        text.push(close);
    }
}
