//! Licences, recognised by their words.

use crate::git::{Entry, Tree};

/// The licence files at the top, in git's order.
pub(super) fn find(tree: &Tree) -> Vec<&Entry> {
    tree.top_files().filter(|entry| is_license(&entry.path)).collect()
}

fn is_license(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    let stem = [".md", ".txt", ".rst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let rest = ["license", "licence", "copying", "unlicense"].iter().find_map(|start| stem.strip_prefix(start));
    // `LICENSE-MIT` and `COPYING.LESSER` are licences; `license.rs` and notices of others' are not.
    let others = stem.contains("third") || stem.contains("3rd");
    let of_this = |rest: &str| rest.is_empty() || rest.starts_with(['-', '_']) || rest == ".lesser";
    !others && rest.is_some_and(of_this)
}

/// The SPDX expression of all the files together: a choice between them. Null where one of them is not known.
pub(super) fn expression(files: &[&Entry], texts: &[Option<String>]) -> Option<String> {
    let known: Option<Vec<&str>> = texts.iter().map(|text| recognise(text.as_deref()?)).collect();
    let mut known = known.filter(|known| !known.is_empty() && known.len() == files.len())?;
    known.sort_unstable();
    known.dedup();
    // The LGPL is a supplement to the GPL, which lies beside it.
    if known.iter().any(|id| id.starts_with("LGPL")) {
        known.retain(|id| !id.starts_with("GPL"));
    }
    // By custom, the shortest one first: `MIT OR Apache-2.0`.
    known.sort_by_key(|id| *id != "MIT");
    Some(known.join(" OR "))
}

/// The SPDX identifier of a licence's text.
fn recognise(text: &str) -> Option<&'static str> {
    let words = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    let has = |phrase: &str| words.contains(phrase);
    let begins = |phrase: &str| words.find(phrase).is_some_and(|at| at < 400);
    let redistribution = has("redistribution and use in source and binary forms");
    // Each names the others further down; the title comes first.
    let titles =
        ["gnu lesser general public license", "gnu affero general public license", "gnu general public license"];
    let title = titles.iter().filter_map(|title| words.find(title).filter(|at| *at < 400).map(|at| (at, *title))).min();
    match title {
        Some((_, "gnu lesser general public license")) if begins("version 2.1") => return Some("LGPL-2.1"),
        Some((_, "gnu lesser general public license")) => return begins("version 3").then_some("LGPL-3.0"),
        Some((_, "gnu affero general public license")) => return begins("version 3").then_some("AGPL-3.0"),
        Some(_) if begins("version 2,") => return Some("GPL-2.0"),
        Some(_) => return begins("version 3").then_some("GPL-3.0"),
        None => {}
    }
    if begins("apache license") && has("version 2.0") {
        return Some("Apache-2.0");
    }
    if begins("mozilla public license") && has("2.0") {
        return Some("MPL-2.0");
    }
    if has("this is free and unencumbered software released into the public domain") {
        return Some("Unlicense");
    }
    if has("permission is hereby granted, free of charge, to any person obtaining a copy") && has("sublicense") {
        return Some("MIT");
    }
    if has("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee")
        || has("permission to use, copy, modify, and distribute this software for any purpose with or without fee")
    {
        return Some(if has("provided that the above copyright notice") { "ISC" } else { "0BSD" });
    }
    if redistribution && has("neither the name") && !has("advertising materials") {
        return Some("BSD-3-Clause");
    }
    (redistribution && !has("neither the name")).then_some("BSD-2-Clause")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_known_by_its_words() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(recognise(text), expect, "{text}");
        let mit = "MIT License\n\nCopyright (c) 2025 A\n\nPermission is hereby granted, free of charge, to any person \
                   obtaining a copy of this software … publish, distribute, sublicense, and/or sell";
        check(mit, Some("MIT"));
        check("   Apache License\n   Version 2.0, January 2004\n", Some("Apache-2.0"));
        check("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", Some("GPL-3.0"));
        check("GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991 … GNU Lesser General Public License", Some("GPL-2.0"));
        check("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", Some("LGPL-2.1"));
        check("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", Some("LGPL-3.0"));
        check("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", Some("AGPL-3.0"));
        check("Mozilla Public License Version 2.0", Some("MPL-2.0"));
        check("This is free and unencumbered software released into the public domain.", Some("Unlicense"));
        let bsd = "Redistribution and use in source and binary\nforms, with or without modification";
        check(bsd, Some("BSD-2-Clause"));
        check(&format!("{bsd} Neither the name of A"), Some("BSD-3-Clause"));
        check(&format!("{bsd} advertising materials Neither the name of A"), None);
        let isc = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is \
                   hereby granted";
        check(&format!("{isc}, provided that the above copyright notice"), Some("ISC"));
        check("All rights reserved. The MIT License does not apply.", None);
        check("", None);
    }

    #[test]
    fn a_licence_file_is_known_by_its_name() {
        for name in ["LICENSE", "license.md", "LICENCE.txt", "LICENSE-MIT", "COPYING", "COPYING.LESSER", "UNLICENSE"] {
            assert!(is_license(name), "{name}");
        }
        for name in ["license.rs", "licensed", "LICENSE-THIRD-PARTY", "COPYRIGHT", "README.md"] {
            assert!(!is_license(name), "{name}");
        }
    }
}
