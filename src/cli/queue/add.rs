//! `flywheel queue add`: a file of its own into the publish queue.

use super::{Context, Exit};
use crate::{
    accept,
    cli::{
        Mistake,
        bus::Reach,
        log, read,
        run::own_context,
        through::{Through, on_bus, through},
    },
    files,
    log::{Appended, Log as _, NewFact},
    queue,
    safety::{Cleaner, Scope},
};
use flywheel_events::{ArtifactGenerated, ArtifactType, Digest, Key, Kind, PublicationQueued, Target, key::NAMESPACE};
use serde_json::json;
use std::path::PathBuf;
use uuid::Uuid;

/// What, and where to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel queue add --type readme --file README.md --targets github,website\n  flywheel queue add --type social_post --file post.md"
)]
pub struct Args {
    /// What the file is: readme, build_log, social_post, trade_journal, trade_thread, equity_curve, devlog or gallery.
    #[arg(long = "type", value_name = "TYPE", value_parser = read::parse_type)]
    artifact_type: ArtifactType,
    /// A text file, at most 256 KiB.
    #[arg(long)]
    file: PathBuf,
    /// Where it is to be published: github, website, social [default: where artifacts of its type go]
    #[arg(long, value_name = "TARGET,…", value_delimiter = ',', value_parser = parse_target)]
    targets: Vec<Target>,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn parse_target(text: &str) -> Result<Target, String> {
    let found = Target::ALL.iter().find(|row| row.1 == text.trim()).map(|row| row.0);
    found.ok_or_else(|| format!("expected one of {}", Target::ALL.map(|row| row.1).join(", ")))
}

/// Most bytes of the file.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (artifact, warnings) = artifact(args)?;
    warnings.iter().for_each(|warning| context.console.note(format_args!("warning: {warning}")));
    let id = Uuid::new_v5(&NAMESPACE, artifact.path.as_bytes());
    let key = Key { step: queue::ADDED, kind: Kind::Publication, id, run: 1 };
    let default = queue::default_targets(args.artifact_type);
    // Each once, in the order they were given.
    let mut targets: Vec<Target> = vec![];
    for target in if args.targets.is_empty() { default } else { &args.targets } {
        if !targets.contains(target) {
            targets.push(*target);
        }
    }
    let mut facts = vec![NewFact::new(key, "/flywheel/queue", &artifact)];
    facts.extend(targets.iter().map(|target| queue::item(&artifact, *target)));
    let outcomes = match through(&args.reach, context)? {
        Through::File => log::wait(log::open_or_make(context)?.append(facts))??,
        Through::Bus => on_bus(&args.reach, context, async |log| Ok(log.append(facts).await?))?,
    };
    let items: Vec<_> = targets
        .iter()
        .zip(&outcomes[1..])
        .map(|(target, outcome)| {
            let item = PublicationQueued::item_id(artifact.artifact_type, &artifact.sha256, *target, queue::ACCOUNT);
            // The same text for the same place waits there already, whoever put it there.
            let status = if matches!(outcome, Appended::Appended(_)) { "queued" } else { "duplicate" };
            (item, target.as_str(), status)
        })
        .collect();
    if context.console.json {
        context.console.document(&json!({
            "artifact": { "type": artifact.artifact_type, "path": artifact.path, "sha256": artifact.sha256 },
            "items": items.iter().map(|(item, target, status)| json!({
                "item_id": item, "target": target, "account": queue::ACCOUNT, "status": status,
            })).collect::<Vec<_>>(),
        }));
    } else {
        items
            .iter()
            .for_each(|(item, target, status)| context.console.line(format_args!("{status:<10} {item}  {target}")));
    }
    Ok(Exit::Done)
}

/// The file as an artifact, cleaned, and what was taken out of it.
fn artifact(args: &Args) -> anyhow::Result<(ArtifactGenerated, Vec<String>)> {
    let shown = args.file.display();
    let wrong = |what: String, hint: &str| Mistake::new(format!("{shown}: {what}"), hint);
    let bytes = files::read_at_most(&args.file, FILE_BYTES_MAX + 1)
        .map_err(|error| wrong(format!("cannot be read: {error}"), "give the path of a text file"))?;
    if bytes.len() > FILE_BYTES_MAX {
        let what = format!("more than {FILE_BYTES_MAX} bytes, which is the most");
        return Err(wrong(what, "shorten it, or split it").into());
    }
    if bytes.trim_ascii().is_empty() {
        return Err(wrong("there is nothing in it".to_owned(), "give a file with a text to publish").into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(format!("not UTF-8 at byte {at}"), "give a text file; images are published with the page that shows them")
    })?;
    let (clean, findings) = Cleaner::new(own_context()).clean_text(&text, &Scope::default());
    let content = clean.into_owned();
    let sha256 = Digest::of(content.as_bytes());
    let artifact = ArtifactGenerated {
        session_id: None,
        artifact_type: args.artifact_type,
        path: format!("queued/{}/{}", &sha256.to_string()[..16], args.artifact_type.file_name()),
        media_type: args.artifact_type.media_type().to_owned(),
        sha256,
        size: content.len() as u64,
        template: None,
        notes: serde_json::Map::new(),
        content,
    };
    Ok((artifact, accept::describe(&findings).into_iter().map(|line| format!("{shown}: {line}")).collect()))
}
