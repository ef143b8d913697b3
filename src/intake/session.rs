//! Reading a session file: the bytes become a [`SessionCompleted`], or one report of everything that is wrong.
//!
//! What is judged where: `document` the bytes and the syntax, `judge` the fields against the schema and the few rules a
//! schema cannot say. Decoding comes last and cannot fail without a place. Trading records are not judged here.

use super::{
    document::Document,
    judge,
    report::{Problem, Report, Severity},
};
use flywheel_events::{SessionCompleted, SessionType};

/// A session file that was taken.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The session, without the outputs `artifacts` and `pipeline_status`.
    pub session: SessionCompleted,
    /// The whole document, with its spans, for updating the file in place.
    pub document: Document,
    /// What somebody should look at.
    pub warnings: Vec<Problem>,
}

impl Accepted {
    /// The warnings as a report, where there are any.
    pub fn report(&self, name: &str) -> Option<Report> {
        let some = !self.warnings.is_empty();
        some.then(|| Report::new(name, self.document.source.clone(), self.warnings.clone()))
    }
}

/// Reads a session file; `name` is what the report calls it, `expected` the type that the caller asks for.
///
/// # Errors
/// The file is refused, with every reason that could be found.
pub fn read(name: &str, bytes: &[u8], expected: Option<SessionType>) -> Result<Accepted, Box<Report>> {
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(unread) => {
            let mut problems = unread.problems;
            if let Some(before) = &unread.before {
                problems.extend(before.duplicate_keys());
                problems.extend(judge::what_was_read(before, expected));
            }
            return Err(Box::new(Report::new(name, unread.source, problems)));
        }
    };
    let mut problems = document.duplicate_keys();
    let session = judge::session(&document, expected, &mut problems);
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    match session {
        Some(mut session) if !refused => {
            session.extra.remove("artifacts");
            session.extra.remove("pipeline_status");
            Ok(Accepted { session, document, warnings: problems })
        }
        _ => Err(Box::new(Report::new(name, document.source, problems))),
    }
}
