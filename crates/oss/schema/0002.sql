-- Host names that are bound to buckets (CNAME), lower case. They go with their bucket.
CREATE TABLE oss_cname (
    host TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id) ON DELETE CASCADE,
    bound_at INTEGER NOT NULL
);
CREATE INDEX oss_cname_of_bucket ON oss_cname (bucket, host);
