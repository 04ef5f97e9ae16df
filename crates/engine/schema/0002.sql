-- What the leaf of a row says in clear, a JSON object; empty where it says nothing.
ALTER TABLE audit ADD COLUMN public TEXT NOT NULL DEFAULT '';

-- Documents that leaves name by their SHA-256 and that everybody may read.
CREATE TABLE public_document (
    digest TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
);

-- The data centres as they were last declared: what differs at a start is a leaf.
CREATE TABLE data_centre (
    site TEXT NOT NULL PRIMARY KEY,
    declared TEXT NOT NULL
);

-- The keys of the cloud itself as they were last declared.
CREATE TABLE declared_key (
    role TEXT NOT NULL PRIMARY KEY,
    verifier TEXT NOT NULL
);
