//! Clocks of processes, which can be set while they run: the time of day, as libfaketime makes it of a file. What measures how
//! long something takes is not touched, as it is not where an operator or a time server sets a clock.

use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The library that stands between a process and its clock.
fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/debian/libfaketime/usr/lib");
    let of_machines = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut found = of_machines.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).unwrap_or_else(|| {
        panic!("there is no libfaketime: `tests/tools/debian libfaketime 'usr/lib/*/faketime/libfaketimeMT.so.1'` unpacks it")
    })
}

/// Lets a process go by this clock.
pub fn set(command: &mut Command, clock: &Path) {
    command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", clock);
    // Of files and of durations the truth; and the clock's file is looked at each time.
    for name in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
        command.env(name, "1");
    }
}

/// Sets a clock so many seconds before or behind the machine's.
pub fn move_to(clock: &Path, seconds: i64) -> anyhow::Result<()> {
    let new = clock.with_extension("new");
    fs::write(&new, format!("{seconds:+}\n"))?;
    Ok(fs::rename(new, clock)?)
}

/// Removes what a process that was killed has left behind of the library's.
pub fn clean_up(process: u32) {
    for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
        let _ = fs::remove_file(Path::new("/dev/shm").join(name));
    }
}

/// Sees that clocks can be set, or nothing would be tested.
pub fn check(folder: &Path) -> anyhow::Result<()> {
    let clock = folder.join("clock");
    move_to(&clock, -365 * 24 * 3600)?;
    let seconds = |command: &mut Command| -> anyhow::Result<i64> {
        let output = command.arg("+%s").output()?;
        String::from_utf8(output.stdout)?.trim().parse().context("date says the time")
    };
    let mut command = Command::new("date");
    set(&mut command, &clock);
    let (now, then) = (seconds(&mut Command::new("date"))?, seconds(&mut command)?);
    let behind = now - then;
    anyhow::ensure!((behind - 365 * 24 * 3600).abs() < 60, "the clock is {behind} s behind, and was set back a year");
    Ok(())
}
