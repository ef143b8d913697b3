//! A JSON document that remembers where everything stands.
//!
//! The order of judgement: size, UTF-8, nesting, syntax, then keys. The tree is read by walking `RawValue`s, which are
//! slices of the text, so a span is where the slice lies; it is read only where there is something to point at. Nesting
//! is limited before anything recursive runs.

use super::{
    report::{PROBLEMS_MAX, Problem},
    source::Source,
    syntax,
};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::HashMap, fmt, ops::Range, sync::OnceLock};

/// The largest session file, in bytes.
pub const SIZE_BYTES_MAX: usize = 768 * 1024;
/// How deep lists and objects may nest; the outermost is level 1.
pub const DEPTH_MAX: usize = 64;
/// How much of one key a duplicate's pointer holds.
const POINTER_STEP_BYTES_MAX: usize = 256;
/// serde_json speaks to itself through keys with this beginning, so they cannot be anybody's.
const RESERVED_KEY: &str = "$serde_json::private::";

/// A value and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands in the text.
    pub span: Range<usize>,
    /// What it holds.
    pub children: Children,
}

/// What a value holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Children {
    /// Text, number, true, false or null.
    None,
    /// An object's members in the file's order.
    Members(Vec<Member>),
    /// A list's items.
    Items(Vec<Node>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key, unescaped.
    pub key: String,
    /// The key's bytes, quotes included.
    pub key_span: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The members of an object, else nothing.
    pub fn members(&self) -> &[Member] {
        match &self.children {
            Children::Members(members) => members,
            _ => &[],
        }
    }

    /// The member with this key.
    pub fn member(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }
}

/// A JSON document: its text, its tree and its value.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text.
    pub source: Source,
    /// The value. Of keys that stand twice it holds the last.
    pub value: Value,
    tree: OnceLock<Node>,
    /// Whether it is known that no key stands twice in one object.
    unique: bool,
}

/// A document that could not be read whole.
#[derive(Debug)]
pub struct Unread {
    /// Why, at least one.
    pub problems: Vec<Problem>,
    /// The text, as far as it is text.
    pub source: Source,
    /// The members that were read before the error, where the outermost value is an object.
    pub before: Option<Document>,
}

impl Document {
    /// Reads bytes.
    ///
    /// # Errors
    /// The file is too large, is not UTF-8, nests too deep or is not JSON; with what could be read before that.
    pub fn parse(bytes: &[u8]) -> Result<Self, Box<Unread>> {
        let source = decode(bytes)?;
        let text = &source.text()[source.start()..];
        let keys = match keys(text.as_bytes()) {
            Ok(keys) => keys,
            Err(at) => {
                let at = source.start() + at;
                let problem = Problem::error(&source, "too_deep", at..at + 1, "the document nests too deep")
                    .expected(format!("at most {DEPTH_MAX} levels of lists and objects"));
                return Err(Box::new(Unread { problems: vec![problem], source, before: None }));
            }
        };
        // Nearly every document: all its keys are in its value, so that none stands twice, and none is reserved.
        if !text.contains("\\u")
            && !text.contains(RESERVED_KEY)
            && let Ok(value) = serde_json::from_str(text)
            && members(&value) == keys
        {
            return Ok(Self { source, value, tree: OnceLock::new(), unique: true });
        }
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return Err(Box::new(Unread::syntax(source, &error)));
        }
        let root = tree(&source);
        let reserved = reserved_keys(&source, &root);
        if !reserved.is_empty() {
            return Err(Box::new(Unread { problems: reserved, source, before: None }));
        }
        match serde_json::from_str(text) {
            Ok(value) => Ok(Self { source, value, tree: root.into(), unique: false }),
            // What a skimming reader lets pass: a lone surrogate.
            Err(error) => Err(Box::new(Unread::syntax(source, &error))),
        }
    }

    /// The tree with its spans.
    pub fn root(&self) -> &Node {
        self.tree.get_or_init(|| tree(&self.source))
    }

    /// The tree, to be changed together with the value.
    pub fn root_mut(&mut self) -> (&mut Node, &mut Value) {
        self.root();
        (self.tree.get_mut().expect("read just now"), &mut self.value)
    }

    /// The value at a JSON pointer.
    pub fn node(&self, pointer: &str) -> Option<&Node> {
        tokens(pointer).try_fold(self.root(), |node, token| match &node.children {
            Children::Members(members) => {
                // The last of two equal keys, as in the value.
                members.iter().rfind(|member| member.key == token).map(|member| &member.node)
            }
            Children::Items(items) => token.parse::<usize>().ok().and_then(|index| items.get(index)),
            Children::None => None,
        })
    }

    /// The bytes of the value at a JSON pointer.
    pub fn span(&self, pointer: &str) -> Option<Range<usize>> {
        self.node(pointer).map(|node| node.span.clone())
    }

    /// The bytes of the key at a JSON pointer, quotes included; a list's items have none.
    pub fn key_span(&self, pointer: &str) -> Option<Range<usize>> {
        let (parent, _) = pointer.rsplit_once('/')?;
        let token = tokens(pointer).last()?;
        self.node(parent)?.member(&token).map(|member| member.key_span.clone())
    }

    /// Every key that stands twice in one object, at its second place.
    pub fn duplicate_keys(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.unique {
            return problems;
        }
        each_object(self.root(), &mut Vec::new(), &mut |path, members| {
            let mut seen: HashMap<&str, &Member> = HashMap::new();
            for member in members {
                if let Some(first) = seen.insert(&member.key, member)
                    && problems.len() < PROBLEMS_MAX
                {
                    let (line, column) = self.source.locate(first.key_span.start);
                    let message = format!(
                        "the key `{}` stands twice in one object, before on line {line}, column {column}",
                        super::words::cut(&member.key)
                    );
                    problems.push(
                        Problem::error(&self.source, "duplicate_key", member.key_span.clone(), message)
                            .at(pointer_of(path, &member.key))
                            .hint("keep one of them"),
                    );
                }
            }
        });
        problems
    }
}

