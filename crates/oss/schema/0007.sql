-- Stored bytes that no copy has any more, as the scrub found them. Rows go with their object or part, and
-- when a later round reads them well. version is the id of an upload under way (part is then the part's
-- number), empty for the object that is current. Segment 0 is no segment: the row itself does not read.
CREATE TABLE oss_damage (
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    version TEXT NOT NULL,
    part INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (bucket, key, version, part, segment, start)
)/*rowless*/;
CREATE INDEX oss_damage_of_version ON oss_damage (version, part);
