//! The proof that a host name's owner wants it bound: a token that a bucket's owner asks for, and that the name's
//! owner puts into its DNS, as the TXT record of `_dnsauth.` and the name. A bucket with a token for a name binds it
//! only with the proof, and takes it over by it from whoever has it bound.
//!
//! Not here: binding (`cname`), and asking the DNS (`crate::dns`).

use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Code};
use engine::{Cx, Kind, Meta, Session};
use wire::object::xml::Writer;

use super::call::{Call, Payload};
use super::cname::{self, CNAMES_MAX, TOO_MANY};
use super::{Answer, Storage, respond};
use crate::access::{Ask, Need, require};
use crate::meter::GETS;
use crate::ops::require_to_read;
use crate::tables;
use crate::tables::cname::Token;

/// How long a token lives.
const LIFE: Duration = Duration::from_secs(72 * 3600);
const TOKEN_LEN: usize = 32;
/// The label below which a name's records say who may bind it.
const LABEL: &str = "_dnsauth.";

const NO_TOKEN: Code =
    Code::new("NoSuchCnameToken", 404, "There is no token for this domain name, or it expired.");
/// The proof that a token asks for is missing.
pub(super) const UNPROVEN: Code = Code::new(
    "NeedVerifyDomainOwnership",
    403,
    "The token is not in the TXT record of the domain name that proves its ownership.",
);

impl Storage {
    /// Makes a token, or answers the one that there is.
    pub(super) async fn create_cname_token(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let (name, host) = (call.bucket.clone(), self.asked_cname(call, payload).await?.host);
        let fresh = self.oss.cloud().rng.alphanumeric(TOKEN_LEN).to_lowercase();
        let make = move |cx: &mut Cx<'_>| {
            let bucket = cname::own(cx, &name)?;
            cx.audit_detail("domain", host.as_str());
            let now = cx.now;
            tables::cname::forget_expired(cx.tx(), bucket.id, now)?;
            let token = match tables::cname::token(cx.tx(), bucket.id, &host, now)? {
                Some(token) => token,
                None if tables::cname::count_tokens(cx.tx(), bucket.id)? >= CNAMES_MAX => {
                    return Err(ApiError::new(&TOO_MANY));
                }
                None => {
                    let token = Token { text: fresh.clone(), expires: now.plus(LIFE) };
                    tables::cname::insert_token(cx.tx(), bucket.id, &host, &token)?;
                    token
                }
            };
            Ok(render(&bucket.name, &host, &token))
        };
        let session = call.ctx.session(cname::write("CreateCnameToken"));
        Ok(respond::xml(self.oss.cloud().write(session, make).await?))
    }

    /// The token for the name that the request names.
    pub(super) async fn cname_token(&self, call: &Call<'_>) -> Answer {
        let (name, host) = (call.bucket.clone(), self.host_name(call.text("cname"))?);
        let find = move |cx: &mut Cx<'_>| {
            let bucket = cname::find(cx, &name)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let now = cx.now;
            let token = tables::cname::token(cx.tx(), bucket.id, &host, now)?;
            let token = token.ok_or_else(|| ApiError::new(&NO_TOKEN).field("Domain", &*host))?;
            let document = render(&bucket.name, &host, &token);
            Ok((bucket, document))
        };
        let meta = (cname::read("GetCnameToken"), GETS);
        Ok(respond::xml(self.oss.read(&call.ctx, meta, &call.bucket, find).await?.found))
    }

    /// The token that the DNS of a name has, of those that may bind it. Nothing is asked for who may not, which the
    /// binding itself then refuses.
    pub(super) async fn proof(
        &self,
        session: &Session,
        bucket: &str,
        host: &str,
    ) -> Option<String> {
        let (name, of) = (bucket.to_owned(), host.to_owned());
        let Session { meta, caller, request } = session.clone();
        let look = Arc::new(Session { meta: Meta { kind: Kind::Read, ..meta }, caller, request });
        let find = move |cx: &mut Cx<'_>| {
            let bucket = cname::find(cx, &name)?;
            let action = cx.meta.permission();
            require(cx, &bucket, Ask::new(&action, Need::Own))?;
            let now = cx.now;
            tables::cname::token(cx.tx(), bucket.id, &of, now)
        };
        let token = self.oss.cloud().read(look, find).await.ok().flatten()?.text;
        let texts = self.names.texts(&format!("{LABEL}{host}")).await;
        texts.iter().any(|text| text.trim() == token).then_some(token)
    }
}

fn render(bucket: &str, host: &str, token: &Token) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("CnameToken").text("Bucket", bucket).text("Cname", host);
    xml.text("Token", &token.text).text("ExpireTime", &token.expires.http()).close();
    xml.finish()
}
