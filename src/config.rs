//! Settings: defaults, then `flywheel.toml`, then the environment, then the command line.
//!
//! Every key stands once, here, with its documentation; the program's own documentation of them is made from it.
#![expect(clippy::disallowed_methods, reason = "settings are read where the program starts")]
#![allow(clippy::ptr_arg, reason = "the closures that confique makes of `validate` take what the field is")]

use confique::Config as _;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Every setting with its default. The environment overrides this file, and the command line both.
#[derive(Debug, Clone, Serialize, confique::Config)]
pub struct Settings {
    /// The folder that holds the log and what is rebuilt from it.
    #[config(env = "FLYWHEEL_DATA", default = ".flywheel", validate(named(data), "must not be empty"))]
    pub data: PathBuf,

    /// Where artifacts are written, a folder a session. Default: `artifacts` inside the data folder.
    #[config(env = "FLYWHEEL_OUT", validate(named(out), "must not be empty"))]
    pub out: Option<PathBuf>,

    /// The folders under which repositories may be scanned, and screenshots read beside the session file's own folder.
    /// In the environment they are separated like PATH. Default: the current folder and below. Where folders are named, a
    /// session that came by the bus finds its repository in them, by the last name of its `repo_path`.
    #[config(env = "FLYWHEEL_REPO_ROOTS", parse_env = parse_path_list)]
    pub repo_roots: Option<Vec<PathBuf>>,

    /// A folder with templates that replace the built-in ones of the same name.
    #[config(env = "FLYWHEEL_TEMPLATES", validate(named(templates), "must not be empty"))]
    pub templates: Option<PathBuf>,

    /// Where binary files are kept, each under its digest: a folder, or `s3://bucket/prefix` with the credentials, region
    /// and endpoint of the environment (`AWS_ACCESS_KEY_ID`, …). Default: the bus's own store where a bus is named, else
    /// `blobs` inside the data folder.
    #[config(env = "FLYWHEEL_BLOBS", validate = named_store)]
    pub blobs: Option<String>,

    /// How long one call of git may take, in seconds.
    #[config(env = "FLYWHEEL_GIT_TIMEOUT_SECONDS", default = 30, validate(*git_timeout_seconds > 0, "must be at least 1"))]
    pub git_timeout_seconds: u64,

    /// The bus: `nats://host:4222` or `tls://host:4222`, several separated by commas. Without it the log is the file in
    /// the data folder, and no server is needed.
    #[config(
        env = "FLYWHEEL_NATS_URL",
        validate(!nats_url.is_empty(), "must not be empty"),
        validate(!nats_url.contains('@'), "must hold no password: `nats_password_file` names the file with it"),
    )]
    pub nats_url: Option<String>,

    /// A credentials file for the bus (a user's JWT and nkey seed).
    #[config(env = "FLYWHEEL_NATS_CREDENTIALS", validate(named(nats_credentials), "must not be empty"))]
    pub nats_credentials: Option<PathBuf>,

    /// A file with the nkey seed for the bus.
    #[config(env = "FLYWHEEL_NATS_NKEY", validate(named(nats_nkey), "must not be empty"))]
    pub nats_nkey: Option<PathBuf>,

    /// The user's name on the bus. The password is in `nats_password_file`.
    #[config(env = "FLYWHEEL_NATS_USER", validate(!nats_user.is_empty(), "must not be empty"))]
    pub nats_user: Option<String>,

    /// A file with the user's password on the bus.
    #[config(env = "FLYWHEEL_NATS_PASSWORD_FILE", validate(named(nats_password_file), "must not be empty"))]
    pub nats_password_file: Option<PathBuf>,

    /// A file with the certificates of the authorities to trust; TLS is then required.
    #[config(env = "FLYWHEEL_NATS_CA", validate(named(nats_ca), "must not be empty"))]
    pub nats_ca: Option<PathBuf>,

    /// The client's certificate for the bus. Its key is in `nats_certificate_key`.
    #[config(env = "FLYWHEEL_NATS_CERTIFICATE", validate(named(nats_certificate), "must not be empty"))]
    pub nats_certificate: Option<PathBuf>,

    /// The key of the client's certificate.
    #[config(env = "FLYWHEEL_NATS_CERTIFICATE_KEY", validate(named(nats_certificate_key), "must not be empty"))]
    pub nats_certificate_key: Option<PathBuf>,

    /// The prefix of the subjects on which the bus answers, where its permissions ask for one.
    #[config(env = "FLYWHEEL_NATS_INBOX_PREFIX", validate(!nats_inbox_prefix.is_empty(), "must not be empty"))]
    pub nats_inbox_prefix: Option<String>,

    /// How many servers of a cluster keep each message: 1, 3 or 5.
    #[config(env = "FLYWHEEL_NATS_REPLICAS", default = 1, validate(matches!(nats_replicas, 1 | 3 | 5), "must be 1, 3 or 5"))]
    pub nats_replicas: usize,

    /// How many consumers share the deliveries of one stage: 1, or 16.
    #[config(env = "FLYWHEEL_NATS_PARTITIONS", default = 1, validate(matches!(nats_partitions, 1 | 16), "must be 1 or 16"))]
    pub nats_partitions: u8,

    /// After how many seconds without a word a delivery of the bus goes to another worker.
    #[config(env = "FLYWHEEL_NATS_ACK_WAIT_SECONDS", default = 30, validate(*nats_ack_wait_seconds > 0, "must be at least 1"))]
    pub nats_ack_wait_seconds: u64,

    /// Most that waits in the bus's inbox, in GiB. Beyond it an agent's publish is refused. The server sets it aside.
    #[config(env = "FLYWHEEL_NATS_INBOX_GIB", default = 4, validate(*nats_inbox_gib > 0, "must be at least 1"))]
    pub nats_inbox_gib: u32,

    /// Most that the bus keeps of binary files, in GiB. Beyond it an upload is refused. The server sets it aside.
    #[config(env = "FLYWHEEL_NATS_BLOBS_GIB", default = 8, validate(*nats_blobs_gib > 0, "must be at least 1"))]
    pub nats_blobs_gib: u32,
}

