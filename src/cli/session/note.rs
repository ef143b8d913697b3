//! `flywheel session note`: adds to the session being tracked.

use super::{
    super::{Context, Exit},
    draft,
    tracking::{self, Which},
};
use flywheel_events::Creation;
use serde_json::{Map, json};
use std::path::PathBuf;

/// Add a note, a screenshot or a creation.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flywheel session note 'The queue survives a crash now'
  flywheel session note 'First playable level' --screenshot play.png
  flywheel session note --made SpaceExplorer --kind game --tech React,Three.js")]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["text", "screenshot", "made"]))]
pub struct Args {
    /// What is worth telling.
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    /// A picture of the work; may be given more than once.
    #[arg(long, value_name = "FILE")]
    screenshot: Vec<PathBuf>,

    /// Something that was made, by its name.
    #[arg(long, value_name = "NAME")]
    made: Option<String>,

    /// What kind of thing was made: game, website, …
    #[arg(long, value_name = "KIND", requires = "made")]
    kind: Option<String>,

    /// What it was made with, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "made")]
    tech: Vec<String>,

    /// Where it lies.
    #[arg(long, value_name = "PATH", requires = "made")]
    path: Option<String>,

    #[command(flatten)]
    which: Which,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let screenshots: Vec<PathBuf> =
        args.screenshot.iter().map(|path| draft::screenshot_path(path)).collect::<anyhow::Result<_>>()?;
    let (slot, mut state) = tracking::find(&args.which, context)?;
    let tech = args.tech.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let technologies: Vec<String> = tech.collect();
    let made = args.made.map(|name| Creation {
        kind: args.kind,
        name: Some(name),
        path: args.path,
        technologies,
        extra: Map::new(),
    });
    if args.text.is_some() || made.is_some() {
        let text = args.text.unwrap_or_default();
        state.conversations.push(draft::note_record(&text, draft::now(), made.into_iter().collect()));
    }
    for path in screenshots {
        if !state.screenshots.contains(&path) {
            state.screenshots.push(path);
        }
    }
    slot.write(&state)?;
    let console = &context.console;
    if console.json {
        console.document(&json!({
            "path": slot.path, "name": slot.name, "session_id": state.session_id,
            "notes": state.conversations.len(), "screenshots": state.screenshots.len(),
        }));
    } else {
        console.line(slot.path.display());
    }
    Ok(Exit::Done)
}
