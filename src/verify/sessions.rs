//! What the facts say of each session, gathered in one pass over the log and independently of the read models.

use super::{Finding, Kind};
use crate::{
    log::Record,
    runner::step_of,
    stages::{Row, pipeline},
};
use flywheel_events::{ArtifactGenerated, ArtifactType, Digest, Key, PublicationQueued, SessionId, SessionType, Step};
use flywheel_projections::{Body, Recorded};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

/// An artifact as its newest fact has it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    run: u32,
    pub artifact_type: ArtifactType,
    pub path: String,
    pub sha256: Digest,
    pub size: u64,
}

#[derive(Debug, Default)]
struct Session {
    session_type: Option<SessionType>,
    records: u32,
    position: u64,
    /// The runs that were asked for, with the steps that each repeats; none named is all.
    asked: BTreeMap<u32, Vec<String>>,
    outcomes: BTreeMap<u32, BTreeSet<Step>>,
    artifacts: BTreeMap<Step, Made>,
}

/// Every session of the log.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    /// Who made each content.
    contents: BTreeMap<(ArtifactType, Digest), BTreeSet<SessionId>>,
    queued: Vec<(u64, ArtifactType, Digest)>,
    findings: Vec<Finding>,
}

impl Sessions {
    /// Takes the next fact of the log.
    pub fn take(&mut self, record: &Record) {
        let (position, key) = (record.position, record.key.clone());
        let fact = match Recorded::decode(position, key.clone(), &record.event) {
            Ok(fact) => fact,
            Err(error) => {
                let hint = "use the program that wrote it, or a newer one; or restore log.db from a copy";
                let what = format!("{:#}", anyhow::Error::from(error));
                return self.found(Kind::Log, &key, position, what, hint);
            }
        };
        if let Body::Artifact(_) = fact.body {
            self.take_artifact(record);
        }
        if let Body::Queued(it) = &fact.body {
            if PublicationQueued::item_id(it.artifact_type, &it.sha256, it.target, &it.account) != key.id {
                let what = format!("the item of {key} is not the one of its content, target and account");
                self.found(Kind::Queue, &key, position, what, "restore log.db from a copy");
            }
            self.queued.push((position, it.artifact_type, it.sha256));
        }
        // Refused input is no session, and neither is an item or an opinion.
        let other = matches!(fact.body, Body::Rejected(_) | Body::Queued(_) | Body::Feedback(_));
        let Some(id) = key.session_id().filter(|_| !other) else { return };
        let session = self.sessions.entry(id).or_default();
        match &fact.body {
            Body::Session(it) => {
                session.records += 1;
                session.session_type = Some(it.session_type);
                session.position = position;
                session.asked.insert(1, vec![]);
                if it.session_id != id {
                    let what = format!("the record under {key} is of session {}", it.session_id);
                    self.found(Kind::Record, &key, position, what, "restore log.db from a copy");
                }
            }
            Body::Rerun(it) => {
                session.asked.insert(key.run, it.steps.clone());
            }
            _ => {
                session.outcomes.entry(key.run).or_default().insert(key.step);
            }
        }
    }

    fn take_artifact(&mut self, record: &Record) {
        let (position, key) = (record.position, &record.key);
        // It decoded already; its text is what the read models do not keep.
        let Ok((_, artifact)) = record.data::<ArtifactGenerated>() else { return };
        let bytes = artifact.content.as_bytes();
        if Digest::of(bytes) != artifact.sha256 || bytes.len() as u64 != artifact.size {
            let what = format!("the text of {key} does not have the digest and size that its fact names");
            self.found(Kind::Artifact, key, position, what, "restore log.db from a copy");
        }
        if !is_inside(&artifact.path) {
            let what = format!("the path `{}` of {key} leads out of the artifact folder", artifact.path);
            return self.found(Kind::Artifact, key, position, what, "do not take this log's word for it");
        }
        let made = self.contents.entry((artifact.artifact_type, artifact.sha256)).or_default();
        let Some(session) = key.session_id() else { return };
        made.insert(session);
        let artifacts = &mut self.sessions.entry(session).or_default().artifacts;
        if artifacts.get(&key.step).is_none_or(|known| known.run < key.run) {
            let ArtifactGenerated { artifact_type, path, sha256, size, .. } = artifact;
            artifacts.insert(key.step.clone(), Made { run: key.run, artifact_type, path, sha256, size });
        }
    }

    fn found(&mut self, kind: Kind, key: &Key, position: u64, what: String, hint: &'static str) {
        let finding = Finding::new(kind, what, hint);
        self.findings.push(Finding { session_id: key.session_id(), position: Some(position), ..finding });
    }

