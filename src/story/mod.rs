//! The story of a session, from evidence alone.
//!
//! - `evidence`: what the session says, found by one table of names.
//! - `changelog`: its commits, sorted out; `body`: what their bodies say.
//! - `figures`: what was counted, what was claimed, and where the two differ.
//! - `posts`: the paragraphs of a post.
//!
//! Invariant: every [`Statement`] is somebody's own words and names where they stand. What has no evidence is absent.

pub mod body;
pub mod changelog;
pub mod evidence;
pub mod figures;
pub mod posts;

use changelog::Changelog;
use evidence::{Found, Role};
use flywheel_events::{Commit, Evidence, RepoScanned, SessionCompleted, Statement, StoryExtracted};
use unicode_segmentation::UnicodeSegmentation as _;

/// Most statements of one kind: a story names the main things, the build log lists them all.
const STATEMENTS_MAX: usize = 50;

/// What happened and why. Empty where the session says nothing.
pub fn extract(session: &SessionCompleted, commits: &[Commit]) -> StoryExtracted {
    let found = evidence::gather(session);
    let log = Changelog::of(commits);
    let mut story = StoryExtracted {
        overview: overview(&found, &log),
        key_features: features(&found, &log),
        problem: joined(&found, Role::Problem),
        solution: joined(&found, Role::Solution),
        lessons: statements(&found, Role::Lesson),
    };
    from_commits(&mut story, &log);
    story
}

/// The session's commits: as scanned, without those the session lists and the repository does not have (a claim is no
/// work); else as the session lists them.
pub fn commits(session: &SessionCompleted, scan: Option<&RepoScanned>) -> Vec<Commit> {
    match scan {
        Some(scan) => {
            let seen = |commit: &&Commit| !scan.commits_not_found.contains(&commit.hash);
            scan.commits.iter().filter(seen).cloned().collect()
        }
        None => crate::commits::from_records(&session.source_data.git_commits).0,
    }
}

/// The sentences of a text, trimmed and whole, line breaks as spaces.
pub fn sentences(text: &str) -> Vec<String> {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let paragraphs = text.split("\n\n").map(flat);
    paragraphs
        .flat_map(|paragraph| paragraph.split_sentence_bounds().map(|s| s.trim().to_owned()).collect::<Vec<_>>())
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .collect()
}

fn statement(found: &Found) -> Statement {
    Statement { text: found.text.clone(), evidence: vec![found.evidence.clone()] }
}

fn statements(found: &[Found], role: Role) -> Vec<Statement> {
    found.iter().filter(|one| one.role == role).take(STATEMENTS_MAX).map(statement).collect()
}

/// Several pieces as one statement, each a sentence.
fn joined(found: &[Found], role: Role) -> Option<Statement> {
    let all = statements(found, role);
    match all.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        _ => Some(Statement {
            text: all.iter().map(|one| crate::wording::sentence(&one.text)).collect::<Vec<_>>().join(" "),
            evidence: all.into_iter().flat_map(|one| one.evidence).collect(),
        }),
    }
}

/// The summary, else the narrative's first paragraph, a conversation's, or the body of the first feature.
fn overview(found: &[Found], log: &Changelog<'_>) -> Option<Statement> {
    let first_paragraph = |text: &str| text.split("\n\n").next().unwrap_or_default().trim().to_owned();
    for role in [Role::Overview, Role::Narrative, Role::Conversation] {
        // A note that was taken on the way is about a moment, not about the session.
        let on_the_way = |one: &Found| one.role == Role::Conversation && one.name == "note";
        if let Some(one) = found.iter().find(|one| one.role == role && !on_the_way(one)) {
            return Some(Statement { text: first_paragraph(&one.text), ..statement(one) });
        }
    }
    let (hash, prose) = log.of_kind("feat").find_map(|entry| {
        let (prose, _) = evidence::read(&body::prose(entry.commit)?);
        (!prose.is_empty()).then_some((&entry.commit.hash, prose))
    })?;
    Some(Statement { text: first_paragraph(&prose), evidence: vec![Evidence::Commit(hash.clone())] })
}

/// What shipped as a feature, then what the session names as one.
fn features(found: &[Found], log: &Changelog<'_>) -> Vec<Statement> {
    let mut features: Vec<Statement> = vec![];
    for entry in log.shipped() {
        let own = (entry.commit.kind.as_deref() == Some("feat")).then(|| changelog::title(entry.commit));
        let items = entry.commit.squash_items.iter().filter(|item| item.kind.as_deref() == Some("feat"));
        let texts = own.into_iter().chain(items.map(|item| item.description.as_str()));
        features.extend(texts.map(|text| Statement {
            text: text.trim().to_owned(),
            evidence: vec![Evidence::Commit(entry.commit.hash.clone())],
        }));
    }
    features.extend(statements(found, Role::Feature));
    // The same feature said twice rests on both.
    let mut distinct: Vec<Statement> = vec![];
    for feature in features.into_iter().filter(|feature| !feature.text.is_empty()).take(4 * STATEMENTS_MAX) {
        match distinct.iter_mut().find(|one| one.text.eq_ignore_ascii_case(&feature.text)) {
            Some(one) => one.evidence.extend(feature.evidence),
            None => distinct.push(feature),
        }
    }
    distinct.truncate(STATEMENTS_MAX);
    distinct
}

