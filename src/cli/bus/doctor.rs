//! `flywheel bus doctor`.

use super::{Context, Exit, Reach, runtime, topology};
use crate::bus::doctor::{self, Consumer, Report};

/// Say whether the bus is as it must be.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It looks at the server, its streams and consumers, the lag of each stage, deliveries that come again and again, and the oldest messages of the inbox. It changes nothing. When the server writes to disk is told only to its system account, or on its monitoring port.\n\nExit codes: 0 nothing was found, 1 something is not as it must be.\n\nExamples:\n  flywheel bus doctor --nats nats://localhost:4222\n  flywheel bus doctor --monitor http://localhost:8222 --json"
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// The server's monitoring port, like http://localhost:8222
    #[arg(long, value_name = "URL")]
    monitor: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let report = runtime()?.block_on(async {
        let bus = args.reach.connect(&context.settings).await?;
        anyhow::Ok(doctor::examine(&bus, &topology(&context.settings), args.monitor.as_deref()).await)
    })?;
    if context.console.json {
        context.console.document(&report);
    } else {
        print(&report, context);
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

fn print(report: &Report, context: &Context) {
    let console = context.console;
    let server = &report.server;
    let cluster = server.cluster.as_deref().map_or_else(|| "alone".to_owned(), |name| format!("in the cluster {name}"));
    console.line(format_args!(
        "server    {} {}, {cluster}, messages up to {} bytes",
        server.name, server.version, server.max_payload
    ));
    console.line(format_args!("durable   {}", report.durability));
    for stream in report.streams.iter().filter(|stream| stream.there) {
        let epoch = stream.epoch.as_deref().unwrap_or("none");
        console.line(format_args!(
            "stream    {:<18} {:>10} messages, {:>12} bytes, {} replicas, last {}, epoch {epoch}",
            stream.name, stream.messages, stream.bytes, stream.replicas, stream.last_position
        ));
    }
    // In the order of the table. A stage has a consumer for each step that makes it due.
    let mut stages: Vec<(&str, Vec<&Consumer>)> = vec![];
    for consumer in report.consumers.iter().filter(|consumer| consumer.there) {
        match stages.last_mut() {
            Some((stage, its)) if *stage == consumer.stage => its.push(consumer),
            _ => stages.push((&consumer.stage, vec![consumer])),
        }
    }
    for (stage, its) in stages {
        let pending: u64 = its.iter().map(|consumer| consumer.pending).sum();
        let sum = |of: fn(&Consumer) -> usize| its.iter().map(|consumer| of(consumer)).sum::<usize>();
        console.line(format_args!(
            "stage     {stage:<22} {pending:>8} pending, {:>6} not acknowledged, {:>4} again, {:>4} waiting",
            sum(|consumer| consumer.ack_pending),
            sum(|consumer| consumer.redelivered),
            sum(|consumer| consumer.waiting),
        ));
    }
    for remark in &report.remarks {
        console.line(format_args!("note: {remark}"));
    }
    for finding in &report.findings {
        console.line(format_args!("finding: {}; {}", finding.what, finding.hint));
    }
    if report.ok {
        console.line("everything is as it must be");
    }
}
