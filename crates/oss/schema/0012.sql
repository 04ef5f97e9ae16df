-- Access records on their way into the buckets that they are delivered to. A route is where the records of
-- a bucket go and in which form, as its configuration said when they were made; began_at is when the oldest
-- that waits was made, 0 where none waits.
CREATE TABLE oss_log_route (
    id AUTOID,
    route TEXT NOT NULL UNIQUE,
    began_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);

-- The records of a second or so, one line each.
CREATE TABLE oss_log (
    id AUTOID,
    route INTEGER NOT NULL REFERENCES oss_log_route (id),
    bytes INTEGER NOT NULL,
    lines BLOB NOT NULL
);
CREATE INDEX oss_log_of_route ON oss_log (route, id);

-- Inventories that buckets are to have. due_at is when the next report is to be written.
CREATE TABLE oss_inventory (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, id)
)/*rowless*/;
CREATE INDEX oss_inventory_due ON oss_inventory (due_at);

-- Which buckets have a document of some kind.
CREATE INDEX oss_bucket_document_of_name ON oss_bucket_document (name, bucket);
