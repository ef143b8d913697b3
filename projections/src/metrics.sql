-- What the metrics are computed from. A question reads sums, never sessions, so it does not grow with the log.
CREATE TABLE sessions (
    id          BLOB PRIMARY KEY,
    state       TEXT NOT NULL,         -- what its facts come to, as JSON: `State` in session.rs
    recorded_at TEXT NOT NULL          -- when the facts of its run in flight were recorded, as JSON: `Recently`
) STRICT, WITHOUT ROWID;

-- Sums over sessions. A row that came back to zero is taken away: the same facts give the same rows.
CREATE TABLE counts (
    name TEXT NOT NULL,
    a    TEXT NOT NULL,
    b    TEXT NOT NULL,
    c    TEXT NOT NULL,
    n    INTEGER NOT NULL,
    PRIMARY KEY (name, a, b, c)
) STRICT, WITHOUT ROWID;

-- How often a step took how long: exact counts in buckets that are 1/64 of it wide at most (duration.rs).
CREATE TABLE durations (
    step   TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (step, bucket)
) STRICT, WITHOUT ROWID;

-- Repositories that a scan named. The latest scored README is that of the latest (session time, session, run).
CREATE TABLE repositories (
    name    TEXT PRIMARY KEY,
    clean   INTEGER,                   -- null before its first score
    instant INTEGER,
    session BLOB,
    run     INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE trading_days (
    account    TEXT NOT NULL,          -- masked; empty where several accounts traded and none claims the day
    day        TEXT NOT NULL,
    documented INTEGER NOT NULL,       -- whether a session that traded on it has a journal
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;

-- Files that were queued by hand, each once.
CREATE TABLE by_hand (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
