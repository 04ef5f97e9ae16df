-- One committed change, or one refused attempt at one. log_index is null until the sequencer has
-- given the row its place in the public log; salt blinds the public commitment to the row.
CREATE TABLE audit (
    id AUTOID,
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    account INTEGER NOT NULL,
    principal TEXT NOT NULL,
    key_id TEXT NOT NULL,
    source_ip TEXT NOT NULL,
    product TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    salt BLOB NOT NULL,
    log_index INTEGER
);
CREATE INDEX audit_pending ON audit (id) WHERE log_index IS NULL;
CREATE UNIQUE INDEX audit_logged ON audit (log_index) WHERE log_index IS NOT NULL;
CREATE INDEX audit_of_account ON audit (account, id);

-- How many leaves of the log have been assigned, and how many are published.
CREATE TABLE log_state (
    id INTEGER PRIMARY KEY,
    assigned INTEGER NOT NULL,
    published INTEGER NOT NULL
);
INSERT INTO log_state (id, assigned, published) VALUES (1, 0, 0);

-- Things that happened, added up by hour.
CREATE TABLE usage_count (
    account INTEGER NOT NULL,
    resource TEXT NOT NULL,
    meter TEXT NOT NULL,
    hour INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (account, resource, meter, hour)
)/*rowless*/;

-- Things that exist: how much there is now, and since when that has not been added up.
CREATE TABLE usage_level (
    account INTEGER NOT NULL,
    resource TEXT NOT NULL,
    meter TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (account, resource, meter)
)/*rowless*/;

-- Nonces of signed writes; those of reads are kept in memory only.
CREATE TABLE nonce (
    key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (key_id, nonce)
)/*rowless*/;
CREATE INDEX nonce_expiry ON nonce (expires);

-- Answers kept for repeated client tokens.
CREATE TABLE client_token (
    account INTEGER NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    token TEXT NOT NULL,
    digest BLOB NOT NULL,
    answer TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (account, principal, action, token)
)/*rowless*/;
CREATE INDEX client_token_expiry ON client_token (expires);

-- Work to do: one row for each thing that is on its way to its desired state.
CREATE TABLE task (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    lease_epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    deadline_at INTEGER,
    PRIMARY KEY (kind, id)
)/*rowless*/;
CREATE INDEX task_due ON task (due_at);
