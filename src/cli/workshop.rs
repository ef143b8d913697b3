//! What a command needs that runs stages: templates, the world, what to clean away, and where to write.
#![expect(clippy::disallowed_methods, reason = "reads the environment and the current folder")]

use super::{Context, Mistake, bus::Reach, check_utf8};
use crate::{
    blobs::{Few, Store},
    config::Settings,
    local::Local,
    runner::Tools,
    safety::{self, Cleaner},
    templates::Templates,
    world::World,
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::runtime::Handle;

/// The templates: built in, or those of the folder that was given or configured.
pub fn templates(given: Option<&Path>, settings: &Settings) -> anyhow::Result<Templates> {
    let folder = given.or(settings.templates.as_deref());
    // A folder with no template in it replaces none; one that is not there is a slip of the pen.
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let hint = "give an existing folder with --templates, FLYWHEEL_TEMPLATES or `templates` in flywheel.toml";
        return Err(Mistake::new(format!("there is no template folder {}", folder.display()), hint).into());
    }
    Templates::load(folder)
        .map_err(|error| Mistake::new(format!("{error:#}"), "correct the template folder, or leave it out").into())
}

/// The folder for artifacts: given, configured, or in the data folder; absolute.
pub fn out_folder(given: Option<&Path>, settings: &Settings) -> anyhow::Result<PathBuf> {
    let out = given.or(settings.out.as_deref()).map_or_else(|| settings.data.join("artifacts"), Path::to_owned);
    let out = std::path::absolute(out)?;
    check_utf8(&out, "the folder for artifacts")?;
    Ok(out)
}

/// Where binary files are kept, as the settings say.
///
/// # Errors
/// When they name no store.
pub fn blobs(reach: &Reach, settings: &Settings) -> anyhow::Result<Store> {
    let has_bus = reach.nats.is_some() || settings.nats_url.is_some();
    let bus = has_bus.then(|| reach.address(settings)).transpose()?;
    Store::open(settings.blobs.as_deref(), bus, &settings.data, &environment()).map_err(|error| {
        let hint = "see `blobs` in the documentation of the settings: `flywheel config template`";
        Mistake::new(error.to_string(), hint).into()
    })
}

/// What every stage is given. `roots` are those of the command line.
pub fn tools(
    templates: Templates,
    cleaner: Cleaner,
    local: &Local,
    blobs: Store,
    roots: &[PathBuf],
    context: &Context,
) -> anyhow::Result<Tools> {
    let (local, blobs) = (local.clone(), Few::new(blobs));
    let roots_named = !roots.is_empty() || context.settings.repo_roots.is_some();
    let roots = existing_roots(roots, context)?;
    let world = World {
        origins: Box::new(move |session| local.origin(session)),
        // A stage that looks at the world has a thread of the runtime to itself.
        blobs: Box::new(move |digest| Handle::current().block_on(blobs.get(digest))),
        repositories: if roots_named { roots.clone() } else { vec![] },
        roots,
        git_timeout: Duration::from_secs(context.settings.git_timeout_seconds),
    };
    Ok(Tools { templates, world, cleaner })
}

/// The folders under which the world may be read, canonical; those that are not there are left out.
fn existing_roots(given: &[PathBuf], context: &Context) -> anyhow::Result<Vec<PathBuf>> {
    let current = [std::env::current_dir()?];
    let roots = match (given, context.settings.repo_roots.as_deref()) {
        ([], None) => &current[..],
        ([], Some(configured)) => configured,
        (given, _) => given,
    };
    let mut canonical = vec![];
    for root in roots {
        match root.canonicalize() {
            Ok(root) => canonical.push(root),
            Err(error) => {
                context.console.note(format_args!("warning: the root {} is left out: {error}", root.display()))
            }
        }
    }
    Ok(canonical)
}

/// What the process knows of itself and must never write down.
pub fn own_context() -> safety::Context {
    const SECRET_WORDS: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL"];
    let held_secrets = environment()
        .into_iter()
        .filter(|(name, _)| SECRET_WORDS.iter().any(|word| name.to_uppercase().contains(word)))
        .collect();
    safety::Context { home: std::env::var("HOME").ok(), held_secrets }
}

/// The variables of the environment that are text.
fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}
