-- What is wished of extensions, until the node has done it; then only what the server refused of it, and why.

CREATE TABLE rds_extension (
    instance TEXT NOT NULL,
    database_name TEXT NOT NULL,
    name TEXT NOT NULL,
    account TEXT NOT NULL,           -- whose it is to be
    wish TEXT NOT NULL,              -- Create, Update, Drop
    refused TEXT NOT NULL,           -- why; empty while it is to be done
    PRIMARY KEY (instance, database_name, name)
) /*rowless*/;
