//! `flywheel feedback add`: a rating and its reasons into the log.
#![expect(clippy::disallowed_methods, reason = "feedback is dated by this machine's clock")]

use super::{Context, Exit};
use crate::{
    accept::{self, FEEDBACK_RECORDED},
    cli::{
        Mistake, again,
        bus::Reach,
        log, parse_session,
        through::{Through, on_bus, through},
        workshop::own_context,
    },
    log::{Appended, Log, NewFact},
    runner::SESSION_COMPLETED,
    safety::{Cleaner, Finding, Scope},
    stages::pipeline,
};
use flywheel_events::{AgentId, ArtifactType, FeedbackRecorded, Key, Kind, Quality, SessionId, SessionType};
use flywheel_projections::Session;
use rust_decimal::Decimal;
use serde_json::json;

/// Who says what of which session.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The same words of the same agent count once. An agent's rating of its own session is kept, and left out of the metrics.\n\nExamples:\n  flywheel feedback add --session a1b2c3d4-e5f6-7890-abcd-ef1234567890 --agent Agent-5 --quality 4\n  flywheel feedback add --session a1b2c3d4-e5f6-7890-abcd-ef1234567890 --agent Agent-5 --quality 2 --artifact build_log --issue 'the tests are not named'"
)]
pub struct Args {
    /// The session that made the artifacts.
    #[arg(long, value_name = "ID", value_parser = parse_session)]
    session: SessionId,
    /// Who rates.
    #[arg(long, value_name = "RATER", value_parser = parse_agent)]
    agent: AgentId,
    /// From 1 (worst) to 5 (best).
    #[arg(long, value_name = "1..5", value_parser = clap::value_parser!(u8).range(1..=5))]
    quality: u8,
    /// The artifact that is meant: readme, build_log, … [default: all of them]
    #[arg(long, value_name = "TYPE")]
    artifact: Option<String>,
    /// What is wrong; several may be given.
    #[arg(long, value_name = "TEXT")]
    issue: Vec<String>,
    /// What would be better; several may be given.
    #[arg(long, value_name = "TEXT")]
    suggestion: Vec<String>,
    /// How long the processing took, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    processing_time: Option<Decimal>,
    #[command(flatten)]
    reach: Reach,
}

fn parse_agent(text: &str) -> Result<AgentId, String> {
    text.parse().map_err(|error: flywheel_events::id::Error| error.to_string())
}

fn parse_seconds(text: &str) -> Result<Decimal, String> {
    let seconds = text.parse::<Decimal>().ok().filter(|seconds| *seconds >= Decimal::ZERO);
    seconds.ok_or_else(|| "expected seconds, not below zero, like 12.5".to_owned())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    match through(&args.reach, context)? {
        Through::File => log::wait(add(&log::open(context)?, args, context))?,
        Through::Bus => on_bus(&args.reach, context, async |log| add(log, args, context).await),
    }
}

async fn add<L: Log>(store: &L, args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let Some(entry) = store.get(&Key::session(SESSION_COMPLETED, args.session, 1)).await? else {
        return Err(again::unknown(args.session).into());
    };
    let (_, session): (_, Session) = entry.data()?;
    let artifact_type = args.artifact.as_deref().map(|name| made_by(session.session_type, name)).transpose()?;
    let cleaner = Cleaner::new(own_context());
    let mut findings = vec![];
    let mut clean = |texts: &[String]| texts.iter().map(|text| cleaned(text, &cleaner, &mut findings)).collect();
    let feedback = FeedbackRecorded {
        session_id: args.session,
        agent_id: args.agent.clone(),
        pipeline_type: session.session_type,
        artifact_type,
        feedback: Quality {
            artifact_quality: args.quality,
            processing_time: args.processing_time,
            issues: clean(&args.issue),
            suggestions: clean(&args.suggestion),
        },
        timestamp: chrono::Local::now().fixed_offset(),
    };
    accept::describe(&findings).iter().for_each(|line| context.console.note(format_args!("warning: {line}")));
    let key = Key { step: FEEDBACK_RECORDED, kind: Kind::Feedback, id: feedback.feedback_id(), run: 1 };
    let source = format!("/agents/{}", args.agent);
    let fact = NewFact::new(key.clone(), source, &feedback).caused_by(entry.id()).about(args.session);
    fact.check_size(store.event_bytes_max())
        .map_err(|error| Mistake::new(error.to_string(), "shorten the issues and suggestions"))?;
    // The key is made of everything but the time, so whatever has it says the same.
    let status = match store.append(vec![fact]).await?[0] {
        Appended::Appended(_) => "recorded",
        Appended::Duplicate(_) | Appended::Conflict(_) => "duplicate",
    };
    let own = args.agent == session.agent_id;
    if context.console.json {
        let counts = !own;
        context.console.document(&json!({ "feedback_id": key.id, "status": status, "counts": counts }));
    } else {
        context.console.line(format_args!("{status:<10} {}", key.id));
        if own {
            context.console.note(format_args!("note: {} is the session's own agent: not in the metrics", args.agent));
        }
    }
    Ok(Exit::Done)
}

fn made_by(session_type: SessionType, name: &str) -> Result<ArtifactType, Mistake> {
    let made: Vec<ArtifactType> = pipeline(session_type).stages.iter().filter_map(|row| row.makes).collect();
    made.iter().copied().find(|made| made.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = made.iter().map(|made| made.as_str()).collect();
        let message = format!("a session of type {} makes no `{name}`", session_type.as_str());
        Mistake::new(message, format!("give one of {}", names.join(", ")))
    })
}

fn cleaned(text: &str, cleaner: &Cleaner, findings: &mut Vec<Finding>) -> String {
    let (clean, found) = cleaner.clean_text(text, &Scope::default());
    findings.extend(found);
    clean.trim().to_owned()
}