impl Unread {
    fn syntax(source: Source, error: &serde_json::Error) -> Self {
        let problems = vec![syntax::problem(&source, error)];
        let before = members_before_an_error(&source);
        Self { problems, source, before }
    }
}

/// Bytes to text: the size, then UTF-8.
fn decode(bytes: &[u8]) -> Result<Source, Box<Unread>> {
    if bytes.len() > SIZE_BYTES_MAX {
        let source = Source::default();
        let problem = Problem::error(&source, "too_large", 0..0, "the file is too large")
            .expected(format!("at most {SIZE_BYTES_MAX} bytes (768 KiB)"))
            .hint("leave long conversations, diffs and pictures out, or split the session");
        return Err(Box::new(Unread { problems: vec![problem], source, before: None }));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(text)),
        Err(error) => {
            // All before the bad byte is UTF-8, so its place is the same in the repaired text.
            let at = error.valid_up_to();
            let source = Source::new(String::from_utf8_lossy(bytes));
            let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
            let hint = if utf16 { "this looks like UTF-16: save the file as UTF-8" } else { "save the file as UTF-8" };
            let message = format!("the file is not UTF-8: byte 0x{:02x} at offset {at}", bytes[at]);
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            let problem = Problem::error(&source, "not_utf8", at..end, message).expected("UTF-8 text").hint(hint);
            Err(Box::new(Unread { problems: vec![problem], source, before: None }))
        }
    }
}

/// How many keys there are, or the first bracket beyond [`DEPTH_MAX`]; without recursion. In text that is no JSON the answer
/// is only a bound.
fn keys(bytes: &[u8]) -> Result<usize, usize> {
    let (mut depth, mut in_string, mut escaped, mut colons) = (0_usize, false, false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b':' => colons += 1,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(colons)
}

/// How many members all objects of a value have together.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn json_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// Collects the members of an object as slices, keeping those read before an error.
struct Collect<'v, 'de>(&'v mut Vec<(&'de str, &'de str)>);

impl<'de> DeserializeSeed<'de> for Collect<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let value = map.next_value::<&'de RawValue>()?;
            self.0.push((key.get(), value.get()));
        }
        Ok(())
    }
}

fn raw_members(raw: &str) -> Vec<(&str, &str)> {
    let mut members = Vec::new();
    // An error ends the list early; whoever needs to know has checked the syntax.
    let _ = Collect(&mut members).deserialize(&mut serde_json::Deserializer::from_str(raw));
    members
}

/// The tree of a valid text.
fn tree(source: &Source) -> Node {
    node(source.text(), source.text()[source.start()..].trim_matches(json_space))
}

/// The tree of a slice of `text` that is valid JSON and nests no deeper than [`DEPTH_MAX`].
fn node(text: &str, raw: &str) -> Node {
    let children = match raw.as_bytes().first() {
        Some(b'{') => Children::Members(raw_members(raw).into_iter().map(|(k, v)| member(text, k, v)).collect()),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
            Children::Items(items.into_iter().map(|item| node(text, item.get())).collect())
        }
        _ => Children::None,
    };
    Node { span: span_in(text, raw), children }
}

fn member(text: &str, key: &str, value: &str) -> Member {
    // A key with a lone surrogate is no text; the whole document is refused for it later.
    let name = serde_json::from_str(key).unwrap_or_else(|_| key.to_owned());
    Member { key: name, key_span: span_in(text, key), node: node(text, value) }
}

