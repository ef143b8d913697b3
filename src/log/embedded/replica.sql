-- Version 2. Of what the log is a replica: no row in a log that is appended to here. A replica is filled from its stream only.
CREATE TABLE replica_of (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL                 -- what tells the stream from every other of its name
) STRICT;
