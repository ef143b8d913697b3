-- Deliveries that were handed out together, for the first time.
CREATE TABLE leases (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer     TEXT NOT NULL,
    worker       TEXT NOT NULL,        -- the process that holds them
    leased_until INTEGER NOT NULL,     -- milliseconds since 1970
    positions    TEXT NOT NULL         -- decimals with a space between two; never empty
) STRICT;
