-- Monitoring, logs, parameter groups and wishes that are done once.

CREATE TABLE rds_figure (
    instance TEXT NOT NULL,
    at INTEGER NOT NULL,
    figures TEXT NOT NULL,           -- JSON: see node::api::Figures
    PRIMARY KEY (instance, at)
) /*rowless*/;

CREATE TABLE rds_log (
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,              -- error, slow
    at INTEGER NOT NULL,
    digest TEXT NOT NULL,            -- of the line: a line that is told twice is one row
    line TEXT NOT NULL,              -- JSON: see node::api::LogLine
    PRIMARY KEY (instance, kind, at, digest)
) /*rowless*/;

CREATE TABLE rds_parameter_group (
    id TEXT NOT NULL PRIMARY KEY,    -- rpg-…
    account INTEGER NOT NULL,
    region TEXT NOT NULL,
    engine TEXT NOT NULL,
    major TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    parameters TEXT NOT NULL,        -- JSON object of texts
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
);
CREATE UNIQUE INDEX rds_parameter_group_name ON rds_parameter_group (account, region, name);

-- What is to be done once to an instance, by a task of the same id.
CREATE TABLE rds_job (
    id TEXT NOT NULL PRIMARY KEY,
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,              -- of the task: rds.restore_table
    wish TEXT NOT NULL,              -- JSON
    status TEXT NOT NULL,            -- Running, Success, Failed
    created INTEGER NOT NULL
);
CREATE INDEX rds_job_instance ON rds_job (instance, created);
