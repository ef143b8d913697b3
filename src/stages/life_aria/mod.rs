//! The stages of the life/aria pipeline, one file each.

mod devlog;
mod extract;
mod gallery;
mod social;

pub use devlog::devlog;
pub use extract::extract;
pub use gallery::gallery;
pub use social::social;

#[cfg(test)]
mod tests;

use crate::wording::{count, list};
use flywheel_events::Created;

/// A thing's name as readers call it: its own, its kind's, else its folder's.
fn name(made: &Created) -> &str {
    made.name.as_deref().or(made.kind.as_deref()).or(made.path.as_deref()).unwrap_or("something without a name")
}

/// All of the things in a few words: `SpaceExplorer (game)`, `A, B and 2 more`. Null where there are none.
fn names(creations: &[Created]) -> Option<String> {
    const NAMED_MAX: usize = 3;
    match creations {
        [] => None,
        [only] => Some(match (&only.name, &only.kind) {
            (Some(name), Some(kind)) => format!("{name} ({kind})"),
            _ => name(only).to_owned(),
        }),
        _ => {
            let mut names: Vec<String> = creations.iter().take(NAMED_MAX).map(|made| name(made).to_owned()).collect();
            if creations.len() > NAMED_MAX {
                names.push(format!("{} more", crate::wording::number((creations.len() - NAMED_MAX) as u64)));
            }
            Some(list(&names))
        }
    }
}

/// Claims about what a session lists: the field, and its noun for one and many.
const CLAIMS: [(&str, &str, &str); 2] = [
    ("metadata.artifacts_created", "thing made", "things made"),
    ("metadata.screenshots_taken", "screenshot", "screenshots"),
];

/// A claim that does not hold, as a sentence.
fn mismatch(claim: &flywheel_events::Claim) -> Option<String> {
    let (_, one, many) = CLAIMS.iter().find(|(field, ..)| *field == claim.field)?;
    (claim.claimed != claim.listed).then(|| {
        let listed = if claim.listed == 0 { "none".to_owned() } else { crate::wording::number(claim.listed) };
        format!("the session claims {} and lists {listed}", count(claim.claimed, one, many))
    })
}
