-- How far an account is billed: hours before closed (seconds) have been closed, months before
-- open_month (their first second) have their final bill, and spent was noted last for spent_month.
CREATE TABLE billing_account (
    account INTEGER NOT NULL PRIMARY KEY,
    closed INTEGER NOT NULL,
    open_month INTEGER NOT NULL,
    spent_month INTEGER NOT NULL,
    spent INTEGER NOT NULL
);

-- Closed hours in which something was added since.
CREATE TABLE billing_late (
    account INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    PRIMARY KEY (account, hour)
)/*rowless*/;

-- Hours are closed across all resources and meters; the key of usage_count begins with those.
CREATE INDEX usage_count_by_hour ON usage_count (account, hour);

-- How much of each line of usage is billed; revision counts the times that it was.
CREATE TABLE usage_rated (
    account INTEGER NOT NULL,
    resource TEXT NOT NULL,
    meter TEXT NOT NULL,
    hour INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (account, resource, meter, hour)
)/*rowless*/;

-- What a month of a meter has come to under each release, by the hours in which it was used. since is an
-- hour of that release: it gives the order and finds the price. quantity is decimal text: a month of
-- byte-seconds is more than 64 bits hold.
CREATE TABLE billing_sum (
    account INTEGER NOT NULL,
    month INTEGER NOT NULL,
    meter TEXT NOT NULL,
    ocid TEXT NOT NULL,
    release TEXT NOT NULL,
    since INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, month, meter, ocid, release)
)/*rowless*/;

-- The lines of bills: added, never changed. hour is when it was used, bill the month whose bill it is
-- on; they part where something was late for its own month's bill. Amounts are micro-units.
CREATE TABLE billing_line (
    id AUTOID,
    account INTEGER NOT NULL,
    bill INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    resource TEXT NOT NULL,
    meter TEXT NOT NULL,
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    product TEXT NOT NULL,
    item TEXT NOT NULL,
    ocid TEXT NOT NULL,
    release TEXT NOT NULL,
    currency TEXT NOT NULL,
    tax_percent INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    unit TEXT NOT NULL,
    unit_size INTEGER NOT NULL,
    price INTEGER NOT NULL,
    slices TEXT NOT NULL,
    amount INTEGER NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (account, resource, meter, hour, revision, ocid, release)
);
CREATE INDEX billing_line_of_bill ON billing_line (account, bill, id);
CREATE INDEX billing_line_of_hour ON billing_line (account, hour);

-- The ledger: each row takes an amount from one book and puts it into another, so that the books of an
-- account always add up to zero. balance is what the tenant has after it (less than zero: owes).
CREATE TABLE billing_ledger (
    id AUTOID,
    account INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    bill INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    note TEXT NOT NULL,
    UNIQUE (account, kind, reference)
);
CREATE INDEX billing_ledger_of_account ON billing_ledger (account, id);

-- Final bills.
CREATE TABLE billing_bill (
    account INTEGER NOT NULL,
    month INTEGER NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, month, currency)
)/*rowless*/;

-- Days (their first second) whose usage is to be committed to, and what was committed to.
CREATE TABLE billing_due (
    account INTEGER NOT NULL,
    day INTEGER NOT NULL,
    PRIMARY KEY (account, day)
)/*rowless*/;
CREATE TABLE billing_commitment (
    account INTEGER NOT NULL,
    day INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    usage_digest TEXT NOT NULL,
    bill_digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, day, revision)
)/*rowless*/;

-- Events of meters outside of the cloud, so that each counts once.
CREATE TABLE usage_event (
    id TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    resource TEXT NOT NULL,
    meter TEXT NOT NULL,
    start INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    at INTEGER NOT NULL
);

-- Budgets and the alarms that they raised; one alarm for each threshold, month and amount.
CREATE TABLE billing_budget (
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    thresholds TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, name)
)/*rowless*/;
CREATE TABLE billing_alarm (
    id AUTOID,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    month INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    spent INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (account, name, month, threshold, amount)
);
