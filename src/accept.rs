//! From a session file that was read to the fact that is appended: cleaned before the first durable write.

use crate::{
    intake::session::Accepted,
    log::NewFact,
    runner::SESSION_COMPLETED,
    safety::{Cleaner, Finding, Scope},
    world::Origin,
};
use flywheel_events::{Fact as _, Key, SessionCompleted, Step};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};

/// The step of feedback.
pub const FEEDBACK_RECORDED: Step = Step::new("feedback-recorded");

/// The fact of a session, and what was taken out of it.
pub fn fact(accepted: &Accepted, cleaner: &Cleaner) -> (NewFact, Vec<Finding>) {
    let session = &accepted.session;
    let mut data = serde_json::to_value(session).expect("a session is plain JSON");
    let findings = cleaner.clean_json(&mut data, &Scope::of_session(&accepted.document.value));
    let key = Key::session(SESSION_COMPLETED, session.session_id, 1);
    let source = format!("/agents/{}", session.agent_id);
    (NewFact::of_value(key, SessionCompleted::TYPE, source, &data).about(session.session_id), findings)
}

/// Where the session came from on this machine, before cleaning.
pub fn origin(accepted: &Accepted, folder: PathBuf) -> Origin {
    let source = &accepted.session.source_data;
    Origin {
        folder,
        repo_path: source.repo_path.clone(),
        screenshots: source.screenshots.iter().map(|screenshot| screenshot.path().to_owned()).collect(),
    }
}

/// What was taken out of a fact's data, for whoever wrote it: a line a kind. That an absolute `repo_path` is stored by its
/// name alone is how it always is, and not worth a word.
pub fn describe(findings: &[Finding]) -> Vec<String> {
    let mut kinds: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.location != "/source_data/repo_path") {
        let (count, _) = kinds.entry(&finding.kind).or_insert((0, &finding.location));
        *count += finding.count;
    }
    let line = |(kind, (count, first)): (&str, (usize, &str))| match count {
        1 => format!("{kind} removed before it was stored, at {first}"),
        _ => format!("{kind} removed before it was stored, {count} times, first at {first}"),
    };
    kinds.into_iter().map(line).collect()
}

/// Cleans what a look at the world brought, and says so among its warnings, where it has some.
pub fn clean_world(data: &mut Value, cleaner: &Cleaner) {
    let findings = cleaner.clean_json(data, &Scope::default());
    if let Some(Value::Array(warnings)) = data.get_mut("warnings") {
        warnings.extend(describe(&findings).into_iter().map(Value::String));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{intake, safety};
    use flywheel_events::envelope::EVENT_BYTES_MAX;

    #[test]
    fn a_session_that_grows_too_large_when_cleaned_is_known_before_it_is_appended() {
        let check = |text: &str, count: usize, too_large: bool| {
            let file = serde_json::json!({
                "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
                "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
                "source_data": { "conversations": [{ "content": text.repeat(count) }] },
            });
            let accepted = intake::read("x.json", file.to_string().as_bytes(), None).expect("a good session");
            let (fact, _) = fact(&accepted, &Cleaner::new(safety::Context::default()));
            assert_eq!(fact.check_size(EVENT_BYTES_MAX).is_err(), too_large, "{text}");
        };
        check("plain words ", 60_000, false);
        check("a@b.co ", 100_000, true);
    }
}
