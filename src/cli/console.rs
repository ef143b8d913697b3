//! Where a command prints.

use super::Mistake;
use crate::telemetry::Tracing;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::OnceLock,
    time::Duration,
};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The first write to stdout that failed.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// The process's streams. A reader that went away (`| head`) ends the output, not the program.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Whether results are JSON.
    pub json: bool,
    /// Whether a person is looking at stderr, so that progress and colour make sense.
    pub interactive: bool,
}

impl Console {
    /// The console of this process.
    pub fn new(json: bool) -> Self {
        Self { json, interactive: io::stderr().is_terminal() }
    }

    /// Shows what the program notes about its own work on stderr: warnings, or what `FLYWHEEL_LOG` asks for. Its spans go
    /// to the exporter, where there is one.
    pub fn show_diagnostics(&self, tracing: Option<&Tracing>) {
        let filter = EnvFilter::try_from_env("FLYWHEEL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
        let shown = fmt::layer().with_writer(io::stderr).with_ansi(self.interactive).with_target(false);
        // Only our own: the exporter's would be exported, and so on. And only spans, whose attributes are chosen: what is
        // said of the work on the way quotes what is worked on.
        let ours = filter_fn(|it| it.is_span() && it.target().split("::").next() == Some("flywheel"))
            .with_max_level_hint(LevelFilter::INFO);
        let exported = tracing.map(|tracing| {
            let layer = tracing_opentelemetry::layer().with_tracer(tracing.tracer()).with_location(false);
            layer.with_threads(false).with_target(false).with_tracked_inactivity(false).with_filter(ours)
        });
        // A second one in a process would change nothing.
        let _ = tracing_subscriber::registry().with(shown.with_filter(filter)).with(exported).try_init();
    }

    /// One line of the result.
    pub fn line(&self, text: impl std::fmt::Display) {
        kept(writeln!(io::stdout().lock(), "{text}"));
    }

    /// The result as it is, without a line end of its own.
    pub fn text(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The result as it is, which need not be text.
    pub fn bytes(&self, bytes: &[u8]) {
        kept(io::stdout().lock().write_all(bytes));
    }

    /// Why results could not be written, where they could not: what a reader that went away missed is among them.
    pub fn lost(&self) -> Option<&'static io::Error> {
        kept(io::stdout().flush());
        LOST.get()
    }

    /// The result as one indented JSON document.
    pub fn document(&self, value: &impl Serialize) {
        self.line(serde_json::to_string_pretty(value).expect("results are plain JSON"));
    }

    /// The result as one JSON line.
    pub fn json_line(&self, value: &impl Serialize) {
        self.line(serde_json::to_string(value).expect("results are plain JSON"));
    }

    /// Something the person should know, on stderr.
    pub fn note(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Progress of work that may be long: on a terminal only, and only once it has taken a second. A bar where the
    /// total is known and more than one, else a spinner. Whoever asks for it ends it with `finish_and_clear`.
    pub fn progress(&self, total: Option<u64>, what: &'static str) -> ProgressBar {
        if !self.interactive {
            return ProgressBar::hidden();
        }
        let total = total.filter(|total| *total > 1);
        let template = if total.is_some() { "{bar:40} {pos}/{len} {msg} {eta}" } else { "{spinner} {msg} {elapsed}" };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template(template).expect("the template is right"));
        bar.set_message(what);
        let shown = bar.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            if !shown.is_finished() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(250));
            }
        });
        bar
    }

    /// An error with its causes and what to do, on stderr.
    pub fn error(&self, error: &anyhow::Error) {
        self.note(format_args!("error: {error:#}"));
        if let Some(hint) = error.downcast_ref::<Mistake>().and_then(|mistake| mistake.hint.as_deref()) {
            self.note(format_args!(" hint: {hint}"));
        }
    }
}

fn kept(written: io::Result<()>) {
    if let Err(error) = written {
        LOST.get_or_init(|| error);
    }
}
