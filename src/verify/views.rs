//! The live read models against models built anew from the log.

use super::{CheckedView, Finding, Kind, Scene};
use crate::views::{self, Checkpoint, Until};
use flywheel_events::Digest;
use flywheel_projections::View;
use std::collections::BTreeMap;

const HINT: &str = "`flywheel replay` builds it anew from the log";

/// Compares every live view with its rebuild, up to where the live one is.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) -> Vec<CheckedView> {
    let all = flywheel_projections::all();
    let mut live: BTreeMap<&str, (Checkpoint, Digest)> = BTreeMap::new();
    let mut by_position: BTreeMap<u64, Vec<&'static View>> = BTreeMap::new();
    for view in all {
        let read = views::caught_up(scene.data, scene.log, view)
            .and_then(|mut connection| views::snapshot(view, &mut connection));
        match read {
            Ok((checkpoint, digest)) => {
                by_position.entry(checkpoint.position).or_default().push(view);
                live.insert(view.name, (checkpoint, digest));
            }
            Err(error) => findings.push(about(view, format!("{:#}", anyhow::Error::from(error)))),
        }
    }
    let mut rebuilt: BTreeMap<&str, Digest> = BTreeMap::new();
    for (position, views) in by_position {
        match rebuild(scene, &views, position) {
            Ok(digests) => rebuilt.extend(digests),
            Err(error) => {
                findings.extend(views.iter().map(|view| about(view, format!("it cannot be built anew: {error:#}"))));
            }
        }
    }
    let checked: Vec<CheckedView> = all
        .iter()
        .map(|view| CheckedView {
            view: view.name,
            live: live.get(view.name).map(|(_, digest)| *digest),
            rebuilt: rebuilt.get(view.name).copied(),
        })
        .collect();
    for (view, checked) in all.iter().zip(&checked) {
        if let (Some(live), Some(rebuilt)) = (checked.live, checked.rebuilt)
            && live != rebuilt
        {
            findings.push(about(
                view,
                format!("it is not what the log gives: its digest is {live}, and {rebuilt} is right"),
            ));
        }
    }
    checked
}

fn rebuild(scene: &Scene<'_>, views: &[&'static View], position: u64) -> anyhow::Result<Vec<(&'static str, Digest)>> {
    let folder = tempfile::tempdir()?;
    let built = views::rebuild(scene.data, scene.log, views, Until::Position(position), Some(folder.path()), |_| {})?;
    Ok(built.into_iter().map(|built| (built.view.name, built.digest)).collect())
}

fn about(view: &View, what: String) -> Finding {
    Finding { view: Some(view.name), ..Finding::new(Kind::View, what, HINT) }
}
