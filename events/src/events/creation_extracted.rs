//! `creation.extracted`: what a life/aria session made, and the substance of its conversations.

use super::{Creation, Evidence, Screenshot, Statement, StoryExtracted};
use crate::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was made. What has no evidence is null or empty, never invented.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CreationExtracted {
    /// The things made, each once, in the order in which they are first named.
    pub creations: Vec<Created>,
    /// Whole sentences of the conversations, in their order.
    pub highlights: Vec<Statement>,
    /// What the session says beside its conversations: goal aside, the same as a build's story.
    pub story: StoryExtracted,
    /// The screenshots the session lists, in its order.
    pub screenshots: Vec<Screenshot>,
    /// What the session counted of itself, beside what it lists.
    pub claims: Vec<Claim>,
}

/// One thing that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// Its name; null where the session does not give one.
    pub name: Option<String>,
    /// What kind of thing: `game`, `website`, …
    pub kind: Option<String>,
    /// What it was made with, each once.
    pub technologies: Vec<String>,
    /// Where it lies, as the session says; of an absolute path only the last component.
    pub path: Option<String>,
    /// Where the session names it; never empty.
    pub evidence: Vec<Evidence>,
}

/// A figure the session claims of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The field that claims it, like `metadata.screenshots_taken`.
    pub field: String,
    /// The figure claimed.
    pub claimed: u64,
    /// How many the session lists.
    pub listed: u64,
}

impl From<(&Creation, Evidence)> for Created {
    fn from((creation, evidence): (&Creation, Evidence)) -> Self {
        let said = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let mut technologies: Vec<String> = vec![];
        for technology in creation.technologies.iter().map(|technology| technology.trim()) {
            if !technology.is_empty() && !technologies.iter().any(|known| known.eq_ignore_ascii_case(technology)) {
                technologies.push(technology.to_owned());
            }
        }
        Self {
            name: said(&creation.name),
            kind: said(&creation.kind),
            technologies,
            path: said(&creation.path),
            evidence: vec![evidence],
        }
    }
}

impl Fact for CreationExtracted {
    const TYPE: &'static str = "dev.dreamos.creation.extracted.v1";

    fn example() -> Self {
        let evidence = || vec![Evidence::Record("source_data.conversations[0]".into())];
        Self {
            creations: vec![Created {
                name: Some("SpaceExplorer".into()),
                kind: Some("game".into()),
                technologies: vec!["React".into(), "Three.js".into()],
                path: Some("games/SpaceExplorer".into()),
                evidence: vec![Evidence::Record("source_data.conversations[0].artifacts[0]".into())],
            }],
            highlights: vec![Statement {
                text: "Built a new interactive game using React and Three.js.".into(),
                evidence: evidence(),
            }],
            story: StoryExtracted::default(),
            screenshots: vec![Screenshot::Path("screenshots/gameplay_001.png".into())],
            claims: vec![Claim { field: "metadata.screenshots_taken".into(), claimed: 5, listed: 1 }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_creation_is_told_once_and_trimmed() {
        let creation: Creation = serde_json::from_value(json!({
            "type": " game ", "name": "", "technologies": ["React", " react", "", "CSS"],
        }))
        .unwrap();
        let created = Created::from((&creation, Evidence::Field("x".into())));
        assert_eq!((created.kind.as_deref(), created.name, created.path), (Some("game"), None, None));
        assert_eq!(created.technologies, ["React", "CSS"]);
    }

    #[test]
    fn the_example_fits_its_schema() {
        let event = crate::catalog::find("creation.extracted").expect("a row");
        let example = (event.example)();
        let schema = serde_json::to_value((event.schema)()).unwrap();
        assert!(jsonschema::is_valid(&schema, &example));
        assert_eq!((event.round_trip)(example.clone()).unwrap(), example);
    }
}
