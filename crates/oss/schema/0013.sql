-- Stores outside of this program that hold bytes. folder is a name made at random, below which lies all that
-- this cloud has there: what is below it and has no row is nobody's, and clouds that share a bucket do not
-- see each other's. site is the data centre that it stands in.
CREATE TABLE oss_backend (
    name TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    folder TEXT NOT NULL UNIQUE
);

-- The copies of segments that are in such a store and not in a file: written before the first byte is sent
-- there. Each extent is one object, named by its start, below the copy's own folder. is_first is 1 for the
-- copy that would be in the first directory, and 0 for one that would be a mirror's.
CREATE TABLE oss_remote (
    segment INTEGER NOT NULL,
    site TEXT NOT NULL,
    is_first INTEGER NOT NULL,
    backend TEXT NOT NULL REFERENCES oss_backend (name),
    folder TEXT NOT NULL UNIQUE,
    PRIMARY KEY (segment, site)
)/*rowless*/;
