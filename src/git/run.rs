//! One call of git: what it may not do, how long it may take, how much it may say.
#![expect(clippy::disallowed_methods, reason = "this is the edge where git is started")]

use super::{Error, Repo};
use std::{
    ffi::OsString,
    io::{Read, Write},
    ops::ControlFlow,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};

/// How much one call may answer.
pub(super) const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// How much of what it complains is kept.
const COMPLAINT_BYTES_MAX: usize = 8 << 10;

/// Settings that win over the repository's own.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "core.editor=false",
    "core.askPass=",
    "core.sshCommand=false",
    "core.quotePath=false",
    "credential.helper=",
    "diff.external=",
    "gpg.program=false",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
];

/// The environment: nothing of ours but where programs are, so that no `GIT_*` of a caller's leads elsewhere.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
];

/// What the parent's environment is asked for, so that git and the system's libraries are found.
const INHERITED: &[&str] = &["PATH", "SystemRoot", "TMPDIR", "TEMP"];

/// Whether the user's own configuration is read, beside the repository's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Config {
    /// Only the repository's.
    Repository,
    /// The user's too. For asking who the user is, and nothing else.
    User,
}

fn command(repo: &Repo, arguments: &[&str], config: Config) -> Command {
    let mut command = Command::new("git");
    command.env_clear().envs(ENVIRONMENT.iter().copied());
    let inherit = |command: &mut Command, names: &[&str]| {
        let found: Vec<(String, OsString)> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?))).collect();
        command.envs(found);
    };
    inherit(&mut command, INHERITED);
    match config {
        Config::Repository => drop(command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", "/nonexistent")),
        Config::User => inherit(&mut command, &["HOME", "XDG_CONFIG_HOME", "USERPROFILE", "GIT_CONFIG_GLOBAL"]),
    }
    command.env("GIT_DIR", &repo.git_dir).current_dir(repo.top.as_deref().unwrap_or(&repo.git_dir));
    match &repo.top {
        Some(top) => command.env("GIT_WORK_TREE", top),
        None => command.arg("--bare"),
    };
    command.args(["--no-pager", "--no-replace-objects", "--literal-pathspecs"]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(arguments);
    command
}

/// Everything git answers.
pub(super) fn output(repo: &Repo, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Error> {
    let (status, answer, complaint) = call(repo, arguments, input, Config::Repository)?;
    if status.success() { Ok(answer) } else { Err(failed(repo, arguments, &complaint)) }
}

/// Everything git answers, or nothing where it ends with `none`.
pub(super) fn output_or_none(repo: &Repo, arguments: &[&str], none: i32) -> Result<Option<Vec<u8>>, Error> {
    let (status, answer, complaint) = call(repo, arguments, b"", Config::User)?;
    match status.code() {
        Some(0) => Ok(Some(answer)),
        Some(code) if code == none => Ok(None),
        _ => Err(failed(repo, arguments, &complaint)),
    }
}

fn call(
    repo: &Repo,
    arguments: &[&str],
    input: &[u8],
    config: Config,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Error> {
    let mut answer = vec![];
    let mut too_much = false;
    let (status, complaint) = run(repo, arguments, input, config, &mut |chunk| {
        too_much = answer.len().saturating_add(chunk.len()) > OUTPUT_BYTES_MAX;
        if too_much {
            return ControlFlow::Break(());
        }
        answer.extend_from_slice(chunk);
        ControlFlow::Continue(())
    })?;
    if too_much {
        return Err(Error::TooMuch { command: name(arguments), limit: OUTPUT_BYTES_MAX });
    }
    Ok((status, answer, complaint))
}

/// Reads git's answer in pieces, as they come, until `each` has enough; git is ended then.
pub(super) fn pieces(
    repo: &Repo,
    arguments: &[&str],
    input: &[u8],
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut enough = false;
    let (status, complaint) = run(repo, arguments, input, Config::Repository, &mut |piece| {
        let flow = each(piece);
        enough = flow.is_break();
        flow
    })?;
    if enough || status.success() { Ok(()) } else { Err(failed(repo, arguments, &complaint)) }
}

/// Reads git's answer as NUL-ended fields until `each` has enough; git is ended then.
pub(super) fn fields(
    repo: &Repo,
    arguments: &[&str],
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut open: Vec<u8> = vec![];
    let mut too_much = false;
    pieces(repo, arguments, b"", &mut |piece| {
        let mut parts = piece.split(|byte| *byte == 0).peekable();
        while let Some(part) = parts.next() {
            too_much = open.len().saturating_add(part.len()) > OUTPUT_BYTES_MAX;
            if too_much {
                return ControlFlow::Break(());
            }
            open.extend_from_slice(part);
            if parts.peek().is_some() {
                each(&open)?;
                open.clear();
            }
        }
        ControlFlow::Continue(())
    })?;
    if too_much {
        return Err(Error::TooMuch { command: name(arguments), limit: OUTPUT_BYTES_MAX });
    }
    Ok(())
}

fn run(
    repo: &Repo,
    arguments: &[&str],
    input: &[u8],
    config: Config,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(ExitStatus, Vec<u8>), Error> {
    let timeout = || Error::Timeout { command: name(arguments), limit: repo.timeout };
    supervise(command(repo, arguments, config), repo.timeout, input, each)?.ok_or_else(timeout)
}

/// Starts a program, hands on its answer as it comes, and ends it when `each` breaks or time is up. How it ended and
/// what it complained; none if time was up.
fn supervise(
    mut command: Command,
    limit: Duration,
    input: &[u8],
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Option<(ExitStatus, Vec<u8>)>, Error> {
    let deadline = Instant::now().checked_add(limit);
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = Running(command.spawn().map_err(|error| match error.kind() {
        // A folder that went away in between is told by the same word.
        std::io::ErrorKind::NotFound if command.get_current_dir().is_none_or(Path::is_dir) => Error::Missing,
        _ => Error::Io(error),
    })?);
    let (answers, complaints) = (child.answers(), child.complaints());
    child.feed(input.to_vec());
    loop {
        match answers.recv_timeout(left(deadline)) {
            Ok(chunk) if each(&chunk).is_break() => {
                child.end();
                break;
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
        }
    }
    drop(answers);
    // Its answer has ended, and so does it, unless it closed its output to stay on. Its complaints end when it does.
    let complaint = complaints.recv_timeout(left(deadline)).unwrap_or_default();
    let status = loop {
        match child.0.try_wait()? {
            Some(status) => break status,
            None if left(deadline).is_zero() => return Ok(None),
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    };
    Ok(Some((status, complaint)))
}

fn left(deadline: Option<Instant>) -> Duration {
    // A limit beyond the clock's range is none.
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
}

/// A running git. Dropped, it ends with everything it started.
struct Running(Child);

impl Running {
    /// Its answer, in pieces, at the speed at which they are taken.
    fn answers(&mut self) -> Receiver<Vec<u8>> {
        let (sender, receiver) = sync_channel(4);
        if let Some(mut stdout) = self.0.stdout.take() {
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                    if sender.send(buffer.get(..length).unwrap_or_default().to_vec()).is_err() {
                        return;
                    }
                }
            });
        }
        receiver
    }

    /// The beginning of what it complains; the rest is read and dropped, so that it never waits for us.
    fn complaints(&mut self) -> Receiver<Vec<u8>> {
        let (sender, receiver) = sync_channel(1);
        if let Some(mut stderr) = self.0.stderr.take() {
            std::thread::spawn(move || {
                let mut kept = vec![];
                let _ = (&mut stderr).take(COMPLAINT_BYTES_MAX as u64).read_to_end(&mut kept);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                let _ = sender.send(kept);
            });
        }
        receiver
    }

    /// Writes its input, beside our reading its answer.
    fn feed(&mut self, input: Vec<u8>) {
        if let Some(mut stdin) = self.0.stdin.take() {
            // A git that ends early closes the pipe; what it says is the error then.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
    }

    fn end(&mut self) {
        #[cfg(unix)]
        if matches!(self.0.try_wait(), Ok(None)) {
            let group = rustix::process::Pid::from_child(&self.0);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        let _ = self.0.wait();
    }
}

fn name(arguments: &[&str]) -> String {
    arguments.first().copied().unwrap_or_default().to_owned()
}

/// What git says was wrong, without this machine's paths.
fn failed(repo: &Repo, arguments: &[&str], complaint: &[u8]) -> Error {
    let complaint = String::from_utf8_lossy(complaint);
    let mut message = gist(&complaint).to_owned();
    for place in [Some(&repo.git_dir), repo.top.as_ref()].into_iter().flatten() {
        message = without(&message, place);
    }
    Error::Failed { command: name(arguments), message }
}

/// The line that ended git, else the first one that is no advice.
fn gist(complaint: &str) -> &str {
    let lines = || complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let wrong = lines().find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    wrong.or_else(|| lines().find(|line| !line.starts_with("hint: "))).unwrap_or("it did not say why")
}

fn without(message: &str, place: &Path) -> String {
    place.to_str().filter(|place| place.len() > 1).map_or(message.to_owned(), |place| message.replace(place, "…"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    type Ended = Result<Option<(ExitStatus, Vec<u8>)>, Error>;

    fn shell(script: &str, limit: Duration) -> (Ended, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut answer = String::new();
        let ended = supervise(command, limit, b"", &mut |chunk| {
            answer += &String::from_utf8_lossy(chunk);
            if answer.contains("enough") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (ended, answer)
    }

    #[test]
    fn an_error_says_what_was_wrong_rather_than_what_else_could_be_done() {
        for (complaint, expect) in [
            ("hint: one\nhint: two\nfatal: bad object HEAD\n", "fatal: bad object HEAD"),
            ("hint: one\nwarning: odd\n", "warning: odd"),
            ("hint: one\n", "it did not say why"),
            ("", "it did not say why"),
        ] {
            assert_eq!(gist(complaint), expect);
        }
    }

    /// Whether the process of that number is gone, or is about to be: an orphan's last rites are the system's.
    fn is_gone(pid: &str) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z ")
        })
    }

    #[test]
    fn time_up_ends_the_program_and_its_children() {
        let started = Instant::now();
        for script in ["sleep 60 & echo $!; sleep 60", "sleep 60 >&- 2>&- & echo $!; exec >&-; sleep 60"] {
            let (ended, pid) = shell(script, Duration::from_millis(300));
            assert!(matches!(ended, Ok(None)), "{ended:?}");
            assert!(!pid.trim().is_empty() && is_gone(pid.trim()), "{pid}");
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_program_is_ended_when_it_has_said_enough() {
        let started = Instant::now();
        let (ended, answer) = shell("while :; do echo enough; done", Duration::from_secs(30));
        assert!(ended.unwrap().is_some() && answer.contains("enough"));
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_complaint_is_kept_in_part_and_never_waited_for() {
        let (ended, _) = shell("head -c 1000000 /dev/zero >&2; exit 3", Duration::from_secs(30));
        let (status, complaint) = ended.unwrap().unwrap();
        assert_eq!((status.code(), complaint.len()), (Some(3), COMPLAINT_BYTES_MAX));
    }

    #[test]
    fn a_program_that_is_not_there_is_missing() {
        let command = Command::new("no-such-program-as-this");
        let missing = supervise(command, Duration::from_secs(1), b"", &mut |_| ControlFlow::Continue(()));
        assert!(matches!(missing, Err(Error::Missing)), "{missing:?}");
    }
}
