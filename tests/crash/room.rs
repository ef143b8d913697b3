//! No room, no permission, no folder: an error that says so, nothing lost, and on it goes once there is room.

use crate::place::{Place, Ran, bare, check_sessions, leftovers, session};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The program where no file may grow beyond so many KiB: what a full disk is to those who may not mount one.
fn limited(place: &Place, kib: u32, arguments: &[&str]) -> Ran {
    let mut shell = Command::new("bash");
    bare(&mut shell, &place.path("."));
    // The signal for too large a file would kill it; a full disk only says no.
    shell.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &kib.to_string()]);
    Ran::of(&shell.arg(env!("CARGO_BIN_EXE_flywheel")).args(arguments).output().expect("bash is there"))
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_nothing_is_lost() {
    let place = Place::new();
    place.done(&["run", &session(&place, 0), &session(&place, 1)]);
    place.done(&["replay"]);
    let mut export = place.export();
    let limits = [1, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 200];
    for (n, kib) in (2..).zip(limits) {
        let name = session(&place, n);
        for arguments in [&["run", "--json", &name][..], &["replay"]] {
            let ran = limited(&place, kib, arguments);
            assert!(ran.code.is_some(), "{kib}: {ran:?}");
            if ran.code != Some(0) {
                assert!(
                    ["disk full", "disk I/O error", "too large", "full"]
                        .iter()
                        .any(|word| { ran.err.contains(word) || ran.out.contains(word) }),
                    "{kib}: {arguments:?} does not say why: {ran:?}"
                );
            }
            let now = place.export();
            assert!(now.starts_with(&export), "{kib}: what was there is there");
            export = now;
        }
        // With room it goes on by itself.
        place.done(&["run", &name]);
        check_sessions(&place, 0..n + 1);
        place.done(&["replay"]);
    }
    assert_eq!(leftovers(&place), Vec::<PathBuf>::new());
}

/// A small file system of its own; gone with the value. Where none may be mounted the test fails: a disk that is never
/// full proves nothing.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path, options: &str) -> Self {
        fs::create_dir_all(path).expect("makes the folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).output();
        let mounted = mounted.expect("mount runs");
        let said = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "a file system must be mounted, which root may do: {said}");
        Self(path.to_owned())
    }

    fn again(&self, options: &str) -> bool {
        let output = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let place = Place::new();
    let disk = Small::mount(&place.data(), "size=1m");
    place.done(&["run", &session(&place, 0)]);
    let (mut export, mut full) = (place.export(), 0);
    for n in 1..=60 {
        let name = session(&place, n);
        let ran = place.run(&["run", "--json", &name]);
        if ran.code != Some(0) {
            full += 1;
            assert!(ran.err.contains("full") || ran.out.contains("full") || ran.out.contains("No space"), "{ran:?}");
            assert!(place.run(&["replay"]).code.is_some());
        }
        if full > 3 {
            break;
        }
    }
    assert!(full > 0, "the disk is full in the end");
    assert!(disk.again("size=64m"), "a disk grows");
    let now = place.export();
    assert!(now.starts_with(&export), "what was there is there");
    export = now;
    let names: Vec<String> = (0..=60).map(|n| session(&place, n)).collect();
    let arguments: Vec<&str> = ["run"].into_iter().chain(names.iter().map(String::as_str)).collect();
    place.done(&arguments);
    assert!(place.export().starts_with(&export));
    check_sessions(&place, 0..61);
    place.done(&["replay"]);
}

#[test]
fn a_data_folder_that_may_not_be_written_is_named() {
    let place = Place::new();
    let name = session(&place, 0);
    // Below a file no folder can be made, whoever asks.
    place.put("file", "a file");
    place.run(&["run", &name, "--data", "file/data"]).failed(&["file/data"]);
    place.done(&["run", &name]);
    let export = place.export();
    let disk = Small::mount(&place.path("disk"), "size=8m");
    let on_disk = &["--data", "disk/data"][..];
    place.done(&[&["run", &name][..], on_disk].concat());
    let kept = place.done(&[on_disk, &["log", "export"]].concat()).out;
    assert!(disk.again("ro"), "it becomes read only");
    let other = session(&place, 1);
    place.run(&[&["run", &other][..], on_disk].concat()).failed(&["disk/data"]);
    place.run(&[&["replay"][..], on_disk].concat()).failed(&["disk/data"]);
    assert!(disk.again("rw"));
    assert_eq!(place.done(&[on_disk, &["log", "export"]].concat()).out, kept, "nothing is lost");
    place.done(&[&["run", &other][..], on_disk].concat());
    assert_eq!(place.export(), export);
}

#[test]
fn an_artifact_folder_that_disappears_is_written_again() {
    let place = Place::new();
    let name = session(&place, 0);
    place.done(&["run", &name]);
    let artifacts = place.path(".flywheel/artifacts");
    fs::remove_dir_all(&artifacts).expect("removes");
    place.done(&["run", &name]);
    check_sessions(&place, 0..1);
    // And one that cannot come again, because something else is there.
    fs::remove_dir_all(&artifacts).expect("removes");
    place.put(".flywheel/artifacts", "a file");
    let ran = place.run(&["run", "--json", &name, &session(&place, 1)]);
    ran.failed(&["artifacts", "cannot"]);
    let facts = place.facts();
    assert_eq!(facts.ready().len(), 2, "the log has what could not be written");
    let session_file = fs::read_to_string(place.path(&name)).expect("reads");
    assert!(session_file.contains("\"failed\""), "the session file does not point to where nothing is: {session_file}");
    fs::remove_file(&artifacts).expect("removes");
    place.done(&["run", &name, "s1.json"]);
    check_sessions(&place, 0..2);
}
