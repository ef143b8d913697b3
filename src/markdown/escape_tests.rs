//! The laws of escaping, by rendering what it wrote.

use super::{
    code,
    escape::{is_bare, line},
    fence, github, inline, paragraph, visible,
};
use comrak::{
    Arena,
    nodes::{Node, NodeValue},
    parse_document,
};
use proptest::prelude::*;

/// The visible text of a node, or what is in it that may not be.
fn read(node: Node<'_>, out: &mut String) -> Result<(), String> {
    match &node.data().value {
        NodeValue::Document | NodeValue::Paragraph => out.push('\n'),
        NodeValue::Text(text) => out.push_str(text),
        NodeValue::Code(code) => out.push_str(&code.literal),
        NodeValue::SoftBreak | NodeValue::LineBreak => out.push('\n'),
        NodeValue::Link(link) if link.url.to_lowercase().starts_with("https://") || link.url.starts_with("mailto:") => {
        }
        NodeValue::Table(_) | NodeValue::TableRow(_) | NodeValue::TableCell if out.ends_with("TABLE") => {}
        other => return Err(format!("{other:?}")),
    }
    node.children().try_for_each(|child| read(child, out))
}

fn shown(markdown: &str) -> Result<String, String> {
    let arena = Arena::new();
    let mut out = String::new();
    read(parse_document(&arena, markdown, &github()), &mut out)?;
    Ok(out)
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text made of what is dangerous in Markdown.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "*",
        "**",
        "_",
        "__",
        "`",
        "``",
        "[",
        "]",
        "(",
        ")",
        "!",
        "<",
        ">",
        "#",
        "##",
        "-",
        "---",
        "+",
        "=",
        "===",
        "|",
        "~",
        "~~",
        "\\",
        "&",
        "&amp;",
        "&#64;",
        ";",
        ":",
        ".",
        "1.",
        "12)",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "a",
        "bc",
        "é",
        "@",
        "@ann",
        "#12",
        "o/r#3",
        "GH-4",
        "www.",
        "www.a.bc",
        "http://",
        "http://a.bc",
        "https://",
        "https://a.bc/d_e_",
        "ftp://a.bc",
        "a@b.cd",
        "mailto:a@b.cd",
        "xmpp:a@b.cd",
        "<b>",
        "</b>",
        "<!--",
        "-->",
        "<https://a>",
        "[x]",
        "[a](b)",
        "![a](b)",
        "[^1]",
        "\u{202e}",
        "\u{200b}",
        "❤\u{fe0f}",
        "/",
        "\"",
        "'",
        "$",
        "\r\n",
        "    x",
        "?",
        ",",
        ":-",
        ":-:",
        "{",
        "}",
        "%",
        "^",
        "\u{a0}",
        "\u{3000}",
        "。",
        "“",
    ];
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat()),
        "\\PC{0,30}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn one_line_reads_as_written(text in hostile()) {
        prop_assert_eq!(shown(&inline(&text)).map(|shown| words(&shown)), Ok(words(&visible(&text))));
    }

    #[test]
    fn no_rule_touches_what_is_bare(text in "[-+]?([a-zA-Z]{1,4}|[0-9]{1,3}|[ .,%:#$-]){1,6}%?") {
        if is_bare(&text) {
            prop_assert_eq!(line(visible(&text).trim()), text);
        }
    }

    #[test]
    fn several_lines_read_as_written(text in hostile(), indent in 0_usize..5) {
        let item = paragraph(&text, indent);
        prop_assert!(item.lines().skip(1).all(|line| line.is_empty() || line.starts_with(&" ".repeat(indent))));
        let flat = paragraph(&text, 0);
        prop_assert_eq!(shown(&flat).map(|shown| words(&shown)), Ok(words(&visible(&text))));
    }

    #[test]
    fn code_shows_every_space(text in hostile()) {
        let clean = visible(&text).replace('\n', " ");
        prop_assert_eq!(shown(&format!("x{}x", code(&text))), Ok(format!("\n\nx{clean}x")));
    }

    #[test]
    fn a_table_keeps_its_cells(text in hostile()) {
        let row = format!("| a | b |\n|---|---|\n| {} | {} |\n", inline(&text), code(&text));
        let arena = Arena::new();
        let root = parse_document(&arena, &row, &github());
        let cells: Vec<String> = root
            .descendants()
            .filter(|node| matches!(node.data().value, NodeValue::TableCell))
            .map(|cell| {
                let mut out = String::new();
                cell.children().try_for_each(|child| read(child, &mut out)).map(|()| words(&out)).unwrap_or_else(|e| e)
            })
            .collect();
        let text = words(&visible(&text));
        prop_assert_eq!(cells, vec!["a".to_owned(), "b".to_owned(), text.clone(), text]);
    }

    #[test]
    fn it_stays_what_it_is_inside_other_markup(text in hostile()) {
        for (before, after) in [("- ", ""), ("## ", ""), ("x **", "** y"), ("x: ", " (y)")] {
            let text = words(&visible(&text));
            let written = format!("{before}{}{after}", inline(&text));
            let arena = Arena::new();
            let root = parse_document(&arena, &written, &github());
            for node in root.descendants() {
                let allowed = match &node.data().value {
                    NodeValue::Link(link) => link.url.to_lowercase().starts_with("https://") || link.url.starts_with("mailto:"),
                    NodeValue::HtmlInline(_) | NodeValue::HtmlBlock(_) | NodeValue::Image(_) | NodeValue::Emph
                    | NodeValue::Strikethrough | NodeValue::TaskItem(_) | NodeValue::Table(_) => false,
                    _ => true,
                };
                prop_assert!(allowed, "{written:?}: {:?}", node.data().value);
            }
        }
    }
}