/// Where a slice lies in its text.
fn span_in(text: &str, slice: &str) -> Range<usize> {
    let start = (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + slice.len()
}

/// The members of the outermost object that are whole, in a text with a syntax error.
fn members_before_an_error(source: &Source) -> Option<Document> {
    let text = source.text()[source.start()..].trim_start_matches(json_space);
    let raw = raw_members(text);
    if raw.is_empty() {
        return None;
    }
    let mut members = Vec::new();
    let mut value = Map::new();
    for (key, raw) in raw {
        let member = member(source.text(), key, raw);
        let Ok(parsed) = serde_json::from_str::<Value>(raw) else { break };
        value.insert(member.key.clone(), parsed);
        members.push(member);
    }
    let start = source.text().len() - text.len();
    let root = Node { span: start..start + 1, children: Children::Members(members) };
    if !reserved_keys(source, &root).is_empty() {
        return None;
    }
    Some(Document { source: source.clone(), value: Value::Object(value), tree: root.into(), unique: false })
}

fn reserved_keys(source: &Source, root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    each_object(root, &mut Vec::new(), &mut |path, members| {
        for member in members.iter().filter(|member| member.key.starts_with(RESERVED_KEY)) {
            if problems.len() == PROBLEMS_MAX {
                return;
            }
            let message = format!("no key may begin with `{RESERVED_KEY}`");
            problems.push(
                Problem::error(source, "reserved_key", member.key_span.clone(), message)
                    .at(pointer_of(path, &member.key))
                    .hint("rename the key"),
            );
        }
    });
    problems
}

/// Visits every object with the keys and indices that lead to it. A pointer is built by whoever needs one: built for
/// each object, one long key would be copied once for each of its members.
fn each_object<'n>(
    node: &'n Node,
    path: &mut Vec<Cow<'n, str>>,
    visit: &mut impl FnMut(&[Cow<'n, str>], &'n [Member]),
) {
    match &node.children {
        Children::None => {}
        Children::Members(members) => {
            visit(path, members);
            for member in members {
                path.push(Cow::Borrowed(&member.key));
                each_object(&member.node, path, visit);
                path.pop();
            }
        }
        Children::Items(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Cow::Owned(index.to_string()));
                each_object(item, path, visit);
                path.pop();
            }
        }
    }
}

/// The pointer of a member, cut where keys are longer than anybody reads.
fn pointer_of(path: &[Cow<'_, str>], key: &str) -> String {
    let mut pointer = String::new();
    for step in path.iter().map(AsRef::as_ref).chain([key]) {
        pointer = join(&pointer, step.get(..step.floor_char_boundary(POINTER_STEP_BYTES_MAX)).unwrap_or(step));
    }
    pointer
}

/// A JSON pointer one step longer.
pub fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The unescaped steps of a JSON pointer.
pub fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_or_is_reserved_is_seen_however_it_is_written() {
        let check = |text: &str, twice: usize, reserved: bool| match Document::parse(text.as_bytes()) {
            Ok(document) => assert_eq!((document.duplicate_keys().len(), false), (twice, reserved), "{text}"),
            Err(unread) => assert!(reserved && unread.problems[0].code == "reserved_key", "{text}"),
        };
        check(r#"{"a": ":", "b\":": [{"a": 1}]}"#, 0, false);
        check(r#"{"a": 1, "b": [{"a": 1, "a": 2}]}"#, 1, false);
        check(r#"{"a": 1, "\u0061": 2, "é": 1}"#, 1, false);
        check(r#"{"\u00e9": 1}"#, 0, false);
        for name in ["RawValue", "Number", "x"] {
            check(&format!(r#"{{"$serde_json::private::{name}": "{{\"a\": 1}}"}}"#), 0, true);
            check(&format!(r#"{{"b": 1, "\u0024serde_json::private::{name}": "1"}}"#), 0, true);
        }
    }

    #[test]
    fn a_pointer_leads_to_the_bytes_of_its_key_and_value() {
        let text = "\u{feff}{ \"a/b\": [1, {\"\\u00e9~\": \"x\\\"]}\"}], \"n\": 1.50e3 }\n";
        let document = Document::parse(text.as_bytes()).expect("JSON");
        let slice = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned());
        for (pointer, key, value) in [
            ("", None, Some("{ \"a/b\": [1, {\"\\u00e9~\": \"x\\\"]}\"}], \"n\": 1.50e3 }")),
            ("/a~1b", Some("\"a/b\""), Some("[1, {\"\\u00e9~\": \"x\\\"]}\"}]")),
            ("/a~1b/0", None, Some("1")),
            ("/a~1b/1/é~0", Some("\"\\u00e9~\""), Some("\"x\\\"]}\"")),
            ("/n", Some("\"n\""), Some("1.50e3")),
            ("/a~1b/2", None, None),
            ("/n/x", None, None),
        ] {
            assert_eq!(slice(document.key_span(pointer)).as_deref(), key, "{pointer}");
            assert_eq!(slice(document.span(pointer)).as_deref(), value, "{pointer}");
        }
    }
}
