-- What waits to be published: one artifact version, one target, one account an item.
CREATE TABLE items (
    position    INTEGER PRIMARY KEY,   -- of its newest transition
    id          BLOB NOT NULL,
    type        TEXT NOT NULL,
    sha256      BLOB NOT NULL,
    content     INTEGER NOT NULL,      -- the beginning of sha256, as in `sources`
    target      TEXT NOT NULL,
    account     TEXT NOT NULL,
    state       TEXT NOT NULL,         -- queued
    recorded_at INTEGER NOT NULL       -- when it was queued, microseconds since 1970
) STRICT;

CREATE INDEX items_by_id ON items (id);

-- When each session ended, microseconds since 1970: what tells the original of equal content.
CREATE TABLE sessions (
    id      BLOB PRIMARY KEY,
    instant INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who made a content, each time it was made.
CREATE TABLE sources (
    position INTEGER PRIMARY KEY,
    type     TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    content  INTEGER NOT NULL,         -- the beginning of sha256, for the index
    id       BLOB NOT NULL,            -- the session; of a file queued by hand the id of its key
    path     TEXT NOT NULL
) STRICT;

CREATE INDEX sources_by_content ON sources (content);

-- The items with their original: of the sessions that made the content the smallest (session time, id), whichever was
-- recorded first; a file queued by hand where no session made it.
CREATE VIEW queue AS
SELECT items.*, sessions.id AS session, original.path AS path
FROM items
LEFT JOIN sources AS original ON original.position = (
    SELECT sources.position FROM sources LEFT JOIN sessions ON sessions.id = sources.id
    WHERE sources.content = items.content AND sources.sha256 = items.sha256 AND sources.type = items.type
    ORDER BY sessions.instant IS NULL, sessions.instant, sources.id, sources.position LIMIT 1
)
LEFT JOIN sessions ON sessions.id = original.id;
