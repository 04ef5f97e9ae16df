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
    NO_BACKUP "InvalidBackup.NotFound" 404 "The specified backup does not exist.";
}
