//! What of the API an instance has whose servers Patroni keeps. What is not named here is refused, so that an action
//! that is new is not carried out on servers that are not the cloud's.

use base::ApiError;

use crate::errors::NOT_SUPPORTED;

/// The actions that such an instance has.
const OFFERED: [&str; 20] = [
    "DescribeDBInstances",
    "DescribeDBInstanceAttribute",
    "DescribeDBInstanceNetInfo",
    "DescribeDBInstanceHAConfig",
    "DescribeDBInstanceIPArrayList",
    "DescribeTasks",
    "DescribeTags",
    "DescribeSecurityGroupConfiguration",
    "DescribeInstanceAutoRenewalAttribute",
    "ListTagResources",
    "TagResources",
    "UntagResources",
    "AddTagsToResource",
    "RemoveTagsFromResource",
    "ModifyDBInstanceDescription",
    "ModifyResourceGroup",
    "ModifySecurityIps",
    "MigrateSecurityIPMode",
    "RestartDBInstance",
    "SwitchDBInstanceHA",
];

/// Words in the names of actions, each with what to use instead; the first that fits counts.
const INSTEAD: [(&[&str], &str); 10] = [
    (
        &["DeleteDBInstance"],
        "its operator lets it go by taking it out of the configuration, and its servers stay.",
    ),
    (
        &["StartDBInstance", "StopDBInstance"],
        "its operator starts and stops its servers; RestartDBInstance restarts them.",
    ),
    (
        &["HASwitch", "HADiagnose", "HAConfig"],
        "how it fails over is said in Patroni's own settings.",
    ),
    (
        &["Account", "Privilege"],
        "make accounts and give rights in SQL, with a role that its operator gave you.",
    ),
    (&["Database", "DBName", "DBDescription", "Collation"], "make and drop databases in SQL."),
    (
        &["Backup", "Recovery", "Clone", "Restore", "ReadOnly"],
        "its operator backs it up and makes its copies, with the tools that it has.",
    ),
    (
        &["Param"],
        "its settings are those of its operator, who changes them with patronictl edit-config.",
    ),
    (
        &["SSL", "TDE", "Encryption", "PGHba", "Connection"],
        "its certificate, its names and its pg_hba.conf are its operator's.",
    ),
    (
        &["Spec", "Upgrade", "Kernel", "EngineVersion"],
        "its operator gives it other machines and other versions.",
    ),
    (
        &["Performance", "ResourceUsage", "Log", "Collector", "Monitor", "Das"],
        "its figures and its logs are with its operator.",
    ),
];

/// Refuses what such an instance has not.
///
/// # Errors
/// [`NOT_SUPPORTED`], with what to use instead.
pub(crate) fn check(action: &str) -> Result<(), ApiError> {
    if OFFERED.contains(&action) {
        return Ok(());
    }
    let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| action.contains(word));
    let instead = INSTEAD.iter().find(fits).map_or("ask its operator.", |(_, instead)| instead);
    Err(NOT_SUPPORTED.error(format!("The instance is a cluster under Patroni: {instead}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ACTIONS;

    #[test]
    fn every_action_that_is_offered_is_there() {
        for name in OFFERED {
            assert!(ACTIONS.iter().any(|entry| entry.meta.name == name), "{name}");
        }
    }

    #[test]
    fn what_is_refused_says_what_to_use_instead() {
        let told = |action| check(action).err().map(|error| error.text().to_owned());
        for (action, word) in [
            ("DeleteDBInstance", "configuration"),
            ("StopDBInstance", "RestartDBInstance"),
            ("CreateAccount", "SQL"),
            ("CreateDatabase", "SQL"),
            ("CreateBackup", "backs it up"),
            ("ModifyParameter", "patronictl"),
            ("ModifyDBInstanceSSL", "certificate"),
            ("ModifyDBInstanceSpec", "machines"),
            ("DescribeErrorLogs", "logs"),
            ("SomethingOfTomorrow", "operator"),
        ] {
            assert!(told(action).is_some_and(|text| text.contains(word)), "{action}");
        }
        assert_eq!(told("ModifySecurityIps"), None);
    }
}
