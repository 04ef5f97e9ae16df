//! How many connections go on at once, in all, of an account and to an instance: no account takes the gateway from the
//! others, and no instance has more than its server could serve and a few that wait.

use base::AccountId;

use super::slots::{Slot, Slots};
use super::{Limits, Quota};

/// See the module.
pub(super) struct Shares {
    spare: usize,
    account_max: usize,
    connections_max: usize,
    instances: Slots<String>,
    accounts: Slots<AccountId>,
    all: Slots<()>,
}

/// A connection's own, until it is dropped.
pub(super) struct Share {
    pub(super) instance: String,
    _slots: (Slot<String>, Slot<AccountId>, Slot<()>),
}

impl Shares {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            spare: limits.instance_spare,
            account_max: limits.account_max,
            connections_max: limits.connections_max,
            instances: Slots::default(),
            accounts: Slots::default(),
            all: Slots::default(),
        }
    }

    /// A share for a connection to that instance; `None` where it, its account or all of them have as many as may be.
    pub(super) fn take(&self, instance: &str, quota: Quota) -> Option<Share> {
        let instance = instance.to_owned();
        let own = self.instances.take(&instance, quota.connections.saturating_add(self.spare))?;
        let account = self.accounts.take(&quota.account, self.account_max)?;
        let all = self.all.take(&(), self.connections_max)?;
        Some(Share { instance, _slots: (own, account, all) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_an_account_and_all_have_so_many_and_what_is_refused_takes_nothing() {
        let limits =
            Limits { connections_max: 5, account_max: 3, instance_spare: 1, ..Limits::default() };
        let shares = Shares::new(&limits);
        let quota = |account| Quota { account: AccountId::new(account), connections: 1 };
        let mut kept: Vec<Option<Share>> = Vec::new();
        let mut take = |instance, account| {
            let share = shares.take(instance, quota(account));
            let taken = share.is_some();
            kept.push(share);
            taken
        };
        assert!(take("a", 1) && take("a", 1));
        assert!(!take("a", 1), "its class has one, and one may wait");
        assert!(take("b", 1));
        assert!(!take("c", 1), "the account has three");
        assert!(take("d", 2) && take("e", 2));
        assert!(!take("f", 2), "all have five");
        kept.clear();
        assert!(shares.take("f", quota(2)).is_some());
    }
}
