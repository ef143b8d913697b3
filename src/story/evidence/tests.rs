use super::*;
use serde_json::json;

fn session(fields: Value) -> SessionCompleted {
    let mut all = json!({
        "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
        "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

/// Each piece as `role path: text (detail)`.
fn check(fields: Value, expected: &[&str]) {
    let shown: Vec<String> = gather(&session(fields))
        .into_iter()
        .map(|found| {
            let (Evidence::Field(path) | Evidence::Record(path) | Evidence::Commit(path)) = &found.evidence;
            let detail = found.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{:?} {path}: {}{detail}", found.role, found.text)
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_known_name_is_found_in_all_three_places() {
    for (name, role) in KNOWN {
        for place in ["", "metadata", "source_data"] {
            let fields = if place.is_empty() { json!({ *name: "said" }) } else { json!({ place: { *name: "said" } }) };
            let found = gather(&session(fields));
            let path = if place.is_empty() { (*name).to_owned() } else { format!("{place}.{name}") };
            assert_eq!(found.len(), 1, "{path}");
            assert_eq!((found[0].role, &found[0].evidence), (*role, &Evidence::Field(path)));
        }
    }
}

#[test]
fn words_are_taken_as_they_stand_and_placeholders_are_not() {
    check(json!({}), &[]);
    check(json!({ "goal": "  ", "narrative": "Coming soon!", "lessons": ["TBD", null, 3, true, []] }), &[]);
    check(
        json!({ "metadata": { "current_mission": "Test Mission", "completed_tasks": [] } }),
        &["Goal metadata.current_mission: Test Mission"],
    );
    check(
        json!({ "Key-Achievements": ["a", "b"], "achievements": ["A"] }),
        &["Feature Key-Achievements[0]: a", "Feature Key-Achievements[1]: b"],
    );
}

#[test]
fn records_are_told_by_their_names() {
    check(
        json!({ "deliverables": [
            { "type": "metrics_monitor", "file": "a/monitor.py", "lines": 340, "status": "complete" },
            "D:\\work\\x.md", "/etc/passwd", "docs/guide.md", { "unknown": 1 },
        ]}),
        &[
            "Deliverable deliverables[0]: a/monitor.py (metrics_monitor, 340 lines, complete)",
            "Deliverable deliverables[1]: x.md",
            "Deliverable deliverables[2]: passwd",
            "Deliverable deliverables[3]: docs/guide.md",
        ],
    );
    check(
        json!({ "challenges": [{ "problem": "it broke", "solution": "mended it" }], "test_results": { "passed": 12, "failed": 1 } }),
        &[
            "Problem challenges[0].problem: it broke",
            "Solution challenges[0].solution: mended it",
            "TestResult test_results: failed: 1, passed: 12",
        ],
    );
    check(json!({ "tests_passed": 12 }), &["TestResult tests_passed: Tests passed: 12"]);
    check(
        json!({ "narrative": { "goal": "g", "problem": "p", "lessons": ["l"] } }),
        &["Goal narrative.goal: g", "Lesson narrative.lessons[0]: l", "Problem narrative.problem: p"],
    );
}

#[test]
fn labelled_lines_say_what_they_are() {
    check(
        json!({ "narrative": "We began.\nProblem: it lost items.\nLessons learned:\n- write first\n- then acknowledge\n\nThe end: near." }),
        &[
            "Narrative narrative: We began.\n\nThe end: near.",
            "Problem narrative: it lost items.",
            "Lesson narrative: write first",
            "Lesson narrative: then acknowledge",
        ],
    );
}

#[test]
fn what_the_captain_says_is_the_goal_where_nothing_else_is() {
    let said = json!([{ "source": "Captain", "content": "do it" }, { "source": "aria", "content": "did it" }]);
    check(
        json!({ "source_data": { "conversations": said } }),
        &["Goal source_data.conversations[0]: do it", "Conversation source_data.conversations[1]: did it"],
    );
    check(
        json!({ "goal": "a goal", "source_data": { "conversations": said } }),
        &[
            "Goal goal: a goal",
            "Conversation source_data.conversations[0]: do it",
            "Conversation source_data.conversations[1]: did it",
        ],
    );
}

#[test]
fn long_evidence_is_bounded() {
    let long = "A sentence. ".repeat(1_000);
    let many: Vec<String> = (0..300).map(|i| format!("{i} {long}")).collect();
    let found = gather(&session(json!({ "narrative": long, "key_achievements": many })));
    assert!(found.iter().all(|one| one.text.chars().count() <= PIECE_MAX + 4 && one.text.ends_with(". […]")));
    assert!(found.iter().map(|one| one.text.chars().count()).sum::<usize>() <= PIECES_MAX);
}
