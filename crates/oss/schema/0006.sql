-- The keys that bytes at rest are encrypted under, each sealed under the master key. An account's newest is
-- the one that new bytes take.
CREATE TABLE oss_key (
    id AUTOID,
    account INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
CREATE INDEX oss_key_of_account ON oss_key (account, id);

-- The number of the key in oss_key that the extents beside it are encrypted under; 0 for bytes in clear
-- (stored before there were keys), -1 for a key that only the client has.
ALTER TABLE oss_object ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oss_version ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oss_extent ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
