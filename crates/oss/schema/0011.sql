-- What kind of object it is, so that a listing need not read the facts, which say the same: 0 ordinary,
-- 1 appendable, 2 a symbolic link.
ALTER TABLE oss_object ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE oss_version ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;

-- The checksums of the parts that an object was uploaded in, where the upload had any. They go with the body.
CREATE TABLE oss_part_checksum (
    blob INTEGER NOT NULL REFERENCES oss_blob (id),
    part INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (blob, part)
)/*rowless*/;
