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
}
