-- A bucket. Names are one space for the whole cloud; site is the data centre its bytes are in.
CREATE TABLE oss_bucket (
    id AUTOID,
    name TEXT NOT NULL UNIQUE,
    owner INTEGER NOT NULL,
    site TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    acl TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    redundancy TEXT NOT NULL
);
CREATE UNIQUE INDEX oss_bucket_of_owner ON oss_bucket (owner, name);

-- What is in a bucket, changed in the commit that changes the bucket. bytes includes part_bytes.
CREATE TABLE oss_bucket_stat (
    bucket INTEGER PRIMARY KEY REFERENCES oss_bucket (id),
    objects INTEGER NOT NULL,
    uploads INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    part_bytes INTEGER NOT NULL
);

-- Sub-resource documents of a bucket (cors, website, ...), as the client sent them.
CREATE TABLE oss_bucket_document (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, name)
)/*rowless*/;

-- The current version of each key: exactly what a plain GET or listing sees, so that a listing is one
-- range scan. Older versions and delete markers will be rows of a table of their own, keyed (bucket,
-- key, order), into which a versioned overwrite moves the row; version 0 is the null version.
-- The body: extents holds up to 64 packed extents; larger bodies are rows of oss_extent under blob.
CREATE TABLE oss_object (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    key BLOB NOT NULL,
    version INTEGER NOT NULL,
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
    extents BLOB NOT NULL,
    blob INTEGER,
    PRIMARY KEY (bucket, key)
)/*rowless*/;

-- A multipart upload that is under way. Its id begins with the time, so ids sort by age.
CREATE TABLE oss_upload (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    storage_class TEXT NOT NULL,
    site TEXT NOT NULL,
    acl TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE UNIQUE INDEX oss_upload_of_bucket ON oss_upload (bucket, key, id);

CREATE TABLE oss_part (
    upload TEXT NOT NULL REFERENCES oss_upload (id),
    number INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    crc64 INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
)/*rowless*/;

-- Gives the bodies that are not inline their numbers.
CREATE TABLE oss_blob (
    id AUTOID,
    size INTEGER NOT NULL
);

-- The extents of such a body: up to 256 in a row, beginning at byte `start` of the body. part is the
-- number of the part that they came with, 0 outside of multipart uploads.
CREATE TABLE oss_extent (
    blob INTEGER NOT NULL REFERENCES oss_blob (id),
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    part INTEGER NOT NULL,
    extents BLOB NOT NULL,
    PRIMARY KEY (blob, start)
)/*rowless*/;

-- Bodies whose rows are gone, one row each, until their space is given back: readers that began
-- before may still read them.
CREATE TABLE oss_free (
    id AUTOID,
    freed_at INTEGER NOT NULL,
    extents BLOB NOT NULL,
    blob INTEGER
);

-- Segments that take no more bytes. A segment file without a row here is open, or was when the
-- program died. dead is the number of bytes that are in oss_hole.
CREATE TABLE oss_segment (
    id INTEGER PRIMARY KEY,
    length INTEGER NOT NULL,
    dead INTEGER NOT NULL
);

-- Of an open segment: the ranges whose fate is decided, by a commit that refers to them or by being
-- given up. What no row covers after a crash was never committed. Gone when the segment is sealed.
CREATE TABLE oss_settled (
    segment INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (segment, start)
)/*rowless*/;

-- Dead ranges, merged with their neighbours; whole file-system blocks within them are punched out.
CREATE TABLE oss_hole (
    segment INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (segment, start)
)/*rowless*/;
