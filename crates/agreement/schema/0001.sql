-- The agreement between the provider and an account, as far as the request path needs it.
CREATE TABLE agreement (
    account INTEGER NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    services TEXT NOT NULL,
    active_since INTEGER NOT NULL
);
