-- When each party's signature was put in, zero where it was not or nobody knows: a signature is an offer, and
-- no offer stands for ever.
ALTER TABLE agreement_release ADD COLUMN signed_provider_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agreement_release ADD COLUMN signed_tenant_at INTEGER NOT NULL DEFAULT 0;

-- Who asked, by kind and id: principal is only how it was called then. Empty (from before) is nobody.
ALTER TABLE privileged_access ADD COLUMN holder TEXT NOT NULL DEFAULT '';
