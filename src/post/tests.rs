use proptest::prelude::*;

use super::*;
use unicode_normalization::UnicodeNormalization as _;

fn paragraphs(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[track_caller]
fn counts(platform: &Platform, text: &str, expect: usize) {
    assert_eq!(platform.count(text), expect, "{text:?}");
}

#[test]
fn x_counts_by_weight() {
    counts(&X, "hello", 5);
    counts(&X, "café", 4);
    counts(&X, "cafe\u{301}", 4); // composed first
    counts(&X, "“quoted” – dash—…", 18); // every one of them weighs 1 but the ellipsis U+2026
    counts(&X, "日本", 4);
    counts(&X, "👩‍👩‍👧‍👦", 2);
    counts(&X, "👍🏽🇩🇪1️⃣❤️", 8);
    counts(&X, "1 # *", 5);
    counts(&X, "a 𝒳", 4);
    counts(&X, "", 0);
}

#[test]
fn x_counts_a_url_as_23() {
    counts(&X, "https://example.com/a/very/long/path/that/goes/on/and/on?x=1&y=2#z", 23);
    counts(&X, "http://a.de", 23);
    counts(&X, "see https://example.com.", 4 + 23 + 1);
    counts(&X, "(https://example.com/x)", 1 + 23 + 1);
    counts(&X, "example.com and x.org/path", 23 + 5 + 23);
    counts(&X, "main.rs", 23);
    counts(&X, "日本http://a.co", 4 + 23);
    counts(&X, "日本example.com", 4 + 23);
    counts(&X, "http://日本.jp/x", 23);
    counts(&X, "https://a.com https://b.com", 23 + 1 + 23);
    counts(&X, "http://localhost:8080", 21);
    counts(&X, "a.b 3.5 v1.2.3 e.g. Node.js", 27);
    counts(&X, "mail@example.com", 16);
    counts(&X, "@alice #tag", 11);
}

#[test]
fn others_count_graphemes() {
    counts(&BLUESKY, "👩‍👩‍👧‍👦日e\u{301}", 3);
    counts(&BLUESKY, "https://example.com/long/path", 29);
    counts(&MASTODON, "https://example.com/a/very/long/path/indeed", 23);
    counts(&MASTODON, "example.com", 11);
    counts(&MASTODON, "@alice@mastodon.example hi", 9);
    counts(&MASTODON, "日本", 2);
}

#[test]
fn what_fits_is_one_part() {
    assert_eq!(thread(&paragraphs(&["one", " ", "two "])), ["one\n\ntwo"]);
    assert_eq!(thread(&paragraphs(&[&"x".repeat(280)])), ["x".repeat(280)]);
    assert!(thread(&[]).is_empty() && thread(&paragraphs(&["", " \n"])).is_empty());
}

#[test]
fn paragraphs_are_not_joined() {
    let long = "word ".repeat(56);
    let parts = thread(&paragraphs(&["one", "two", &long]));
    assert_eq!(parts.len(), 4);
    assert_eq!(&parts[..2], ["one (1/4)", "two (2/4)"]);
    // 274 fit beside ` (3/4)`: 55 words and the blanks between are exactly as long.
    assert_eq!(parts[2..], [format!("{} (3/4)", &long[..274]), "word (4/4)".to_owned()]);
}

#[test]
fn cuts_are_at_sentences_then_clauses_then_words() {
    let sentence = format!("{}. {} {}", "a".repeat(120), "b".repeat(100), "c".repeat(100));
    assert_eq!(thread(&[sentence])[0], format!("{}. (1/2)", "a".repeat(120)));
    let clause = format!("{}, {} {}", "a".repeat(120), "b".repeat(100), "c".repeat(100));
    assert_eq!(thread(&[clause])[0], format!("{}, (1/2)", "a".repeat(120)));
    let word = format!("{} {} {}", "a".repeat(120), "b".repeat(100), "c".repeat(100));
    assert_eq!(thread(&[word])[0], format!("{} {} (1/2)", "a".repeat(120), "b".repeat(100)));
    let wide = format!("{}。{}", "日".repeat(90), "本".repeat(90));
    assert_eq!(thread(&[wide])[0], format!("{}。 (1/2)", "日".repeat(90)));
}

#[test]
fn words_longer_than_a_part_are_cut_at_graphemes() {
    let family = "👩‍👩‍👧‍👦";
    let parts = thread(&[family.repeat(200)]);
    // 274 beside the suffix: 137 families of 2.
    assert_eq!(parts, [format!("{} (1/2)", family.repeat(137)), format!("{} (2/2)", family.repeat(63))]);
    let parts = thread(&["x".repeat(400)]);
    assert_eq!(parts, [format!("{} (1/2)", "x".repeat(274)), format!("{} (2/2)", "x".repeat(126))]);
}

#[test]
fn urls_mentions_and_tags_are_whole() {
    let url = format!("https://example.com/{}", "p".repeat(400));
    let parts = thread(&[format!("{} {url} end", "x".repeat(260))]);
    assert_eq!(parts, [format!("{} (1/2)", "x".repeat(260)), format!("{url} end (2/2)")]);
    for entity in ["@a_long_name_of_an_account", "#AVeryLongTagThatMayNotBeCut"] {
        let parts = thread(&[format!("{}({entity}) and more", "日".repeat(130))]);
        assert!(parts.iter().any(|part| part.contains(entity)), "{parts:?}");
    }
}

#[test]
fn a_hundred_parts_have_room_for_their_numbers() {
    let parts = thread(&vec!["y".repeat(270); 120]);
    assert_eq!((parts.len(), parts[0].len()), (120, 270 + " (1/120)".len()));
    let parts = thread(&vec!["y".repeat(274); 12]);
    assert_eq!(parts.len(), 24, "274 and ` (1/12)` are too long");
}

#[test]
fn bluesky_has_a_limit_of_bytes_too() {
    let parts = split(&BLUESKY, &["👩‍👩‍👧‍👦".repeat(200)]);
    assert!(parts.len() >= 2 && parts.iter().all(|part| part.len() <= 3000), "25 bytes a family");
}

/// The text without blanks, to compare what a thread holds with what it was made of.
fn letters(text: &str) -> String {
    text.nfc().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn graphemes_are_those_of_the_rules(text in "(\r|\n|[ -~]|e\u{301}|\u{20E3}|🇩|👩|\u{200D}|\u{600}|\\PC){0,12}") {
        let expected: Vec<&str> = unicode_segmentation::UnicodeSegmentation::graphemes(&*text, true).collect();
        prop_assert_eq!(count::graphemes(&text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn parts_fit_and_lose_nothing(texts in prop::collection::vec(
        "(\\PC{0,40}|[a-z]{1,12}[.,!]? |https://[a-z]{1,9}\\.com/[a-z]{0,60} |@[a-z]{3,9} |日本語。|👩‍👧|e\u{301}{1,300}|\n){0,40}", 0..4,
    )) {
        for platform in PLATFORMS {
            let parts = split(platform, &texts);
            let mut joined = String::new();
            for (i, part) in parts.iter().enumerate() {
                prop_assert!(platform.fits(part, 0), "{}: {} {:?}", platform.name, platform.count(part), part);
                let suffix = format!(" ({}/{})", i + 1, parts.len());
                let body = if parts.len() == 1 { part.as_str() } else { part.strip_suffix(&suffix).unwrap() };
                joined.push_str(body);
            }
            prop_assert_eq!(letters(&joined), letters(&texts.concat()));
        }
    }
}
