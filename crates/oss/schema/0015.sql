-- What is kept in the classes other than Standard, of all versions: so many objects and bytes of them. Changed in the
-- commit that changes oss_bucket_stat, of which this is a part; Standard has the rest.
CREATE TABLE oss_bucket_class (
    bucket INTEGER NOT NULL REFERENCES oss_bucket (id),
    class TEXT NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (bucket, class)
)/*rowless*/;

-- The fact "t" of an object says that it is metered in its class.
INSERT INTO oss_bucket_class (bucket, class, objects, bytes)
SELECT bucket, storage_class, CAST(COUNT(*) AS BIGINT), CAST(SUM(size) AS BIGINT) FROM (
    SELECT bucket, storage_class, size FROM oss_object
    WHERE storage_class <> 'Standard' AND facts LIKE '%"t":[%' ESCAPE '!'
    UNION ALL
    SELECT bucket, storage_class, size FROM oss_version
    WHERE storage_class <> 'Standard' AND facts LIKE '%"t":[%' ESCAPE '!'
) AS stored
GROUP BY bucket, storage_class;

-- When what is in a bucket changed last; 0 where it never did.
ALTER TABLE oss_bucket_stat ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
