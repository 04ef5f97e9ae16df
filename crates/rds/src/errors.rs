//! The codes that only this service answers. Clients search for some of these names: see the RDS section of
//! `docs/conformance.md`.

use base::Code;

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $message:literal;)*) => {
        $(#[doc = concat!("`", $name, "`, status ", $status, ".")]
        pub(crate) const $ident: Code = Code::new($name, $status, $message);)*
    };
}

codes! {
    NO_INSTANCE "InvalidDBInstanceId.NotFound" 404 "The specified instance does not exist.";
    INSTANCE_STATUS "OperationDenied.DBInstanceStatus" 403 "The operation is not permitted while the instance is in its present status.";
    PROTECTED "OperationDenied.DeletionProtection" 403 "The instance is protected against deletion: switch the protection off first.";
    HAS_FOLLOWERS "OperationDenied.ReadDBInstance" 403 "The instance has read-only instances: delete them first.";
    IS_FOLLOWER "OperationDenied.DBInstanceType" 403 "The instance follows another one: do this there.";
    ENGINE_UNSUPPORTED "InvalidEngine.NotSupported" 403 "The engine of the instance does not have this.";
    NO_ACCOUNT "InvalidAccountName.NotFound" 404 "The specified account does not exist.";
    ACCOUNT_EXISTS "InvalidAccountName.Duplicate" 400 "The instance has an account of this name already.";
    ACCOUNT_NAME "InvalidAccountName.Malformed" 400 "The specified account name is not valid.";
    ACCOUNT_PASSWORD "InvalidAccountPassword.Malformed" 400 "The specified password is not valid.";
    ACCOUNT_STATUS "OperationDenied.AccountStatus" 403 "The operation is not permitted while the account is in its present status.";
    ACCOUNT_OWNS "OperationDenied.AccountOwnsDatabase" 403 "The account owns a database: delete the database first.";
    NO_DATABASE "InvalidDBName.NotFound" 404 "The specified database does not exist.";
    DATABASE_EXISTS "InvalidDBName.Duplicate" 400 "The instance has a database of this name already.";
    DATABASE_NAME "InvalidDBName.Malformed" 400 "The specified database name is not valid.";
    DATABASE_STATUS "OperationDenied.DBStatus" 403 "The operation is not permitted while the database is in its present status.";
    CHARACTER_SET "InvalidCharacterSetName.Malformed" 400 "The specified character set is not valid.";
    PARAMETERS "InvalidParameters.Malformed" 400 "The specified parameters are not valid.";
    NO_GROUP "ParamGroupsNotExistError" 404 "The specified parameter group does not exist.";
    GROUP_EXISTS "ParamGroupsNameExistError" 409 "There is a parameter group of this name already.";
    NO_BACKUP "InvalidBackup.NotFound" 404 "The specified backup does not exist.";
    BACKUP_RUNNING "BackupJobExists" 400 "A backup is being made already.";
    BACKUP_NEEDED "OperationDenied.LastBackup" 403 "This is the newest backup: it is kept until there is a newer one.";
    RESTORE_TIME "InvalidRestoreTime.NotFound" 400 "Nothing that was kept reaches to the specified time.";
}
