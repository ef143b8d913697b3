//! Artifact templates: built in, overridable from a folder, bounded in what they may do.
//!
//! Invariants:
//! - Input text is data: it is never compiled as a template.
//! - `.md` output is Markdown-escaped by the filters a template calls (`md`, `md_line`, …), never HTML-escaped.
//! - A template that uses too much fuel or a name that does not exist fails the step; it never prints nothing instead.

#![expect(clippy::disallowed_methods, reason = "reads the template folder")]

use crate::stages::Stop;
use flywheel_events::Digest;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, syntax::SyntaxConfig};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// Most instructions one rendering may take. A large build log of 1,000 commits takes about 100,000.
const FUEL: u64 = 10_000_000;

/// The templates the program carries: one row a file of `templates/`.
const BUILT_IN: &[(&str, &str)] = &[
    ("build_log.md", include_str!("../templates/build_log.md")),
    ("devlog.md", include_str!("../templates/devlog.md")),
    ("gallery.md", include_str!("../templates/gallery.md")),
    ("social_post.md", include_str!("../templates/social_post.md")),
    ("readme.md", include_str!("../templates/readme.md")),
    ("readme_recent_work.md", include_str!("../templates/readme_recent_work.md")),
    ("verification.md", include_str!("../templates/verification.md")),
    ("equity_curve.svg", include_str!("../templates/equity_curve.svg")),
    ("trade_journal.md", include_str!("../templates/trade_journal.md")),
];

/// The templates in force.
pub struct Templates {
    environment: Environment<'static>,
    digests: BTreeMap<String, Digest>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("names", &self.digests.keys()).finish()
    }
}

/// A rendered text and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// `<name>@<first 12 digits of the digest of its source>`.
    pub template: String,
}

/// JSON as a template sees it. `serde_json` keeps numbers exact by disguising them as maps, which a template would take
/// for maps: whole numbers become numbers here, all others their exact text.
fn in_template(value: serde_json::Value) -> minijinja::Value {
    use serde_json::Value;
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(value) => value.into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.to_string().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => items.into_iter().map(in_template).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, member)| (name, in_template(member)));
            minijinja::Value::from(members.collect::<BTreeMap<_, _>>())
        }
    }
}

fn unserialisable(error: serde_json::Error) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
}

impl Templates {
    /// The built-in templates, each replaced by the file of the same name in `folder` where there is one.
    ///
    /// # Errors
    /// When a file of the folder cannot be read or does not compile; the message names it and the line.
    pub fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") || name.ends_with(".svg") { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .expect("the delimiters are Jinja's own"),
        );
        crate::markdown::add_filters(&mut environment);
        let mut digests = BTreeMap::new();
        for (name, built_in) in BUILT_IN {
            digests.insert((*name).to_owned(), Digest::of(built_in.as_bytes()));
            let Some(path) = folder.map(|folder| folder.join(name)).filter(|path| path.exists()) else { continue };
            let source = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the template {}", path.display()))?;
            digests.insert((*name).to_owned(), Digest::of(source.as_bytes()));
            environment
                .add_template_owned(*name, source)
                .map_err(|error| anyhow::anyhow!("the template {name} does not compile: {error}"))?;
        }
        // Ours compile, as a test checks: those that a session needs, when it needs them.
        environment.set_loader(|name| {
            let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
            Ok(built_in.map(|(_, source)| (*source).to_owned()))
        });
        Ok(Self { environment, digests })
    }

    /// What `Rendered::template` says of a template, for texts that name their own.
    pub fn version(&self, name: &str) -> String {
        self.digests.get(name).map_or_else(|| name.to_owned(), |digest| format!("{name}@{}", &digest.to_string()[..12]))
    }

    /// Renders a template.
    ///
    /// # Errors
    /// A refusal that names the template and the line. `{:#}` of the cause would print the variables, so it is not used.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<Rendered, Stop> {
        let render = || {
            let template = self.environment.get_template(name)?;
            template.render(in_template(serde_json::to_value(&context).map_err(unserialisable)?))
        };
        let text = render().map_err(|error| {
            Stop::refused(
                format!("the template {name} cannot be rendered: {error}"),
                "correct the template, or remove it from the template folder",
            )
        })?;
        Ok(Rendered { text, template: self.version(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_has_a_row() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"));
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("reads").file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(files, BUILT_IN.iter().map(|row| row.0.to_owned()).collect());
    }

    #[test]
    fn every_built_in_template_compiles() {
        let templates = Templates::load(None).unwrap();
        for (name, _) in BUILT_IN {
            templates.environment.get_template(name).unwrap();
        }
    }

    #[test]
    fn numbers_are_numbers_and_exact() {
        let folder = tempfile::tempdir().unwrap();
        let source = "{{ whole + 1 }} {{ price }} {{ huge }} {{ deep[0].n }}";
        std::fs::write(folder.path().join("social_post.md"), source).unwrap();
        let price: serde_json::Value = serde_json::from_str("175.50").unwrap();
        let context = json!({ "whole": 41, "price": price, "huge": u64::MAX, "deep": [{ "n": -1 }] });
        let rendered = Templates::load(Some(folder.path())).unwrap().render("social_post.md", context).unwrap();
        assert_eq!(rendered.text, "42 175.50 18446744073709551615 -1");
    }
}
