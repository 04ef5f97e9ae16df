-- A number that is drawn anew, at random, with every change of what keys and policies say: two
-- snapshots with the same number hold the same keys and policies. Caches hang on it.
CREATE TABLE ram_generation (
    id INTEGER PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO ram_generation (id, value) VALUES (1, 0);

-- A tenant. password_policy and security_preference are JSON texts, null until they are set.
CREATE TABLE ram_account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    created INTEGER NOT NULL,
    suspended INTEGER NOT NULL,
    operator INTEGER NOT NULL,
    alias TEXT UNIQUE,
    password_policy TEXT,
    security_preference TEXT
);
CREATE UNIQUE INDEX ram_account_operator ON ram_account (operator) WHERE operator = 1;

CREATE TABLE ram_user (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES ram_account (id),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    mobile_phone TEXT NOT NULL,
    email TEXT NOT NULL,
    comments TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (account, name)
);

-- A user's password, as PBKDF2 made it.
CREATE TABLE ram_login_profile (
    user_id TEXT PRIMARY KEY REFERENCES ram_user (id),
    algorithm TEXT NOT NULL,
    salt BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    hash BLOB NOT NULL,
    reset_required INTEGER NOT NULL,
    mfa_required INTEGER NOT NULL,
    created INTEGER NOT NULL
);

-- owner is a user's id, or empty for a key of the account itself. secret is sealed.
CREATE TABLE ram_access_key (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES ram_account (id),
    owner TEXT NOT NULL,
    secret BLOB NOT NULL,
    active INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER
);
CREATE INDEX ram_access_key_of_owner ON ram_access_key (account, owner);

-- seed is sealed.
CREATE TABLE ram_mfa_device (
    account INTEGER NOT NULL REFERENCES ram_account (id),
    name TEXT NOT NULL,
    seed BLOB NOT NULL,
    user_id TEXT UNIQUE REFERENCES ram_user (id),
    activated INTEGER,
    PRIMARY KEY (account, name)
)/*rowless*/;

CREATE TABLE ram_group (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES ram_account (id),
    name TEXT NOT NULL,
    comments TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (account, name)
);

CREATE TABLE ram_member (
    group_id TEXT NOT NULL REFERENCES ram_group (id),
    user_id TEXT NOT NULL REFERENCES ram_user (id),
    joined INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
)/*rowless*/;
CREATE INDEX ram_member_of_user ON ram_member (user_id);

-- newest_version is the highest version number ever given out: numbers are not used twice.
CREATE TABLE ram_policy (
    account INTEGER NOT NULL REFERENCES ram_account (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    default_version INTEGER NOT NULL,
    newest_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (account, name)
)/*rowless*/;

CREATE TABLE ram_policy_version (
    account INTEGER NOT NULL,
    policy TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (account, policy, version),
    FOREIGN KEY (account, policy) REFERENCES ram_policy (account, name)
)/*rowless*/;

CREATE TABLE ram_role (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES ram_account (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    trust TEXT NOT NULL,
    max_session INTEGER NOT NULL,
    console_login INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (account, name)
);

-- Which policy is attached to which entity; entity_kind is User, Group or Role.
CREATE TABLE ram_attachment (
    account INTEGER NOT NULL REFERENCES ram_account (id),
    entity_kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    policy_type TEXT NOT NULL,
    policy TEXT NOT NULL,
    attached INTEGER NOT NULL,
    PRIMARY KEY (entity_kind, entity_id, policy_type, policy)
)/*rowless*/;
CREATE INDEX ram_attachment_of_policy ON ram_attachment (account, policy_type, policy, entity_kind);

-- kind is role or policy, whose names never change.
CREATE TABLE ram_tag (
    account INTEGER NOT NULL REFERENCES ram_account (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (account, kind, name, tag_key)
)/*rowless*/;
