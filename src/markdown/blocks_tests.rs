//! The laws of managed blocks.

use super::blocks::{Error, find, replace};
use flywheel_events::Digest;
use proptest::prelude::*;

fn block(id: &str, inner: &str) -> String {
    let digest = Digest::of(inner.as_bytes());
    format!("<!-- flywheel:begin id={id} sha256={digest} -->\n{inner}<!-- flywheel:end id={id} -->\n")
}

fn put(text: &str, inner: &str) -> Result<String, Error> {
    replace(text, &[("recent-work", inner.to_owned())])
}

#[test]
fn a_block_is_replaced_and_nothing_else() {
    let text = format!("\u{feff}# A\n\n{}\nlast line without an end", block("recent-work", "old\n"));
    let expect = format!("\u{feff}# A\n\n{}\nlast line without an end", block("recent-work", "new\n\ntext\n"));
    assert_eq!(put(&text, "new\n\ntext"), Ok(expect));
}

#[test]
fn a_windows_file_stays_one_and_hashes_alike() {
    let unix = format!("# A\n\n{}## B\n", block("recent-work", "old\nold\n"));
    let windows = unix.replace('\n', "\r\n");
    assert_eq!(put(&windows, "old\nold\n"), Ok(windows.clone()));
    assert_eq!(put(&windows, "new\n"), Ok(put(&unix, "new\n").expect("no conflict").replace('\n', "\r\n")));
}

#[test]
fn a_new_block_goes_to_the_end_or_before_the_licence() {
    let new = block("recent-work", "new\n");
    let bare = new.trim_end();
    for (text, expect) in [
        ("".to_owned(), new.clone()),
        ("\u{feff}".to_owned(), format!("\u{feff}{new}")),
        ("# A\n".to_owned(), format!("# A\n\n{new}")),
        ("# A\n\n".to_owned(), format!("# A\n\n{new}")),
        ("# A".to_owned(), format!("# A\n\n{bare}")),
        (
            "# A\n\n## Use\n\nx\n\n## License\n\nMIT\n".to_owned(),
            format!("# A\n\n## Use\n\nx\n\n{bare}\n\n## License\n\nMIT\n"),
        ),
        ("# A\n\nLicence\n-------\nMIT".to_owned(), format!("# A\n\n{bare}\n\nLicence\n-------\nMIT")),
        (
            "# A\n\n## License\n\nMIT\n\n## Thanks\n".to_owned(),
            format!("# A\n\n## License\n\nMIT\n\n## Thanks\n\n{new}"),
        ),
        ("# A\n\n- x\n- y\n".to_owned(), format!("# A\n\n- x\n- y\n\n{new}")),
    ] {
        assert_eq!(put(&text, "new\n"), Ok(expect.clone()), "{text:?}");
        assert_eq!(put(&expect, "new\n"), Ok(expect), "again: {text:?}");
    }
}

#[test]
fn a_marker_in_code_or_in_a_longer_comment_is_text() {
    let marker = block("recent-work", "x\n");
    for text in [
        format!("```html\n{marker}```\n"),
        format!("~~~\n{marker}~~~\n"),
        format!("p\n\n    {}\n", marker.replace('\n', "\n    ")),
        "Use `<!-- flywheel:begin id=recent-work -->` for it.\n".to_owned(),
        format!("<!-- how to:\n{}\n", marker.replace(" -->", "")),
        format!("<pre>\n{marker}</pre>\n"),
        "\\<!-- flywheel:end id=recent-work -->\n".to_owned(),
    ] {
        assert_eq!(find(&text), Ok(vec![]), "{text}");
    }
}

#[test]
fn markers_that_do_not_pair_up_are_refused_with_their_lines() {
    let begin = |id: &str| format!("<!-- flywheel:begin id={id} -->\n");
    let end = |id: &str| format!("<!-- flywheel:end id={id} -->\n");
    let a = || "a".to_owned();
    for (text, expect) in [
        (format!("x\n\n{}", begin("a")), Error::Unclosed { line: 3, id: a() }),
        (format!("\n{}", end("a")), Error::Unopened { line: 2, id: a() }),
        (begin("b") + &end("a"), Error::Unopened { line: 2, id: a() }),
        (
            begin("b") + "\n" + &begin("a") + &end("a") + &end("b"),
            Error::Nested { line: 3, id: a(), outer: "b".into(), outer_line: 1 },
        ),
        (begin("a") + &end("a") + &begin("a") + &end("a"), Error::Duplicate { line: 3, id: a(), first_line: 1 }),
        ("<!-- flywheel:begin -->\n".into(), Error::Malformed { line: 1, text: "<!-- flywheel:begin -->".into() }),
        (
            "<!-- flywheel:end id=a --> more\n".into(),
            Error::Malformed { line: 1, text: "<!-- flywheel:end id=a --> more".into() },
        ),
        (format!("- x\n\n  {}", begin("a")), Error::Inside { line: 3 }),
        (format!("> {}", begin("a")), Error::Inside { line: 1 }),
        (format!("x {}", begin("a")), Error::Inside { line: 1 }),
        (format!("\r\n\r{}", begin("a")), Error::Unclosed { line: 3, id: a() }),
    ] {
        assert_eq!(find(&text), Err(expect), "{text}");
    }
}