    /// Checks that each session has one record, each step of an ended run one outcome, and each queued item its
    /// artifact. `file` says where a session was read from.
    pub fn check(
        &mut self,
        file: impl Fn(SessionId) -> anyhow::Result<Option<PathBuf>>,
        findings: &mut Vec<Finding>,
    ) -> anyhow::Result<()> {
        findings.append(&mut self.findings);
        for (id, session) in &self.sessions {
            let about = |finding: Finding| Finding { session_id: Some(*id), ..finding };
            let Some(session_type) = session.session_type.filter(|_| session.records == 1) else {
                let what = format!("the log has {} records of it, and one is right", session.records);
                findings.push(about(Finding::new(Kind::Record, what, "restore log.db from a copy")));
                continue;
            };
            findings.extend(session.outcomes(session_type).into_iter().map(&about));
            if session.unfinished(session_type) {
                let finding = Finding::new(Kind::Unfinished, "accepted, not ended", "`flywheel run` its file again");
                findings.push(about(Finding { position: Some(session.position), path: file(*id)?, ..finding }));
            }
        }
        for (position, artifact_type, sha256) in &self.queued {
            if !self.contents.contains_key(&(*artifact_type, *sha256)) {
                let what = format!("no artifact in the log has the content {sha256} that was queued");
                let finding = Finding::new(Kind::Queue, what, "restore log.db from a copy");
                findings.push(Finding { position: Some(*position), ..finding });
            }
        }
        Ok(())
    }

    /// The newest version of each artifact of a session; none where the log has no such session.
    pub fn made(&self, session: SessionId) -> Option<impl Iterator<Item = &Made>> {
        self.sessions.get(&session).filter(|it| it.records > 0).map(|session| session.artifacts.values())
    }

    pub fn count(&self) -> u64 {
        self.sessions.values().filter(|session| session.records > 0).count() as u64
    }

    pub fn ended(&self) -> u64 {
        let ended = |session: &&Session| session.session_type.is_some_and(|kind| !session.unfinished(kind));
        self.sessions.values().filter(ended).count() as u64
    }

    pub fn artifacts(&self) -> u64 {
        self.sessions.values().map(|session| session.artifacts.len() as u64).sum()
    }

    pub fn duplicates(&self) -> u64 {
        self.contents.values().filter(|sessions| sessions.len() > 1).count() as u64
    }
}

impl Session {
    fn ready(session_type: SessionType) -> Step {
        let pipeline = pipeline(session_type);
        step_of(pipeline, pipeline.stages.last().expect("a test checks that every pipeline ends in ready"))
    }

    fn has_ended(&self, session_type: SessionType, run: u32) -> bool {
        self.outcomes.get(&run).is_some_and(|steps| steps.contains(&Self::ready(session_type)))
    }

    fn unfinished(&self, session_type: SessionType) -> bool {
        self.asked.last_key_value().is_some_and(|(run, _)| !self.has_ended(session_type, *run))
    }

    /// Steps of ended runs without an outcome, and outcomes that nobody asked for. Two under one key the log's own
    /// check would have found.
    fn outcomes(&self, session_type: SessionType) -> Vec<Finding> {
        let mut findings = vec![];
        let pipeline = pipeline(session_type);
        let repeats = |row: &Row, run: u32| {
            let step = step_of(pipeline, row);
            let steps = self.asked.get(&run)?;
            (steps.is_empty() || steps.iter().any(|name| name == step.as_str())).then_some(step)
        };
        let due = |run: u32| pipeline.stages.iter().filter_map(move |row| repeats(row, run)).collect::<BTreeSet<_>>();
        for (run, outcomes) in &self.outcomes {
            let due = due(*run);
            for step in outcomes.difference(&due) {
                let what = format!("run {run} has an outcome of {step}, which it was not asked for");
                findings.push(Finding::new(Kind::Outcome, what, "`flywheel log show` its facts; restore log.db"));
            }
            if self.has_ended(session_type, *run) {
                for step in due.difference(outcomes) {
                    let what = format!("run {run} has ended without an outcome of {step}");
                    findings.push(Finding::new(Kind::Outcome, what, "`flywheel log show` its facts; restore log.db"));
                }
            }
        }
        findings
    }
}

/// Whether a path stays under the folder it is joined to.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        for (path, inside) in
            [("a/b.md", true), ("a", true), ("", false), ("../a", false), ("/a", false), ("a/../../b", false)]
        {
            assert_eq!(is_inside(path), inside, "{path}");
        }
    }
}
