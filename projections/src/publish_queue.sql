-- What waits to be published: one artifact version, one target, one account an item.
CREATE TABLE items (
    id       BLOB PRIMARY KEY,
    session  BLOB,                     -- null for a file that was queued by hand
    type     TEXT NOT NULL,
    path     TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    target   TEXT NOT NULL,
    account  TEXT NOT NULL,
    state    TEXT NOT NULL,            -- queued
    position INTEGER NOT NULL,         -- of its newest transition
    queued   INTEGER NOT NULL          -- when it was queued, microseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX items_by_position ON items (position);
