-- How far the view has folded the log; moved in the transaction that folds.
CREATE TABLE checkpoint (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    view     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    chain    BLOB NOT NULL
) STRICT;
