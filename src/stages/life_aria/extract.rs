//! `extract`: what was made, and what the conversations were about.

use crate::{
    stages::Stop,
    story::{self, evidence},
};
use flywheel_events::{Claim, Created, CreationExtracted, Evidence, SessionCompleted, Statement};

/// Most sentences taken of all conversations together.
const HIGHLIGHTS_MAX: usize = 400;
/// Most characters of all of them.
const CHARACTERS_MAX: usize = 64_000;

/// Says what the session made and what was said.
pub fn extract(session: &SessionCompleted) -> Result<CreationExtracted, Stop> {
    let creations = creations(session);
    let claims = claims(session, creations.len() as u64);
    let mut story = story::extract(session, &[]);
    // Conversations are highlights here; told twice they would be a tale.
    let of_conversation =
        |e: &Evidence| matches!(e, Evidence::Record(path) if path.starts_with("source_data.conversations"));
    story.overview = story.overview.filter(|overview| !overview.evidence.iter().any(of_conversation));
    Ok(CreationExtracted {
        creations,
        highlights: highlights(session),
        story,
        screenshots: session.source_data.screenshots.clone(),
        claims,
    })
}

/// Each thing once: named again, it is the same with what it was made with added.
fn creations(session: &SessionCompleted) -> Vec<Created> {
    let mut creations: Vec<Created> = vec![];
    for (i, conversation) in session.source_data.conversations.iter().enumerate() {
        for (j, creation) in conversation.artifacts.iter().enumerate() {
            let evidence = Evidence::Record(format!("source_data.conversations[{i}].artifacts[{j}]"));
            let mut made = Created::from((creation, evidence));
            made.path = made.path.map(|path| evidence::without_root(&path));
            if (&made.name, &made.kind, &made.path) == (&None, &None, &None) && made.technologies.is_empty() {
                continue;
            }
            let same = |known: &&mut Created| made.name.is_some() && known.name == made.name && known.kind == made.kind;
            match creations.iter_mut().find(same) {
                Some(known) => merge(known, made),
                None => creations.push(made),
            }
        }
    }
    creations
}

fn merge(known: &mut Created, made: Created) {
    for technology in made.technologies {
        if !known.technologies.iter().any(|one| one.eq_ignore_ascii_case(&technology)) {
            known.technologies.push(technology);
        }
    }
    known.path = known.path.take().or(made.path);
    known.evidence.extend(made.evidence);
}

/// The conversations' sentences, without the labelled lines that are lessons and problems already.
fn highlights(session: &SessionCompleted) -> Vec<Statement> {
    let mut left = CHARACTERS_MAX;
    let conversations = session.source_data.conversations.iter().enumerate();
    conversations
        .flat_map(|(i, conversation)| {
            let (prose, _) = evidence::read(&conversation.content);
            let evidence = Evidence::Record(format!("source_data.conversations[{i}]"));
            story::sentences(&prose).into_iter().map(move |text| Statement { text, evidence: vec![evidence.clone()] })
        })
        .take(HIGHLIGHTS_MAX)
        .take_while(|statement| {
            let length = statement.text.chars().count();
            let fits = length <= left;
            left = left.saturating_sub(length);
            fits
        })
        .collect()
}

fn claims(session: &SessionCompleted, creations: u64) -> Vec<Claim> {
    let metadata = &session.metadata;
    let rows = [
        (super::CLAIMS[0].0, metadata.artifacts_created, creations),
        (super::CLAIMS[1].0, metadata.screenshots_taken, session.source_data.screenshots.len() as u64),
    ];
    rows.into_iter()
        .filter_map(|(field, claimed, listed)| Some(Claim { field: field.to_owned(), claimed: claimed?, listed }))
        .collect()
}
