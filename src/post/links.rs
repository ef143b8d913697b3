//! What platforms link in a text: URLs, mentions and tags, found as twitter-text finds them.
//!
//! The pattern stands in the tests, and this finds what it finds. It is not run here: its classes of letters and its
//! thousand domains take longer to compile than a whole session takes.

use super::count::Kind;
use regex::Regex;
use std::sync::LazyLock;

/// Every letter and digit of any script.
static ANY_WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^[\p{L}\p{N}]").expect("a test runs it"));
/// Letters and digits of the Latin script.
static LATIN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^[a-z0-9\u{C0}-\u{24F}]").expect("a test runs it"));

/// URLs, mentions and tags, in their order and apart: what each is, where it starts and where it ends.
pub(super) fn links(text: &str) -> Vec<(Kind, usize, usize)> {
    if !text.contains(['.', '@', '#', ':']) {
        return Vec::new();
    }
    let mut found = Vec::new();
    // Where the next link may start, and whether the character before it allows one.
    let (mut start, mut allowed) = (0, true);
    while start < text.len() {
        if allowed && let Some((kind, end)) = link(text, start) {
            // `main.rs_old` and `a.comx` are no domains.
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
            let bare = kind == Kind::Url && !has_protocol(&text[start..end]);
            if !bare || !text[end..].starts_with(word) {
                found.push((kind, start, end));
            }
            (start, allowed) = (end, false);
            continue;
        }
        let Some(before) = text[start..].chars().next() else { break };
        (start, allowed) = (start + before.len_utf8(), may_precede(before));
    }
    found
}

/// Whether a text begins as a web address does.
pub(super) fn has_protocol(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"))
}

/// Whether a link may follow this character directly.
fn may_precede(c: char) -> bool {
    !is_latin(c) && !"@＠$#＃_./-".contains(c)
}

/// The link at `start`, and its end.
fn link(text: &str, start: usize) -> Option<(Kind, usize)> {
    let rest = &text[start..];
    let length = match rest.chars().next()? {
        '@' | '＠' => mention(rest).map(|length| (Kind::Mention, length)),
        '#' | '＃' | '$' => tag(rest).map(|length| (Kind::Tag, length)),
        'h' | 'H' => address(rest).or_else(|| Some((Kind::Url, domain(rest, is_latin)?))),
        c if is_latin(c) => domain(rest, is_latin).map(|length| (Kind::Url, length)),
        _ => None,
    };
    length.map(|(kind, length)| (kind, start + length))
}

/// `https://` and a host with a valid top level, else all up to the next blank.
fn address(text: &str) -> Option<(Kind, usize)> {
    let protocol = protocol(text)?;
    if let Some(length) = domain(&text[protocol..], is_any_word) {
        return Some((Kind::Url, protocol + length));
    }
    let length = run(&text[protocol..], |c| !c.is_whitespace() && !"<>\"".contains(c));
    (length > 0).then_some((Kind::Address, protocol + length))
}

/// The length of `http://` or `https://`, in any case.
fn protocol(text: &str) -> Option<usize> {
    let rest = text.get(4..).filter(|_| has_protocol(text))?;
    let mut chars = rest.chars();
    let secure = chars.next().filter(|c| folded(*c) == 's').map_or(0, char::len_utf8);
    rest[secure..].starts_with("://").then_some(4 + secure + 3)
}

/// The length of a host that ends in a valid top level, with its port, path and query. The most labels win.
fn domain(text: &str, belongs: fn(char) -> bool) -> Option<usize> {
    let mut best = None;
    let mut at = 0;
    loop {
        let label = &text[at..at + run(&text[at..], |c| belongs(c) || c == '_' || c == '-')];
        let end = at + label.len();
        let whole = label.chars().next().is_some_and(belongs) && label.chars().next_back().is_some_and(belongs);
        if !whole || !text[end..].starts_with('.') {
            break;
        }
        at = end + 1;
        best = top_level(&text[at..]).map(|length| at + length).or(best);
    }
    best.map(|end| end + tail(&text[end..]))
}

