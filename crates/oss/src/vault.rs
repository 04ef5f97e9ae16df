//! What other services keep for tenants ([`engine::ports::Vault`]), as objects in the tenants' own buckets: placed,
//! sealed, metered and audited as anybody's.
//!
//! The cloud itself makes these buckets, and it alone writes and deletes what is in them; their owner may read it.
//! Their names are kept from everybody else, so that nobody takes one away beforehand ([`is_vault`]).

use std::sync::Arc;

use base::{AccountId, ApiError, RequestId};
use bytes::Bytes;
use engine::ports::{Kept, Pending, Pieces, Vault, VaultBucket};
use engine::{Caller, CallerKind, RequestInfo};
use store::Tx;
use terms::clauses::DataClass;

use crate::model::{Redundancy, RequestCtx};
use crate::ops::{
    CreateBucket, DeleteKey, Fetched, GetOptions, ListQuery, ObjectStream, PAGE_MAX, Source,
};
use crate::{Created, Oss, PutOptions, error, tables};

/// How the names of these buckets begin. Nobody but the cloud makes buckets that are called so.
const RESERVED: &str = "awan-rds-";

/// Whether a bucket of that name is the cloud's to make and to change.
pub(crate) fn is_vault(name: &str) -> bool {
    name.starts_with(RESERVED)
}

impl Vault for Oss {
    fn ensure(&self, bucket: VaultBucket) -> Pending<'_, String> {
        Box::pin(self.ensure_vault(bucket))
    }

    fn put<'a>(&'a self, bucket: &'a str, key: &'a str, body: Box<dyn Pieces>) -> Pending<'a, u64> {
        Box::pin(async move {
            let ctx = self.as_system();
            let stored = self.put(&ctx, bucket, key, PutOptions::default(), Incoming(body)).await?;
            Ok(stored.size)
        })
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> Pending<'a, Option<Box<dyn Pieces>>> {
        Box::pin(async move {
            match self.get(&self.as_system(), bucket, key, GetOptions::default()).await {
                Ok(Fetched::Found { body, .. }) => {
                    Ok(Some(Box::new(Outgoing(body)) as Box<dyn Pieces>))
                }
                Ok(Fetched::NotModified(_)) => Ok(None),
                Err(missing) if missing.is(&error::NO_SUCH_KEY) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn list<'a>(
        &'a self,
        bucket: &'a str,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> Pending<'a, Vec<Kept>> {
        Box::pin(async move {
            let query = ListQuery {
                prefix: prefix.to_owned(),
                after: after.to_owned(),
                limit: limit.min(PAGE_MAX),
                ..ListQuery::default()
            };
            let page = self.list(&self.as_system(), bucket, query).await?;
            let kept = page.objects.into_iter().map(|object| Kept {
                key: object.key,
                size: object.size,
                modified: object.modified,
            });
            Ok(kept.collect())
        })
    }

    fn delete<'a>(&'a self, bucket: &'a str, keys: Vec<String>) -> Pending<'a, ()> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(());
            }
            let key = |key| DeleteKey { key, ..DeleteKey::default() };
            let keys = keys.into_iter().map(key).collect();
            let outcomes = self.delete_many(&self.as_system(), bucket, keys).await?;
            outcomes.into_iter().try_for_each(|(_, outcome)| outcome.map(drop))
        })
    }
}

impl Oss {
    async fn ensure_vault(&self, wanted: VaultBucket) -> Result<String, ApiError> {
        let name = self.vault_name(&wanted);
        let (sought, account, class) = (name.clone(), wanted.account, wanted.class);
        let (covenant, now) = (Arc::clone(&self.0.cloud.covenant), self.0.cloud.clock.now());
        let look = move |tx: &mut Tx<'_>| {
            let found = tables::bucket::find(tx, &sought)?;
            let in_force = covenant.in_force(tx, account, now)?;
            let rule = in_force.as_ref().and_then(|bound| bound.terms.residency.rule(class));
            Ok::<_, ApiError>((found, rule.map_or(1, |rule| rule.zones_min)))
        };
        let (found, zones) = self.0.cloud.db.read(look).await?;
        if found.is_some_and(|bucket| (bucket.owner, bucket.class) == (account, class)) {
            return Ok(name);
        }
        let options = CreateBucket {
            redundancy: if zones > 1 { Redundancy::Zones } else { Redundancy::Local },
            class: Some(class),
            region: Some(wanted.region),
            repeatable: true,
            ..CreateBucket::default()
        };
        let ctx = self.as_system_of(account);
        let (Created::New(_) | Created::Already(_)) =
            self.create_bucket(&ctx, &name, options).await?;
        Ok(name)
    }

    /// Names are one space for the whole cloud, and an account may have data of several classes and regions.
    fn vault_name(&self, VaultBucket { account, service, class, region }: &VaultBucket) -> String {
        let mut name = name_of(service, *account, *class);
        if *region != self.0.cloud.region.id {
            name.push('-');
            name.push_str(region);
        }
        name
    }

    /// The cloud itself, acting within an account.
    fn as_system_of(&self, account: AccountId) -> RequestCtx {
        let id = RequestId::random(&*self.0.cloud.rng);
        RequestCtx {
            caller: Caller { account, kind: CallerKind::System, ..Caller::system() },
            request: RequestInfo { id, ..RequestInfo::default() },
        }
    }
}

fn name_of(service: &str, account: AccountId, class: DataClass) -> String {
    format!("awan-{service}-{account}-{}", class.as_str())
}

/// A service's bytes as a body.
struct Incoming(Box<dyn Pieces>);

impl Source for Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.0.next().await
    }
}

/// An object's bytes for a service.
struct Outgoing(Box<ObjectStream>);

impl Pieces for Outgoing {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        Box::pin(async { self.0.next().await.transpose() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_databases_have_reserved_names_that_are_names_of_buckets() {
        for class in DataClass::ALL {
            let name = name_of("rds", AccountId::new(9_999_999_999_999_999), class);
            assert!(name.starts_with(RESERVED), "{name}");
            assert!(name.len() <= 45, "{name} leaves no room for a region");
        }
    }
}
