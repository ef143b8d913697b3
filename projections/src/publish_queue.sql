-- What waits to be published: one artifact version, one target, one account an item.
CREATE TABLE items (
    id          BLOB PRIMARY KEY,
    type        TEXT NOT NULL,
    sha256      BLOB NOT NULL,
    target      TEXT NOT NULL,
    account     TEXT NOT NULL,
    state       TEXT NOT NULL,         -- queued
    position    INTEGER NOT NULL,      -- of its newest transition
    recorded_at INTEGER NOT NULL       -- when it was queued, microseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX items_by_position ON items (position);

-- When each session ended, microseconds since 1970: what tells the original of equal content.
CREATE TABLE sessions (
    id      BLOB PRIMARY KEY,
    instant INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who made a content.
CREATE TABLE sources (
    type    TEXT NOT NULL,
    sha256  BLOB NOT NULL,
    id      BLOB NOT NULL,             -- the session; of a file queued by hand the id of its key
    instant INTEGER,                   -- when the session ended; null for a file queued by hand
    path    TEXT NOT NULL,
    PRIMARY KEY (type, sha256, id)
) STRICT, WITHOUT ROWID;

-- The items with their original: of the sessions that made the content the smallest (session time, id), whichever was
-- recorded first; a file queued by hand where no session made it.
CREATE VIEW queue AS
SELECT items.*, iif(original.instant IS NULL, NULL, original.id) AS session, original.path AS path
FROM items
LEFT JOIN sources AS original
    ON original.type = items.type AND original.sha256 = items.sha256 AND original.id = (
        SELECT id FROM sources
        WHERE sources.type = items.type AND sources.sha256 = items.sha256
        ORDER BY sources.instant IS NULL, sources.instant, sources.id LIMIT 1
    );