/// The length of a top level that ends where a word does.
fn top_level(text: &str) -> Option<usize> {
    // The digits behind a decimal point are by far the most frequent.
    text.chars().next().filter(|c| folded(*c).is_ascii_lowercase())?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    TOP_LEVELS.split_whitespace().find_map(|name| {
        let mut rest = text.chars();
        let mut last = ' ';
        for wanted in name.chars() {
            last = rest.next().filter(|c| folded(*c) == wanted)?;
        }
        let ends = is_word(last) != rest.clone().next().is_some_and(is_word);
        ends.then(|| text.len() - rest.as_str().len())
    })
}

/// The length of a port, a path and a query, each of which may be missing.
fn tail(text: &str) -> usize {
    let mut at = 0;
    if let Some(port) = text.strip_prefix(':') {
        let digits = run(port, |c| c.is_ascii_digit());
        at += if digits > 0 { 1 + digits } else { 0 };
    }
    if let Some(path) = text[at..].strip_prefix('/') {
        at += 1 + run_to(path, "!*';:=+,.$/%#[]_~@|&()–-", "=_#/+&~-").unwrap_or(0);
    }
    let query = text[at..].strip_prefix('?').and_then(|query| run_to(query, "!?*'();:&=+$/%#[]_.,~|@-", "_&=#/-"));
    at + query.map_or(0, |length| 1 + length)
}

/// The length of the longest run of words and `signs` that ends in a word or one of `last`, if there is one.
fn run_to(text: &str, signs: &str, last: &str) -> Option<usize> {
    let run = run(text, |c| signs.contains(c) || is_any_word(c));
    let kept = text[..run].trim_end_matches(|c: char| !last.contains(c) && !is_any_word(c)).len();
    (kept > 0).then_some(kept)
}

/// `@name` or `@name@host`.
fn mention(text: &str) -> Option<usize> {
    let sign = text.chars().next()?.len_utf8();
    let is_name = |c: char| folded(c).is_ascii_lowercase() || c.is_ascii_digit();
    let name = run(&text[sign..], |c| is_name(c) || c == '_');
    let end = sign + name;
    let host = text[end..].strip_prefix('@').map_or(0, |host| {
        let host = &host[..run(host, |c| is_name(c) || c == '.' || c == '-')];
        let host = host.trim_end_matches(['.', '-']);
        if host.chars().count() >= 2 { 1 + host.len() } else { 0 }
    });
    (name > 0).then_some(end + host)
}

/// `#tag` or `$tag`.
fn tag(text: &str) -> Option<usize> {
    let sign = text.chars().next()?.len_utf8();
    let name = run(&text[sign..], |c| is_any_word(c) || c == '_');
    (name > 0).then_some(sign + name)
}

/// The length of the characters at the beginning that belong.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A letter without its case, as patterns see it: two signs are letters in another dress.
fn folded(c: char) -> char {
    match c {
        'ſ' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

fn is_latin(c: char) -> bool {
    if c.is_ascii() || is_punctuation(c) { c.is_ascii_alphanumeric() } else { is_in(&LATIN, c) }
}

fn is_any_word(c: char) -> bool {
    if c.is_ascii() || is_punctuation(c) { c.is_ascii_alphanumeric() } else { is_in(&ANY_WORD, c) }
}

/// Dashes, quotation marks, arrows and mathematical operators, which most texts have where they have anything beyond
/// ASCII: no pattern need be compiled for them.
fn is_punctuation(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{22FF}')
}

fn is_in(class: &Regex, c: char) -> bool {
    class.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Top-level domains: the countries', and the common ones of the others.
const TOP_LEVELS: &str = "com org net edu gov mil int info biz name pro mobi jobs travel app dev page blog cloud online \
    site store shop tech xyz top club live news media wiki space website agency studio design games game io \
    foundation software systems network digital academy zone tools social world today email support community \
    finance capital money trade trading exchange art link click run codes engineering company technology \
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd \
    cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge \
    gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in iq ir is it je jm jo jp ke kg kh ki \
    km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx \
    my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc \
    sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us \
    uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
