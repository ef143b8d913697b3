-- Every session, how its steps ended, and what they made. What one fact says is one row under its position.
CREATE TABLE sessions (
    id           BLOB PRIMARY KEY,
    session_type TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    timestamp    TEXT NOT NULL,        -- when it ended, in its own offset
    instant      INTEGER NOT NULL,     -- the same in microseconds since 1970, for ordering
    run          INTEGER NOT NULL,     -- the newest run that was asked for
    status       TEXT NOT NULL,        -- pending, ready, partial or failed: of the newest run that ended
    ended_run    INTEGER,              -- the newest run that ended
    position     INTEGER NOT NULL,     -- where it was accepted
    ended_position INTEGER             -- where its newest run ended
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_time ON sessions (instant, id);

-- The outcomes that are no artifact.
CREATE TABLE outcomes (
    position INTEGER PRIMARY KEY,
    session  BLOB NOT NULL,
    step     TEXT NOT NULL,
    run      INTEGER NOT NULL,
    outcome  TEXT NOT NULL,            -- completed, failed or skipped
    reason   TEXT                      -- why not completed
) STRICT;

CREATE INDEX outcomes_by_session ON outcomes (session);

CREATE TABLE artifacts (
    position INTEGER PRIMARY KEY,
    session  BLOB NOT NULL,            -- of a file queued by hand: the id of its key
    step     TEXT NOT NULL,
    run      INTEGER NOT NULL,
    type     TEXT NOT NULL,
    path     TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    content  INTEGER NOT NULL,         -- the beginning of sha256, for the index
    size     INTEGER NOT NULL
) STRICT;

CREATE INDEX artifacts_by_session ON artifacts (session);

CREATE INDEX artifacts_by_content ON artifacts (content);

-- How every step of every run ended.
CREATE VIEW steps AS
SELECT position, session, step, run, outcome, reason FROM outcomes
UNION ALL
SELECT position, session, step, run, 'completed', NULL FROM artifacts;