impl Settings {
    /// The settings where nothing is set.
    ///
    /// # Panics
    /// Never: every key has a default or needs none.
    pub fn built_in() -> Self {
        Self::builder().load().expect("every key has a default or needs none")
    }
}

fn named(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

fn named_store(blobs: &String) -> Result<(), &'static str> {
    crate::blobs::misnamed(blobs).map_or(Ok(()), Err)
}

#[derive(Debug, thiserror::Error)]
#[error("no folder is named")]
struct NoFolder;

/// A list without a path is an error, which for an empty variable means that it is not set.
fn parse_path_list(text: &str) -> Result<Vec<PathBuf>, NoFolder> {
    let paths: Vec<PathBuf> = std::env::split_paths(text).filter(|path| named(path)).collect();
    if paths.is_empty() { Err(NoFolder) } else { Ok(paths) }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Loads the settings: `file`, or what `FLYWHEEL_CONFIG` names, must exist; without it `flywheel.toml` of the current
/// folder is read where there is one.
///
/// # Errors
/// When the file cannot be read, is no TOML, or has a key that does not exist or a value of the wrong type.
pub fn load(file: Option<&Path>) -> Result<Settings, Error> {
    let named = file
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("FLYWHEEL_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from));
    let path = named.as_deref().unwrap_or(Path::new("flywheel.toml"));
    let mut builder = Settings::builder().env();
    if named.is_some() || path.exists() {
        check_keys(path)?;
        builder = builder.file(path);
    }
    // The causes say which key it is, and what is wrong with its value.
    builder.load().map_err(|error| Error {
        message: format!("{:#}", anyhow::Error::from(error)).replace("Settings::", "").trim_end().to_owned(),
        hint: "`flywheel config template` prints every key with its documentation".into(),
    })
}

/// Refuses keys that do not exist, which would otherwise be ignored in silence.
fn check_keys(path: &Path) -> Result<(), Error> {
    let wrong = |what: String, hint: &str| Error { message: format!("{}: {what}", path.display()), hint: hint.into() };
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot be read: {error}"), "give a file that exists with --config"))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| wrong(format!("not TOML: {error}"), "`flywheel config template` prints one to start from"))?;
    let known: Vec<&str> = Settings::META.fields.iter().map(|field| field.name).collect();
    if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
        let near = known.iter().min_by_key(|name| strsim::damerau_levenshtein(name, key)).expect("there are keys");
        return Err(wrong(format!("there is no key `{key}`"), &format!("did you mean `{near}`?")));
    }
    Ok(())
}

/// The documentation of every key, as a `flywheel.toml` to start from.
pub fn template() -> String {
    confique::toml::template::<Settings>(confique::toml::FormatOptions::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_the_template_and_loads() {
        let sample = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/flywheel.toml"));
        let kept = std::fs::read_to_string(sample).unwrap_or_default();
        assert_eq!(kept, template(), "`flywheel config template > deploy/flywheel.toml` writes it anew");
        load(Some(sample)).expect("the sample loads");
    }
}