#[test]
fn the_raw_text_stays_readable() {
    for (text, raw) in [
        ("\"ship it\" & <b>", "\"ship it\" & \\<b>"),
        ("a lone & stays, &amp; is escaped", "a lone & stays, \\&amp; is escaped"),
        ("snake_case and __init__ and 2 * 3", "snake_case and \\_\\_init\\_\\_ and 2 * 3"),
        ("1. first", "1\\. first"),
        ("v1.2. Next", "v1.2. Next"),
        ("- item", "\\- item"),
        ("# title", "\\# title"),
        ("C# is fine", "C# is fine"),
        ("---", "\\---"),
        ("a - b -> c, x < y, ~5 minutes, ~/work", "a - b -> c, x < y, ~5 minutes, ~/work"),
        ("C:\\Users", "C:\\Users"),
        ("fix `foo` [bar](baz)!", "fix \\`foo\\` \\[bar\\](baz)!"),
        ("thanks @alice, see #12.", "thanks `@alice`, see `#12`."),
        ("closes GH-7 and owner/repo#9", "closes `GH-7` and `owner/repo#9`"),
        ("@org/team @types/node", "`@org/team` `@types/node`"),
        ("the colour #123abc", "the colour #123abc"),
        ("mail a.b@example.org", "mail a.b@example.org"),
        ("see https://example.org/a_b_c.", "see <https://example.org/a_b_c>."),
        ("(https://example.org/a_(b))", "(<https://example.org/a_(b)>)"),
        ("http://example.org and www.example.org", "`http://example.org` and `www.example.org`"),
        ("https://github.com@example.org/x", "`https://github.com@example.org/x`"),
        ("two\nlines", "two lines"),
        ("@\u{200b}alice", "`@alice`"),
        ("$5 (+3.2%)", "$5 (+3.2%)"),
        ("", ""),
    ] {
        assert_eq!(inline(text), raw);
    }
}

#[test]
fn a_body_stays_in_its_item() {
    let body = "Wrapped at\na column.\n\n- one\n- two\n\n```\n# code\n```\n";
    let expect = "Wrapped at\n  a column.\n\n  \\- one\\\n  \\- two\n\n  \\`\\`\\`\\\n  \\# code\n  \\`\\`\\`";
    assert_eq!(paragraph(body, 2), expect);
}

#[test]
fn a_code_span_keeps_backticks_spaces_and_pipes() {
    for (text, raw) in [
        ("cargo test", "`cargo test`"),
        ("a `b` c", "``a `b` c``"),
        ("``", "``` `` ```"),
        (" x ", "`  x  `"),
        (" x", "` x`"),
        ("a|b", "`a`\\|`b`"),
        ("", ""),
    ] {
        assert_eq!(code(text), raw);
    }
}

#[test]
fn a_fence_is_longer_than_what_it_holds() {
    assert_eq!(fence("cargo test\n", "sh"), "```sh\ncargo test\n```");
    assert_eq!(fence("```\nx\n````", "sh"), "`````sh\n```\nx\n````\n`````");
}

#[test]
fn no_line_begins_a_block() {
    for line in [
        "===",
        "=",
        "---",
        "-",
        "- - -",
        "***",
        "___",
        ":-",
        ":-:",
        "-:",
        "|-|",
        "> q",
        "+ x",
        "1) x",
        "~~~",
        "```",
        "# h",
        "    code",
        "<div>",
        "<!-- c -->",
        "[a]: b",
        "[^a]: b",
        "- [ ] x",
        "|a|",
    ] {
        for text in
            [line.to_owned(), format!("above\n{line}\nbelow"), format!("a | b\n{line}"), format!("{line}\n{line}")]
        {
            let markdown = paragraph(&text, 0);
            assert_eq!(shown(&markdown).map(|shown| words(&shown)), Ok(words(&text)), "{markdown}");
        }
    }
}
