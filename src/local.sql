-- This machine's own state: who works on what, and where things lie here. No truth: deleting the file loses no fact.
CREATE TABLE cursors (
    consumer TEXT PRIMARY KEY,
    scanned  INTEGER NOT NULL          -- every fact up to here that the consumer wants is in in_flight, or done
) STRICT, WITHOUT ROWID;

-- Deliveries that have been handed out once already, each by itself.
CREATE TABLE in_flight (
    consumer     TEXT NOT NULL,
    position     INTEGER NOT NULL,
    key          TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    due          INTEGER NOT NULL,     -- not before, milliseconds since 1970
    owner        TEXT,                 -- the process that holds it
    leased_until INTEGER,              -- milliseconds since 1970
    PRIMARY KEY (consumer, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE origins (
    session     BLOB PRIMARY KEY,
    file        TEXT,
    folder      TEXT NOT NULL,
    repo_path   TEXT,
    screenshots TEXT NOT NULL          -- a JSON array
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
    session BLOB NOT NULL,
    folder  TEXT NOT NULL,             -- where the session's artifacts were written
    PRIMARY KEY (session, folder)
) STRICT, WITHOUT ROWID;