/// What commit bodies add: labelled lines, the first fix that says what was wrong, why something was reverted.
fn from_commits(story: &mut StoryExtracted, log: &Changelog<'_>) {
    let evidence = |commit: &Commit| vec![Evidence::Commit(commit.hash.clone())];
    let reverting = log.cancelled.iter().map(|one| &one.by);
    for entry in log.shipped().chain(reverting) {
        let Some((_, labelled)) = body::prose(entry.commit).map(|prose| evidence::read(&prose)) else { continue };
        for (role, text) in labelled {
            let statement = Statement { text, evidence: evidence(entry.commit) };
            match role {
                Role::Problem if story.problem.is_none() => story.problem = Some(statement),
                Role::Solution if story.solution.is_none() => story.solution = Some(statement),
                Role::Lesson if story.lessons.len() < STATEMENTS_MAX => story.lessons.push(statement),
                _ => {}
            }
        }
    }
    if story.problem.is_some() || story.solution.is_some() {
        return;
    }
    let reverts = log.cancelled.iter().map(|one| &one.by);
    let told = log.of_kind("fix").chain(reverts).chain(log.of_kind("revert")).find_map(|entry| {
        let (prose, _) = evidence::read(&body::prose(entry.commit)?);
        let first = prose.split("\n\n").next().unwrap_or_default().trim().to_owned();
        (!first.is_empty()).then_some((entry.commit, first))
    });
    if let Some((commit, wrong)) = told {
        story.problem = Some(Statement { text: wrong, evidence: evidence(commit) });
        let done = changelog::title(commit).to_owned();
        story.solution = Some(Statement { text: done, evidence: evidence(commit) });
    }
}

#[cfg(test)]
mod tests {
    use super::{changelog::tests::commit, *};
    use serde_json::{Value, json};

    /// Overview, features, problem, solution and lessons in short, each with its evidence.
    fn check(fields: Value, commits: &[Commit], expected: Value) {
        let mut all = json!({
            "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
            "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
        });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let story = extract(&serde_json::from_value(all).unwrap(), commits);
        let one = |s: &Statement| json!([s.text, s.evidence]);
        let shown = json!({
            "overview": story.overview.as_ref().map(one), "problem": story.problem.as_ref().map(one),
            "solution": story.solution.as_ref().map(one),
            "key_features": story.key_features.iter().map(one).collect::<Vec<_>>(),
            "lessons": story.lessons.iter().map(one).collect::<Vec<_>>(),
        });
        let mut whole = json!({
            "overview": null, "problem": null, "solution": null, "key_features": [], "lessons": [],
        });
        whole.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(shown, whole);
    }

    #[test]
    fn nothing_is_invented() {
        check(json!({}), &[], json!({}));
        check(json!({ "metadata": { "current_mission": "Test Mission" } }), &[], json!({}));
        check(json!({}), &[commit("1111111", "chore: tidy")], json!({}));
    }

    #[test]
    fn commits_tell_features_problems_and_reasons() {
        let commits = [
            commit("1111111", "feat: add the queue\n\nItems wait here.\n\nMore."),
            commit("2222222", "fix: keep items\n\nA crash lost what was\nwritten last.\n\nLesson: write first."),
            commit("3333333", "feat: gone"),
            commit("4444444", "Revert \"feat: gone\"\n\nThis reverts commit 3333333."),
        ];
        check(
            json!({ "key_achievements": ["Add the queue"] }),
            &commits,
            json!({
                "overview": ["Items wait here.", [{ "commit": "1111111" }]],
                "key_features": [["add the queue", [{ "commit": "1111111" }, { "record": "key_achievements[0]" }]]],
                "problem": ["A crash lost what was\nwritten last.", [{ "commit": "2222222" }]],
                "solution": ["keep items", [{ "commit": "2222222" }]],
                "lessons": [["write first.", [{ "commit": "2222222" }]]],
            }),
        );
    }

    #[test]
    fn the_session_speaks_before_its_commits() {
        let commits = [commit("2222222", "fix: keep items\n\nA crash lost them.")];
        let said = json!({ "narrative": "First.\n\nThen.", "problem": "slow", "metadata": { "lessons": ["measure"] } });
        check(
            said,
            &commits,
            json!({
                "overview": ["First.", [{ "field": "narrative" }]],
                "problem": ["slow", [{ "field": "problem" }]],
                "lessons": [["measure", [{ "record": "metadata.lessons[0]" }]]],
            }),
        );
    }

    #[test]
    fn a_reason_for_a_revert_is_a_problem() {
        let commits = [
            commit("3333333", "feat: gone"),
            commit("4444444", "Revert \"feat: gone\"\n\nThis reverts commit 3333333.\n\nIt broke the build."),
        ];
        check(
            json!({}),
            &commits,
            json!({
                "problem": ["It broke the build.", [{ "commit": "4444444" }]],
                "solution": ["Revert \"feat: gone\"", [{ "commit": "4444444" }]],
            }),
        );
    }

    #[test]
    fn sentences_are_whole() {
        let text = "Built a game using React and Three.js. Features include x.\n\n- y";
        assert_eq!(sentences(text), ["Built a game using React and Three.js.", "Features include x.", "- y"]);
    }
}
