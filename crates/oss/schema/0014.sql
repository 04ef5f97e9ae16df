-- Data centres that have a disk of their own, and the mark on it: a directory without the mark is not the disk.
CREATE TABLE oss_disk (
    site TEXT PRIMARY KEY,
    mark TEXT NOT NULL
);

-- The data centre of a segment's first copy, where that is on a disk of its own. All others are in the data
-- directory.
CREATE TABLE oss_home (
    segment INTEGER PRIMARY KEY,
    site TEXT NOT NULL
);
