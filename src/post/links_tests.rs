use super::*;
use proptest::prelude::*;

/// What is linked, as one pattern: the specification.
static LINKS: LazyLock<Regex> = LazyLock::new(|| {
    let tops = TOP_LEVELS.split_whitespace().collect::<Vec<_>>().join("|");
    // Without a protocol only a domain of Latin letters is linked, so that it may follow other scripts directly.
    let host = format!(r"(?:[\p{{L}}\p{{N}}](?:[\p{{L}}\p{{N}}_-]*[\p{{L}}\p{{N}}])?\.)+(?:{tops})");
    let bare = format!(
        r"(?:[a-z0-9\u{{C0}}-\u{{24F}}](?:[a-z0-9\u{{C0}}-\u{{24F}}_-]*[a-z0-9\u{{C0}}-\u{{24F}}])?\.)+(?:{tops})"
    );
    let path = r"(?::[0-9]+)?(?:/(?:[\p{L}\p{N}!*';:=+,.$/%#\[\]_~@|&()–-]*[\p{L}\p{N}=_#/+&~-])?)?(?:\?[\p{L}\p{N}!?*'();:&=+$/%#\[\]_.,~|@-]*[\p{L}\p{N}_&=#/-])?";
    let before = r"(?:^|[^a-z0-9\u{C0}-\u{24F}@＠$#＃_./-])";
    Regex::new(&format!(
        r#"(?i){before}(?:(?P<url>(?:https?://{host}|{bare})(?-u:\b){path})|(?P<address>https?://[^\s<>"]+)|(?P<mention>[@＠][a-z0-9_]+(?:@[a-z0-9.-]+[a-z0-9])?)|(?P<tag>[#＃$][\p{{L}}\p{{N}}_]+))"#
    ))
    .expect("the pattern is fixed")
});

fn by_pattern(text: &str) -> Vec<(Kind, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    if !text.contains(['.', '@', '#', ':']) {
        return found;
    }
    while let Some(captures) = LINKS.captures_at(text, at) {
        let kinds = [("url", Kind::Url), ("address", Kind::Address), ("mention", Kind::Mention), ("tag", Kind::Tag)];
        let link = kinds.iter().find_map(|(name, kind)| Some((*kind, captures.name(name)?)));
        let (kind, link) = link.expect("one of them");
        at = link.end();
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
        if kind == Kind::Url && !has_protocol(link.as_str()) && text[at..].starts_with(word) {
            continue;
        }
        found.push((kind, link.start(), link.end()));
    }
    found
}

#[test]
fn every_character_is_where_the_pattern_has_it() {
    for c in ('\0'..=char::MAX).filter(|c| is_punctuation(*c)) {
        assert!(!is_in(&LATIN, c) && !is_in(&ANY_WORD, c), "{c:?}");
    }
    let before = Regex::new(r"(?i)^[^a-z0-9\u{C0}-\u{24F}@＠$#＃_./-]").unwrap();
    for c in '\0'..=char::MAX {
        assert_eq!(may_precede(c), is_in(&before, c), "{c:?}");
    }
}

#[test]
fn the_pattern_finds_the_same_where_it_is_hard() {
    for text in [
        "a.comx a.com_ main.rs_old a.com-b a.co.uk. a.b.com.d-.e x.com:80/p?q=1. http://a.de:/x https://a.b?",
        "HTTPſ://日本.jp/ſ http://a.hK http://a.hK8 a.toolſ a.toolſx httpx://a.de http:/a.de http://localhost:8080/x<y",
        "@a@b.c. @a@b @a@ @@a ＠a＃b #日本_1 $12.50 -$5 x$5 #️⃣ ٣.com -a.com _a.com a_.com a._com .com a..com",
        "a.com/(x) a.com/x). a.com/–- a.com? a.com?x=1! http://é.fr é.fr 日é.fr/é!é.",
    ] {
        assert_eq!(links(text), by_pattern(text), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pattern_finds_the_same(
        text in "(https?://|HTTPſ://|[a-cA-C]{1,2}|\\.|com|rs|co|io|hK|[@#$＠＃_/?:!.,;()&=~|-]|[0-9]{1,2}|é|日|ß|\u{345}|\u{24B6}| |\n|–|\\PC){0,14}"
    ) {
        prop_assert_eq!(links(&text), by_pattern(&text));
    }
}
