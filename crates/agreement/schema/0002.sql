-- An agreement was a flag; now it is a document that both parties signed. Nobody signed the flags, so
-- they grant nothing any more.
DROP TABLE agreement;

-- Who the provider is, as configured at the last start.
CREATE TABLE agreement_provider (
    id INTEGER PRIMARY KEY,
    party TEXT NOT NULL,
    key TEXT NOT NULL,
    log TEXT NOT NULL
);

-- One release of an agreement. Its document never changes; what changes is who signed it and its state
-- (draft, signed, published, active, superseded, ended). provider and tenant are the parties' names;
-- signed_... the signature lines of the note, empty until there is one; openings what opens withheld
-- fields, JSON, for the parties only.
CREATE TABLE agreement_release (
    number AUTOID,
    ocid TEXT NOT NULL,
    id TEXT NOT NULL,
    account INTEGER NOT NULL,
    tag TEXT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    document BLOB NOT NULL,
    date INTEGER NOT NULL,
    provider TEXT NOT NULL,
    tenant TEXT NOT NULL,
    signed_provider TEXT NOT NULL,
    signed_tenant TEXT NOT NULL,
    openings TEXT NOT NULL
);
CREATE UNIQUE INDEX agreement_release_name ON agreement_release (ocid, id);
CREATE UNIQUE INDEX agreement_release_digest ON agreement_release (digest);
CREATE INDEX agreement_release_account ON agreement_release (account, number);

-- Which release binds (or bound, or will bind) an account, from when until when; no two overlap. amended
-- says that the end is where an amendment takes over.
CREATE TABLE agreement_term (
    account INTEGER NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER,
    digest TEXT NOT NULL,
    amended INTEGER NOT NULL,
    PRIMARY KEY (account, begins)
)/*rowless*/;
CREATE INDEX agreement_term_digest ON agreement_term (digest);

-- What an account's calendar month has cost so far, micro-units.
CREATE TABLE agreement_spend (
    account INTEGER NOT NULL,
    month INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, month)
)/*rowless*/;

-- Leave for one of the provider's people to read what a tenant owns (requested, granted, denied, ended).
-- until is null while nothing is granted.
CREATE TABLE privileged_access (
    number AUTOID,
    id TEXT NOT NULL,
    account INTEGER NOT NULL,
    principal TEXT NOT NULL,
    reason TEXT NOT NULL,
    hours INTEGER NOT NULL,
    state TEXT NOT NULL,
    requested INTEGER NOT NULL,
    until INTEGER
);
CREATE UNIQUE INDEX privileged_access_id ON privileged_access (id);
CREATE INDEX privileged_access_account ON privileged_access (account, number);