#[test]
fn an_edited_block_is_a_conflict_and_an_emptied_one_is_not() {
    let edited = format!("# A\n\n{}", block("recent-work", "old\n").replace("old", "mine"));
    let error = put(&edited, "new\n").expect_err("it was edited");
    assert_eq!(error, Error::Edited { line: 3, id: "recent-work".into() });
    assert_eq!(error.to_string(), "line 3: the block `recent-work` was edited since it was generated");
    let ours = format!("# A\n\n{}", block("recent-work", "new\n"));
    assert_eq!(put(&edited.replace("mine\n", "\n"), "new\n"), Ok(ours.clone()));
    assert_eq!(
        put("# A\n\n<!-- flywheel:begin id=recent-work -->\n<!-- flywheel:end id=recent-work -->\n", "new\n"),
        Ok(ours.clone())
    );
    // A formatter's blank lines are no edit, and a hash may leave the last line break out.
    let formatted = format!("# A\n\n{}", block("recent-work", "old\n").replace("old\n", "\nold\n\n"));
    assert_eq!(put(&formatted, "new\n"), Ok(ours.clone()));
    let bare = formatted.replace(&Digest::of(b"old\n").to_string(), &Digest::of(b"old").to_string());
    assert_eq!(put(&bare, "new\n"), Ok(ours));
    // Another's edited block is none of this one's business.
    let other = edited.replace("recent-work", "stats") + "\n" + &block("recent-work", "old\n");
    assert!(put(&other, "new\n").is_ok());
}

#[test]
fn a_block_that_would_not_be_found_again_is_refused() {
    let no_place = Err(Error::NoPlace { id: "recent-work".into() });
    assert_eq!(put("# A\n\n```\nnever closed\n", "new\n"), no_place);
    assert_eq!(put("# A\n", "```\nnever closed\n"), no_place);
    assert_eq!(put("# A\n", "x\n<!-- flywheel:end id=recent-work -->\ny\n"), no_place);
}

#[test]
fn a_block_within_html_is_found() {
    let text = format!("<div>\n{}</div>\n", block("recent-work", "old\n"));
    assert_eq!(put(&text, "new\n"), Ok(format!("<div>\n{}</div>\n", block("recent-work", "new\n"))));
}

/// Files made of what matters to blocks.
fn files() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = [
        "\u{feff}",
        "# A\n",
        "## License\n",
        "\n",
        "\r\n",
        "\r",
        "```\n",
        "    ",
        "- ",
        "> ",
        "text",
        "text\n",
        "<div>\n",
        "<!--",
        "-->",
        "|a|\n|-|\n",
        "<pre>\n",
        "&",
        "\0",
        "é",
        "---\n",
        "1. x\n",
        "\t",
        "[a]: b\n",
        "<!-- flywheel:begin id=recent-work -->\n",
        "<!-- flywheel:end id=recent-work -->\n",
        "<!-- flywheel:begin id=b -->\r\n",
        "<!-- flywheel:end id=b -->\r\n",
        "<!-- flywheel:end id=b -->",
        "flywheel:",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([block("recent-work", "old\n"), block("recent-work", "old\n").replace('\n', "\r\n"), block("c", "x\n\ny\n")])
    .collect();
    prop_oneof![
        4 => proptest::collection::vec(proptest::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1000)))]

    #[test]
    fn a_second_run_changes_nothing_and_the_rest_stays(text in files(), inner in "(## x\n)?(- [a-z]{1,3}\n){0,3}") {
        let Ok(once) = put(&text, &inner) else { return Ok(()) };
        prop_assert_eq!(put(&once, &inner), Ok(once.clone()));
        let ours = find(&once).expect("it was found").into_iter().find(|block| block.id == "recent-work").expect("ours");
        let (before, after) = (&once[..ours.begin.start], &once[ours.end.end..]);
        match find(&text).expect("it was read").into_iter().find(|block| block.id == "recent-work") {
            Some(old) => {
                prop_assert_eq!(before, &text[..old.begin.start]);
                prop_assert_eq!(after, &text[old.end.end..]);
            }
            None => {
                // What was added around the new block is line endings; the rest is the file, in order.
                let kept = (before.trim_end_matches(['\r', '\n']), after.trim_start_matches(['\r', '\n']));
                prop_assert!(text.starts_with(kept.0) && text.ends_with(kept.1), "{before:?} {after:?}");
                let is_line_ending = |c: char| c == '\r' || c == '\n';
                let bare = |text: &str| text.replace(is_line_ending, "");
                prop_assert_eq!(bare(before) + &bare(after), bare(&text));
            }
        }
    }

    #[test]
    fn every_block_found_holds_together(text in files()) {
        for block in find(&text).unwrap_or_default() {
            prop_assert!(text[block.begin.clone()].starts_with("<!-- flywheel:begin id="));
            prop_assert!(text[block.end.clone()].ends_with("-->"));
            prop_assert!(block.begin.end <= block.inner.start && block.inner.start <= block.inner.end);
            prop_assert!(block.inner.end <= block.end.start);
        }
    }
}
