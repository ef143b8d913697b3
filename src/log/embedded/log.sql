-- The truth. Rows are added at the end and never change: the triggers refuse everything else from any program but our own
-- writer, which sees to it by itself (writer.rs).
CREATE TABLE facts (
    position     INTEGER PRIMARY KEY,   -- from 1, without gaps
    id           BLOB NOT NULL,         -- the event id: UUIDv5 of the key, 16 bytes; one index keeps both unique
    key          TEXT NOT NULL,
    time         INTEGER NOT NULL,      -- when it was recorded, microseconds since 1970, never before the previous one
    digest       BLOB NOT NULL,         -- SHA-256 of the content
    event_digest BLOB NOT NULL,         -- SHA-256 of the event's bytes
    chain        BLOB NOT NULL,         -- SHA-256(previous chain, key, event digest)
    event        TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX facts_id ON facts (id);

CREATE TRIGGER facts_are_appended BEFORE INSERT ON facts
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM facts)
BEGIN
    SELECT raise(ABORT, 'facts are appended at the end of the log, without gaps');
END;

CREATE TRIGGER facts_are_unique BEFORE INSERT ON facts
WHEN EXISTS (SELECT 1 FROM facts WHERE id = NEW.id)
BEGIN
    SELECT raise(ABORT, 'the key of this fact is taken');
END;

CREATE TRIGGER facts_are_never_changed BEFORE UPDATE ON facts
BEGIN
    SELECT raise(ABORT, 'facts are never changed');
END;

CREATE TRIGGER facts_are_never_deleted BEFORE DELETE ON facts
BEGIN
    SELECT raise(ABORT, 'facts are never deleted');
END;
