-- What the owner of a host name is to put into its DNS, so that a bucket may have the name.
CREATE TABLE oss_cname_token (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    token TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (bucket, host)
);
