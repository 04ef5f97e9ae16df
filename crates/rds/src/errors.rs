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
    NO_REGION "InvalidRegionId.NotFound" 404 "The specified region does not exist.";
    NO_ZONE "InvalidZoneId.NotFound" 404 "The specified zone does not exist in this region.";
    NO_ENGINE "InvalidEngine.NotFound" 404 "The specified engine is not offered here.";
    NO_VERSION "InvalidEngineVersion.NotSupported" 400 "The specified version of the engine is not offered there.";
    NO_CLASS "InvalidDBInstanceClass.NotFound" 404 "There is no such class for this engine.";
    NO_HOST "InvalidCurrentConnectionString.NotFound" 404 "The instance has no such host name.";
    HOST_TAKEN "InvalidConnectionString.Duplicate" 409 "The prefix of the host name is taken.";
    HAS_PUBLIC_HOST "NetTypeExists" 400 "The instance has a public host name already.";
    NOT_SUPPORTED "OperationDenied.NotSupported" 403 "This is not provided here.";
    NO_STANDBY "OperationDenied.DBInstanceCategory" 403 "The instance has no standby.";
    OUT_OF_ZONES "OperationDenied.OutofUsage" 403 "There are not enough zones that have what is asked for.";
    STORAGE_IN_USE "OperationDenied.StorageInUse" 403 "What is stored does not fit into the storage that is asked for.";
    UP_TO_DATE "OperationDenied.EngineVersion" 403 "The instance has this version already, or a newer one.";
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
    NO_EXTENSION "InvalidExtensionName.NotFound" 404 "The specified extension does not exist.";
    CHARACTER_SET "InvalidCharacterSetName.Malformed" 400 "The specified character set is not valid.";
    PARAMETERS "InvalidParameters.Malformed" 400 "The specified parameters are not valid.";
    NO_GROUP "ParamGroupsNotExistError" 404 "The specified parameter group does not exist.";
    GROUP_EXISTS "ParamGroupsNameExistError" 409 "There is a parameter group of this name already.";
    NO_BACKUP "InvalidBackup.NotFound" 404 "The specified backup does not exist.";
    BACKUP_RUNNING "BackupJobExists" 400 "A backup is being made already.";
    BACKUP_NEEDED "OperationDenied.LastBackup" 403 "This is the newest backup: it is kept until there is a newer one.";
    RESTORE_TIME "InvalidRestoreTime.NotFound" 400 "Nothing that was kept reaches to the specified time.";
}
