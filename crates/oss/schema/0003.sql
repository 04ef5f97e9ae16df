-- How sensitive what is in a bucket may be, and the further data centres that hold a copy of it each: a
-- JSON array of their names, empty text for none. The first is site.
ALTER TABLE oss_bucket ADD COLUMN class TEXT NOT NULL DEFAULT 'internal';
ALTER TABLE oss_bucket ADD COLUMN mirrors TEXT NOT NULL DEFAULT '';

-- So far every bucket was in one data centre, whatever it had been asked to be.
UPDATE oss_bucket SET redundancy = 'LRS';

-- The data centres that hold further copies of a segment. A segment without a row here has one copy.
CREATE TABLE oss_mirror (
    segment INTEGER NOT NULL,
    site TEXT NOT NULL,
    PRIMARY KEY (segment, site)
)/*rowless*/;
