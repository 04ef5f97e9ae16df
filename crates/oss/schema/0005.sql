-- Versions. version is 0 for the null version, else it equals ordinal, which orders the versions of a key:
-- larger is newer.
ALTER TABLE oss_object ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0;

-- bytes includes version_bytes.
ALTER TABLE oss_bucket_stat ADD COLUMN versions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oss_bucket_stat ADD COLUMN markers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oss_bucket_stat ADD COLUMN version_bytes INTEGER NOT NULL DEFAULT 0;

-- What is behind the current version of a key: older versions and delete markers. Where a key has rows here
-- and none in oss_object, the newest of them is a delete marker. age is minus the ordinal, so that the order
-- of the key is that of a listing: newest first. superseded_at is when something newer came.
CREATE TABLE oss_version (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    key BLOB NOT NULL,
    age INTEGER NOT NULL,
    version INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    superseded_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    parts INTEGER NOT NULL,
    crc64 INTEGER NOT NULL,
    storage_class TEXT NOT NULL,
    owner INTEGER NOT NULL,
    site TEXT NOT NULL,
    acl TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    facts TEXT NOT NULL,
    extents BLOB NOT NULL,
    blob INTEGER,
    PRIMARY KEY (bucket, key, age)
)/*rowless*/;

-- A key has one null version at most.
CREATE UNIQUE INDEX oss_version_null ON oss_version (bucket, key) WHERE version = 0;
