//! The system policies: of every account, changed by nobody, in one version.

use std::sync::{Arc, LazyLock};

use super::Document;

/// One system policy.
#[derive(Debug)]
pub struct SystemPolicy {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its document.
    pub document: &'static str,
}

/// When the system policies were made, as answers tell it.
pub const CREATED: base::Time = base::Time::from_secs(1_767_225_600);

macro_rules! full {
    ($service:literal) => {
        concat!(
            r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":""#,
            $service,
            r#":*","Resource":"*"}]}"#
        )
    };
}

macro_rules! read {
    ($service:literal) => {
        concat!(
            r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":[""#,
            $service,
            r#":Get*",""#,
            $service,
            r#":List*",""#,
            $service,
            r#":Describe*",""#,
            $service,
            r#":Query*""#,
            r#"],"Resource":"*"}]}"#
        )
    };
}

const fn policy(
    name: &'static str,
    description: &'static str,
    document: &'static str,
) -> SystemPolicy {
    SystemPolicy { name, description, document }
}

/// Every system policy, ordered by name.
pub static POLICIES: [SystemPolicy; 15] = [
    policy(
        "AdministratorAccess",
        "Everything that the account itself may do.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    policy("AliyunCDNFullAccess", "Manages the content delivery network.", full!("cdn")),
    policy(
        "AliyunCDNReadOnlyAccess",
        "Reads the content delivery network's settings.",
        read!("cdn"),
    ),
    policy(
        "AliyunECSFullAccess",
        "Manages instances, disks, images and networks.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["ecs:*","vpc:*"],"Resource":"*"}]}"#,
    ),
    policy(
        "AliyunECSReadOnlyAccess",
        "Reads instances, disks, images and networks.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["ecs:Describe*","ecs:List*","ecs:Get*","vpc:Describe*","vpc:List*","vpc:Get*"],"Resource":"*"}]}"#,
    ),
    policy("AliyunESSFullAccess", "Manages scaling groups.", full!("ess")),
    policy("AliyunESSReadOnlyAccess", "Reads scaling groups.", read!("ess")),
    policy("AliyunOSSFullAccess", "Manages buckets and objects.", full!("oss")),
    policy("AliyunOSSReadOnlyAccess", "Reads buckets and objects.", read!("oss")),
    policy("AliyunRAMFullAccess", "Manages users, groups, roles, keys and policies.", full!("ram")),
    policy(
        "AliyunRAMReadOnlyAccess",
        "Reads users, groups, roles, keys and policies.",
        read!("ram"),
    ),
    policy("AliyunRDSFullAccess", "Manages databases.", full!("rds")),
    policy("AliyunRDSReadOnlyAccess", "Reads databases' settings.", read!("rds")),
    policy(
        "AliyunSTSAssumeRoleAccess",
        "Assumes the roles that trust the caller.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#,
    ),
    policy(
        "ReadOnlyAccess",
        "Reads everything, changes nothing.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["*:Describe*","*:List*","*:Get*","*:Query*","*:BatchGet*","*:Check*"],"Resource":"*"}]}"#,
    ),
];

static PARSED: LazyLock<Vec<Arc<Document>>> = LazyLock::new(|| {
    let parse = |policy: &SystemPolicy| {
        Document::parse(policy.document).expect("a test parses every system policy")
    };
    POLICIES.iter().map(parse).map(Arc::new).collect()
});

fn position(name: &str) -> Option<usize> {
    POLICIES.binary_search_by_key(&name, |policy| policy.name).ok()
}

/// The system policy of a name.
pub fn find(name: &str) -> Option<&'static SystemPolicy> {
    position(name).map(|at| &POLICIES[at])
}

/// What the system policy of a name says.
pub fn document(name: &str) -> Option<Arc<Document>> {
    position(name).map(|at| Arc::clone(&PARSED[at]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use ::policy::{Asker, Decision, Facts, Party, evaluate};
    use base::AccountId;

    use super::*;

    #[test]
    fn the_system_policies_are_sorted_and_parse() {
        assert!(POLICIES.is_sorted_by_key(|policy| policy.name));
        for policy in &POLICIES {
            assert_eq!(find(policy.name).unwrap().document, policy.document);
            let parsed = Document::parse(policy.document).unwrap();
            assert_eq!(*document(policy.name).unwrap(), parsed);
        }
        assert!(find("Nothing").is_none());
        let readonly = document("ReadOnlyAccess").unwrap();
        let asker = Asker {
            account: AccountId::new(1_000_000_000_000_001),
            party: Party::User { id: "2", name: "a" },
        };
        let values = |_: &str| Vec::new();
        let check = |action| {
            let facts = Facts { action, resource: "acs:x:*:1:y", asker, values: &values };
            evaluate([&*readonly], &facts)
        };
        assert_eq!(check("ecs:DescribeInstances"), Decision::Allow);
        assert_eq!(check("oss:PutObject"), Decision::ImplicitDeny);
    }
}
