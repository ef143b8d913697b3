//! `flywheel stages`: the pipeline graph, from the table.

use super::{Context, Exit};
use crate::{
    runner::step_of,
    stages::{Need, Pipeline, Row, graph::ENTRY, pipelines},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// In which form.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  flywheel stages\n  flywheel stages --format mermaid\n  flywheel stages --json")]
pub struct Args {
    /// How the graph is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One stage a line.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// One JSON document.
    Json,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let pipelines = pipelines();
    match args.format {
        Format::Json => context.console.document(&as_json(pipelines)),
        _ if context.console.json => context.console.document(&as_json(pipelines)),
        Format::Text => context.console.text(&as_text(pipelines)),
        Format::Mermaid => context.console.text(&as_mermaid(pipelines)),
    }
    Ok(Exit::Done)
}

fn short(event_type: &str) -> &str {
    let name = event_type.strip_prefix("dev.dreamos.").unwrap_or(event_type);
    name.rsplit_once(".v").map_or(name, |(name, _)| name)
}

fn need_text(need: &Need) -> String {
    match need {
        Need::Required(event_type) => short(event_type).to_owned(),
        Need::Optional(event_type) => format!("{}?", short(event_type)),
        Need::EveryStep => "every other step".to_owned(),
    }
}

fn as_text(pipelines: &[Pipeline]) -> String {
    let mut out = String::new();
    for pipeline in pipelines {
        let _ = writeln!(out, "{}: {}", pipeline.session_type.as_str(), pipeline.about);
        for row in &pipeline.stages {
            let needs: Vec<_> = row.needs.iter().map(need_text).collect();
            let world = if row.world { " (looks at the world)" } else { "" };
            let _ = writeln!(out, "  {:<14} {}{world}", row.name, row.about);
            let _ = writeln!(out, "  {:<14} {} -> {}", "", needs.join(", "), short(row.emits));
        }
        out.push('\n');
    }
    out.push_str("A need with `?` is one the stage can do without.\n");
    out
}

fn as_json(pipelines: &[Pipeline]) -> Value {
    let need = |need: &Need| match need {
        Need::Required(event_type) => json!({ "fact": event_type, "required": true }),
        Need::Optional(event_type) => json!({ "fact": event_type, "required": false }),
        Need::EveryStep => json!({ "every_other_step": true }),
    };
    let stage = |pipeline: &Pipeline, row: &Row| {
        json!({
            "name": row.name,
            "step": step_of(pipeline, row).as_str(),
            "about": row.about,
            "needs": row.needs.iter().map(need).collect::<Vec<_>>(),
            "emits": row.emits,
            "looks_at_the_world": row.world,
        })
    };
    let pipelines = pipelines.iter().map(|pipeline| {
        json!({
            "name": pipeline.session_type.as_str(),
            "about": pipeline.about,
            "stages": pipeline.stages.iter().map(|row| stage(pipeline, row)).collect::<Vec<_>>(),
        })
    });
    json!({ "pipelines": pipelines.collect::<Vec<_>>() })
}

fn as_mermaid(pipelines: &[Pipeline]) -> String {
    let mut out = String::from("flowchart LR\n");
    for pipeline in pipelines {
        let name = pipeline.session_type.as_str();
        let _ = writeln!(out, "  subgraph {name}");
        let _ = writeln!(out, "    {name}_session([session.completed])");
        for row in &pipeline.stages {
            let _ = writeln!(out, "    {name}_{}[{}]", row.name, row.name);
        }
        for row in &pipeline.stages {
            for need in &row.needs {
                let (from, arrow) = match need {
                    Need::Required(event_type) => (makers(pipeline, event_type), "-->"),
                    Need::Optional(event_type) => (makers(pipeline, event_type), "-.->"),
                    Need::EveryStep => {
                        let others = pipeline.stages.iter().filter(|other| other.name != row.name);
                        (others.map(|other| other.name).collect(), "-->")
                    }
                };
                for from in from {
                    let _ = writeln!(out, "    {name}_{from} {arrow} {name}_{}", row.name);
                }
            }
        }
        out.push_str("  end\n");
    }
    out
}

fn makers<'a>(pipeline: &'a Pipeline, event_type: &str) -> Vec<&'a str> {
    if event_type == ENTRY {
        return vec!["session"];
    }
    pipeline.stages.iter().filter(|row| row.emits == event_type).map(|row| row.name).collect()
}
