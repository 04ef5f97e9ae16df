-- What the requests to a bucket obey (versioning, retention, encryption, policy, ...): the JSON of
-- model::Settings, empty text for a bucket that has only defaults.
ALTER TABLE oss_bucket ADD COLUMN settings TEXT NOT NULL DEFAULT '';

-- What is known about an object besides what its client said: the JSON of model::Facts, empty for nothing.
ALTER TABLE oss_object ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE oss_upload ADD COLUMN facts TEXT NOT NULL DEFAULT '';
