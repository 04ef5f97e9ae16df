-- Clusters that are kept by Patroni.

ALTER TABLE rds_instance ADD COLUMN keeper TEXT NOT NULL DEFAULT 'awan'; -- awan, patroni

-- The clusters that the configuration offers, and the instances that they are.
CREATE TABLE rds_patroni (
    name TEXT NOT NULL PRIMARY KEY,  -- as the configuration names it; the first label of its host name too
    instance TEXT NOT NULL
) /*rowless*/;
CREATE UNIQUE INDEX rds_patroni_instance ON rds_patroni (instance);

-- Their servers. Nothing that works on rds_member sees them.
CREATE TABLE rds_patroni_member (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,              -- as Patroni names it
    site TEXT NOT NULL,
    zone TEXT NOT NULL,
    role TEXT NOT NULL,              -- primary, standby
    host TEXT NOT NULL,              -- where its server is dialled; empty while that is not known
    port INTEGER NOT NULL,
    observed TEXT NOT NULL,          -- JSON: as in rds_member
    seen INTEGER NOT NULL,
    PRIMARY KEY (instance, name)
) /*rowless*/;
