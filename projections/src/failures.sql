-- What failed or was refused, why, and what to do.
CREATE TABLE failures (
    position INTEGER PRIMARY KEY,
    session  BLOB,                     -- null for input that was refused
    step     TEXT NOT NULL,            -- `intake` for input that was refused
    run      INTEGER NOT NULL,
    class    TEXT NOT NULL,
    message  TEXT NOT NULL,
    hint     TEXT,
    attempts INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL       -- when it was recorded, microseconds since 1970
) STRICT;

CREATE INDEX failures_by_session ON failures (session);
