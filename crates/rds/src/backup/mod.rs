//! Base backups, the archive of the log, restores. Not here: where bytes lie, and the rows (`tables::backup`).

/// The kind of the task that makes a backup (or removes one), as stored. Its id is the backup's.
pub const KIND: &str = "rds.backup";
