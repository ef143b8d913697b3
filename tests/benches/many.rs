//! Many sessions in one process, each durable, and what they take on disk.

use crate::{
    Scale, fresh,
    report::{Limit, figure, median, ms, per_second, processor_time, ratio, remark, timed},
    workshop::{Workshop, id, sessions, type_of},
};
use flywheel::{
    drive, output,
    views::{self, Until},
};
use rusqlite::Connection;
use std::{path::Path, time::Duration};

/// Sessions at full scale.
const SESSIONS: u64 = 5_000;

/// How many sessions the last are, and the first.
const END_SESSIONS: u64 = 100;

/// Rows in a commit of the bare table.
const BARE_BATCH_ROWS: usize = 256;

pub fn bench(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(SESSIONS, 2 * END_SESSIONS);
    let files = sessions(0..count)?;
    let data = fresh()?;
    let workshop = Workshop::open(data.path())?;
    let before = processor_time(std::process::id());
    let times = workshop.run(&files)?;
    let worked = processor_time(std::process::id()).zip(before).map(|(after, before)| after - before);
    let total = per_second(count, times.total());
    figure(format_args!("{count} sessions at once, to a durable ready"), total, "sess/s", Limit::Least(3_000_000));
    for (what, time) in
        [("reading, judging, cleaning", times.read), ("appending", times.append), ("the stages", times.drive)]
    {
        figure(format_args!("  of a session: {what}"), ms(time) * 1000 / u128::from(count), "µs", Limit::None);
    }
    if let Some(worked) = worked {
        let what = "  of a session: processor time, all threads together";
        figure(what, ms(worked) * 1000 / u128::from(count), "µs", Limit::None);
    }
    let (rows, bare) = bare_limit(&workshop, data.path())?;
    let bare = per_second(count, bare);
    figure(format_args!("the same {rows} rows into a bare table"), bare, "sess/s", Limit::None);
    figure("share of the bare limit", ratio(total * 100, bare), "%", Limit::None);
    write_files(&workshop, count)?;
    drop(workshop);
    growth(&files)
}

/// How long SQLite takes for rows of the sizes of the log's in a table without any index, as durable.
fn bare_limit(workshop: &Workshop, folder: &Path) -> anyhow::Result<(usize, Duration)> {
    let records = workshop.log.read_now(0, usize::MAX >> 1)?;
    // What a row holds beside its key and its event: an id, a time, three digests.
    const REST_BYTES: usize = 16 + 8 + 3 * 32;
    let sizes = records
        .iter()
        .map(|row| &row.record)
        .map(|record| record.event.len() + record.key.to_string().len() + REST_BYTES);
    let rows: Vec<Vec<u8>> = sizes.map(|size| vec![b'x'; size]).collect();
    let run = |n: usize| {
        let mut connection = Connection::open(folder.join(format!("bare{n}.db")))?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("CREATE TABLE bare (position INTEGER PRIMARY KEY, row BLOB NOT NULL) STRICT")?;
        let ((), took) = timed(|| {
            for batch in rows.chunks(BARE_BATCH_ROWS) {
                let transaction = connection.transaction()?;
                let mut insert = transaction.prepare_cached("INSERT INTO bare (row) VALUES (?1)")?;
                batch.iter().try_for_each(|row| insert.execute([row]).map(drop))?;
                drop(insert);
                transaction.commit()?;
            }
            Ok(())
        })?;
        Ok(took)
    };
    let times = (0..3).map(run).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((rows.len(), median(times)))
}

/// Writing the artifact files, which are made again from the log whenever they are missing.
fn write_files(workshop: &Workshop, count: u64) -> anyhow::Result<()> {
    let folder = fresh()?;
    let (mut files, mut took) = (0, Duration::ZERO);
    for n in 0..count {
        let (view, _) = workshop.runtime.block_on(drive::view(&workshop.log, id(n), type_of(n), 1))?;
        let artifacts = view.artifacts();
        let write = || artifacts.iter().try_for_each(|artifact| output::write(artifact, folder.path(), true).map(drop));
        took += timed(write)?.1;
        files += artifacts.len() as u64;
    }
    figure(format_args!("writing their {files} artifact files apart"), per_second(files, took), "files/s", Limit::None);
    figure("  of a session", ms(took) * 1000 / u128::from(count), "µs", Limit::None);
    Ok(())
}

/// Whether a session takes longer where there are many before it: a hundred a call, the last call against the first.
fn growth(files: &[Vec<u8>]) -> anyhow::Result<()> {
    /// A call is short, so that one slow sync would be seen as growth.
    const TRIES: usize = 3;
    // What is done once a process must not be seen as shrinking.
    let count = files.len() as u64;
    let warm_up = sessions(count..count + 10)?;
    let mut ratios = vec![];
    for _ in 0..TRIES {
        let data = fresh()?;
        let workshop = Workshop::open(data.path())?;
        workshop.run(&warm_up)?;
        let calls = files.chunks(usize::try_from(END_SESSIONS)?).map(|call| workshop.run(call));
        let times = calls.collect::<anyhow::Result<Vec<_>>>()?;
        let (first, last) = (times[0].total(), times[times.len() - 1].total());
        ratios.push(ratio(ms(last), ms(first)));
    }
    let what = format!("the last {END_SESSIONS} against the first {END_SESSIONS}, {END_SESSIONS} a call");
    figure(what, median(ratios), "×", Limit::Most(1_200));
    Ok(())
}

pub fn size(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(1_000, 100);
    let data = fresh()?;
    let workshop = Workshop::open(data.path())?;
    workshop.run(&sessions(0..count)?)?;
    let all: Vec<_> = flywheel_projections::all().iter().collect();
    views::rebuild(data.path(), &workshop.log, &all, Until::Head, None, |_| {})?;
    // Closing moves what is in the journal into the file.
    drop(workshop);
    let log = std::fs::metadata(data.path().join("log.db"))?.len();
    let mut kept = 0;
    for entry in std::fs::read_dir(views::folder(data.path()))? {
        kept += entry?.metadata()?.len();
    }
    for (what, bytes) in [("a session in the log", log), ("a session in the views", kept)] {
        figure(format_args!("{what} (of {count})"), u128::from(bytes) * 1000 / u128::from(count), "bytes", Limit::None);
    }
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_flywheel"))?.len();
    figure("the program", u128::from(program) / 1000, "MB", Limit::None);
    remark("half trade, half life sessions, as in tests/examples");
    Ok(())
}
