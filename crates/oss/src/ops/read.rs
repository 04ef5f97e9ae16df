//! The way of every read that the provider's people may do under a privilege: on a snapshot like any other,
//! or on record first.

use std::sync::Arc;

use base::ApiError;
use engine::{Cx, Kind, Meta};

use crate::access::payer;
use crate::meter::Payer;
use crate::model::{Bucket, RequestCtx};
use crate::{Oss, error, tables};

/// What a read found.
pub(crate) struct Seen<T> {
    /// The bucket that it is in.
    pub(crate) bucket: Bucket,
    /// What was asked for.
    pub(crate) found: T,
    /// Who pays; nobody where the provider reads what is a tenant's.
    pub(crate) payer: Option<Payer>,
}

impl Oss {
    /// Runs a read of something in the bucket `name`, and counts the request.
    ///
    /// Where it is refused to an operator who holds a privilege, it runs again as a write of the same name,
    /// so that its audit entry is committed before anything is answered, also that there is nothing.
    /// [`crate::access::require`] allows there what was asked with [`crate::access::Ask::reading`].
    ///
    /// # Errors
    /// Those of `run`.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ctx: &RequestCtx,
        (meta, meter): (Meta, &'static str),
        name: &str,
        mut run: impl FnMut(&mut Cx<'_>) -> Result<(Bucket, T), ApiError> + Clone + Send + 'static,
    ) -> Result<Seen<T>, ApiError> {
        let cloud = &self.0.cloud;
        let mut at_cost = run.clone();
        let look = move |cx: &mut Cx<'_>| {
            let (bucket, found) = at_cost(cx)?;
            Ok((payer(cx, &bucket), bucket, found))
        };
        match cloud.read(ctx.session(meta), look).await {
            Ok((payer, bucket, found)) => {
                let payer = Payer::new(payer, &bucket);
                self.0.reads.count(&payer, meter, 1);
                Ok(Seen { bucket, found, payer: Some(payer) })
            }
            Err(refused)
                if refused.is(&error::ACCESS_DENIED) && self.is_privileged(ctx, name).await? =>
            {
                let session = ctx.session(Meta { kind: Kind::Write, ..meta });
                let on_record = move |cx: &mut Cx<'_>| match run(cx) {
                    // That nothing is there is an answer too, and as much on record as what is there.
                    Err(missing) if cx.is_public("access") && missing.status() == 404 => {
                        Ok(Err(missing))
                    }
                    done => done.map(Ok),
                };
                let (bucket, found) = cloud.write(session, on_record).await??;
                Ok(Seen { bucket, found, payer: None })
            }
            Err(refused) => Err(refused),
        }
    }

    /// Whether the caller holds a privilege over the bucket's owner, so that others' refused reads cost no
    /// write.
    async fn is_privileged(&self, ctx: &RequestCtx, name: &str) -> Result<bool, ApiError> {
        if !ctx.caller.operator {
            return Ok(false);
        }
        let cloud = Arc::clone(&self.0.cloud);
        let (caller, name, now) = (ctx.caller.clone(), name.to_owned(), cloud.clock.now());
        let held = move |tx: &mut store::Tx<'_>| {
            let Some(bucket) = tables::bucket::find(tx, &name)? else { return Ok(false) };
            Ok(cloud.covenant.privilege(tx, &caller, bucket.owner, now)?.is_some())
        };
        self.0.cloud.db.read(held).await
    }
}
