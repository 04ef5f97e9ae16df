-- How far the lifecycle of a bucket has come: when its last round ended (0: none has), and the key at which the
-- round that is under way goes on, empty where there is none.
CREATE TABLE oss_lifecycle_round (
    bucket INTEGER PRIMARY KEY REFERENCES oss_bucket (id) ON DELETE CASCADE,
    ended_at INTEGER NOT NULL,
    next_key BLOB NOT NULL
);
