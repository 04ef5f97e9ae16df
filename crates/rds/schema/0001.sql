-- Relational databases. What nothing asks the database for is JSON in a column of text.

-- The engines that nodes really have.
CREATE TABLE rds_engine (
    site TEXT NOT NULL,
    engine TEXT NOT NULL,            -- PostgreSQL, MariaDB
    major TEXT NOT NULL,             -- 17, 10.11
    build TEXT NOT NULL,             -- 17.11
    facts TEXT NOT NULL,             -- checksum, where it was found, its settings; see engines::Build
    PRIMARY KEY (site, engine, major)
) /*rowless*/;

CREATE TABLE rds_instance (
    id TEXT NOT NULL PRIMARY KEY,    -- pgm-…, rm-…; read-only ones pgr-…, rr-…
    account INTEGER NOT NULL,
    region TEXT NOT NULL,
    engine TEXT NOT NULL,
    major TEXT NOT NULL,
    class TEXT NOT NULL,             -- pg.n2.2c.1m
    storage_gib INTEGER NOT NULL,
    category TEXT NOT NULL,          -- Basic, HighAvailability
    data_class TEXT NOT NULL,
    parent TEXT,                     -- of a read-only instance: the instance that it follows
    status TEXT NOT NULL,            -- in the words of the API; see model::Status
    wanted TEXT NOT NULL,            -- running, stopped, gone
    generation INTEGER NOT NULL,     -- counts what was asked of it
    settled INTEGER NOT NULL,        -- the generation that its nodes have reached
    restarts INTEGER NOT NULL,       -- counts the restarts that were asked for
    term INTEGER NOT NULL,           -- counts its primaries: who holds an older term is fenced
    name TEXT NOT NULL,              -- the first label of its host name, unique in the cloud
    origin TEXT NOT NULL,            -- JSON: how its first data came to be; see model::Origin
    options TEXT NOT NULL,           -- JSON: see model::Options
    secrets BLOB NOT NULL,           -- sealed JSON: see model::Secrets
    created INTEGER NOT NULL
);
CREATE UNIQUE INDEX rds_instance_name ON rds_instance (name);
CREATE INDEX rds_instance_account ON rds_instance (account, id);
CREATE INDEX rds_instance_parent ON rds_instance (parent);

-- Second host names of instances, by their first label: unique in the cloud, as the names of instances are.
CREATE TABLE rds_host (
    name TEXT NOT NULL PRIMARY KEY,
    instance TEXT NOT NULL
) /*rowless*/;

-- A data directory of an instance on a node: one, and one more where it is highly available.
CREATE TABLE rds_member (
    instance TEXT NOT NULL,
    site TEXT NOT NULL,
    zone TEXT NOT NULL,
    role TEXT NOT NULL,              -- primary, standby
    host TEXT NOT NULL,              -- where its server listens; empty until it does
    port INTEGER NOT NULL,           -- 0 until it listens
    observed TEXT NOT NULL,          -- JSON: what its node said last; see node::api::Observed
    seen INTEGER NOT NULL,           -- when
    PRIMARY KEY (instance, site)
) /*rowless*/;

CREATE TABLE rds_account (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,              -- Normal, Super
    status TEXT NOT NULL,            -- Unavailable (not there yet, or going), Available, Lock
    description TEXT NOT NULL,
    verifier BLOB NOT NULL,          -- sealed: what the server checks a password with, never the password
    wanted INTEGER NOT NULL,         -- 0: it is to go
    created INTEGER NOT NULL,
    PRIMARY KEY (instance, name)
) /*rowless*/;

CREATE TABLE rds_database (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    charset TEXT NOT NULL,
    collation_name TEXT NOT NULL,   -- `collation` is a word of SQL
    ctype TEXT NOT NULL,
    status TEXT NOT NULL,            -- Creating, Running, Deleting
    description TEXT NOT NULL,
    wanted INTEGER NOT NULL,         -- 0: it is to go
    created INTEGER NOT NULL,
    PRIMARY KEY (instance, name)
) /*rowless*/;

CREATE TABLE rds_grant (
    instance TEXT NOT NULL,
    account TEXT NOT NULL,
    database_name TEXT NOT NULL,
    privilege TEXT NOT NULL,         -- DBOwner, ReadWrite, ReadOnly, DDLOnly, DMLOnly
    wanted INTEGER NOT NULL,         -- 0: it is to be taken back
    PRIMARY KEY (instance, account, database_name)
) /*rowless*/;

-- White lists: who may reach an instance.
CREATE TABLE rds_ip_array (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    attribute TEXT NOT NULL,
    addresses TEXT NOT NULL,         -- comma between them
    PRIMARY KEY (instance, name)
) /*rowless*/;

-- Rules of pg_hba.conf that the tenant wrote itself, in order.
CREATE TABLE rds_hba (
    instance TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rule TEXT NOT NULL,              -- JSON
    PRIMARY KEY (instance, priority)
) /*rowless*/;

CREATE TABLE rds_parameter (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (instance, name)
) /*rowless*/;

CREATE TABLE rds_tag (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (instance, name)
) /*rowless*/;
CREATE INDEX rds_tag_name ON rds_tag (name, value);

-- Backups outlive their instance: there is no reference to it.
CREATE TABLE rds_backup (
    id TEXT NOT NULL PRIMARY KEY,    -- digits
    instance TEXT NOT NULL,
    account INTEGER NOT NULL,
    status TEXT NOT NULL,            -- Running, Success, Failed
    mode TEXT NOT NULL,              -- Manual, Automated
    engine TEXT NOT NULL,
    build TEXT NOT NULL,
    timeline INTEGER NOT NULL,
    start_lsn INTEGER NOT NULL,
    end_lsn INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,          -- 0 while it runs
    bytes INTEGER NOT NULL,          -- as stored
    facts TEXT NOT NULL              -- JSON: see backup::Facts
);
CREATE INDEX rds_backup_instance ON rds_backup (instance, started);

-- What the archive holds of the write-ahead log, gapless within a timeline from `start_lsn` to `end_lsn`.
CREATE TABLE rds_wal (
    instance TEXT NOT NULL,
    cluster_id INTEGER NOT NULL,     -- the server's system identifier: a major upgrade gives another one
    timeline INTEGER NOT NULL,
    start_lsn INTEGER NOT NULL,
    end_lsn INTEGER NOT NULL,
    bytes INTEGER NOT NULL,          -- as stored
    newest INTEGER NOT NULL,         -- nothing committed before is missing; 0: not known yet
    PRIMARY KEY (instance, cluster_id, timeline, start_lsn)
) /*rowless*/;

-- What becomes of the backups of instances that are gone, and when that ends.
CREATE TABLE rds_released (
    instance TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    until INTEGER NOT NULL,
    facts TEXT NOT NULL
);
