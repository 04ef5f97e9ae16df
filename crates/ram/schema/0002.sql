-- When the tenant last signed for a new root key: an earlier signature, or the same again, is worth nothing.
ALTER TABLE ram_account ADD COLUMN root_signed INTEGER NOT NULL DEFAULT 0;
