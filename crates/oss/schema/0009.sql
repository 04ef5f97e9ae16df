-- The account that began an upload, whose the object is by the rules of S3; 0 for the bucket's owner.
ALTER TABLE oss_upload ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;

-- What an account wants of all its buckets: the JSON of acl::AccessBlock.
CREATE TABLE oss_account (
    account INTEGER PRIMARY KEY,
    block TEXT NOT NULL
)/*rowless*/;
