//! The agreement actions, as far as the client's verbs and the demonstration need them.

use base::{AccountId, ApiError, Code, Secret, Time};
use serde_json::{Value, json};
use terms::clauses::{Keys, Log, Text};
use terms::release::{Draft, Party, Tag};
use terms::{Release, signature};
use tlog::Signer;

const WRONG: Code = Code::new("OperationConflict.Agreement", 409, "Not now.");
const ABSENT: Code = Code::new("EntityNotExist.Agreement", 404, "There is none.");

struct Row {
    release: Release,
    lines: Vec<String>,
    state: &'static str,
}

/// The parties' agreements, the provider's key, and the key of the log.
pub struct Covenant {
    pub log: Signer,
    pub provider: Signer,
    rows: Vec<Row>,
    accesses: Vec<Value>,
    /// Says another digest than the document's.
    pub lies: bool,
}

impl Default for Covenant {
    fn default() -> Self {
        let key = |name: &str, seed| Signer::from_seed(name, Secret::new([seed; 32])).unwrap();
        let (log, provider) = (key("awan.test/log", 1), key("awan.test/log/provider", 2));
        Self { log, provider, rows: Vec::new(), accesses: Vec::new(), lies: false }
    }
}

impl Covenant {
    /// Every release with its state.
    pub fn states(&self) -> Vec<(String, &'static str)> {
        self.rows.iter().map(|row| (row.release.id().to_owned(), row.state)).collect()
    }

    /// The release of that id.
    pub fn release(&self, id: &str) -> Release {
        self.rows.iter().find(|row| row.release.id() == id).unwrap().release.clone()
    }

    /// Does what the action says; `None` where it is none of these.
    pub fn act<'p>(
        &mut self,
        action: &str,
        get: &dyn Fn(&str) -> &'p str,
    ) -> Option<Result<Value, ApiError>> {
        Some(match action {
            "DescribeAgreementTemplate" => Ok(json!({"Document": self.template(get)})),
            "CreateAgreement" | "AmendAgreement" => self.draft(get("Document")),
            "SignAgreement" => self.sign(get("ReleaseId"), get("SignatureLine")),
            "PublishAgreement" => self.come(get("ReleaseId"), "Published"),
            "ActivateAgreement" => self.come(get("ReleaseId"), "Active"),
            "EndAgreement" => self.end(get("Document"), get("SignatureLine")),
            "GetAgreement" => self.in_force(),
            "GetAgreementRelease" => {
                let lies = self.lies;
                self.find(get("ReleaseId")).map(|row| {
                    let lines: Vec<&str> = row.lines.iter().map(String::as_str).collect();
                    let note = signature::join(&row.release, &lines).unwrap_or_default();
                    json!({
                        "Document": String::from_utf8_lossy(row.release.bytes()),
                        "Digest": if lies { "0" } else { row.release.digest() }, "State": row.state,
                        "Statement": signature::statement(&row.release),
                        "Signatures": String::from_utf8_lossy(&note),
                    })
                })
            }
            "ListAgreements" => {
                let item = |row: &Row| json!({"Ocid": row.release.ocid(), "ReleaseId": row.release.id(), "State": row.state});
                Ok(
                    json!({"Agreements": {"Agreement": self.rows.iter().map(item).collect::<Vec<_>>()}}),
                )
            }
            "RequestPrivilegedAccess" => {
                let access = json!({"AccessId": "pa-1", "AccountId": get("AccountId"), "Principal": "acs:ram::1:user/ani", "Reason": get("Reason"), "Hours": get("Hours").parse::<u32>().unwrap(), "State": "Requested"});
                self.accesses.push(access.clone());
                Ok(json!({ "Access": access }))
            }
            "ApprovePrivilegedAccess" => self.approve(get("AccessId"), get("SignatureLine")),
            "WithdrawSignature" => self.come(get("ReleaseId"), "Draft"),
            "DenyPrivilegedAccess" | "EndPrivilegedAccess" => {
                let known =
                    self.accesses.iter().any(|access| access["AccessId"] == get("AccessId"));
                if known { Ok(json!({})) } else { Err(ABSENT.into()) }
            }
            "ListPrivilegedAccess" => Ok(json!({"Accesses": {"Access": self.accesses}})),
            _ => return None,
        })
    }

    /// Whether there is any release.
    pub fn has_any(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Checks the tenant's signature as the cloud does, by the key of the last release.
    pub fn tenant_signed(&self, text: &str, line: &str) -> Result<(), ApiError> {
        let row = self.rows.last().ok_or(ABSENT)?;
        let key = &row.release.terms().keys.tenant;
        terms::statement::verify(text, line, key).map_err(|_| base::code::TENANT_SIGNATURE.into())
    }

    fn approve(&self, id: &str, line: &str) -> Result<Value, ApiError> {
        let access = self.accesses.iter().find(|access| access["AccessId"] == id).ok_or(ABSENT)?;
        let account = access["AccountId"].as_str().unwrap().parse().unwrap();
        let hours = u32::try_from(access["Hours"].as_u64().unwrap()).unwrap();
        let reason = access["Reason"].as_str().unwrap();
        self.tenant_signed(&terms::statement::privileged_access(id, account, reason, hours), line)?;
        Ok(json!({}))
    }

    fn template<'p>(&self, get: &dyn Fn(&str) -> &'p str) -> String {
        let account: AccountId = get("AccountId").parse().unwrap();
        let party = |name: &str, scheme: &str, id: &str| Party {
            name: name.to_owned(),
            scheme: scheme.to_owned(),
            id: id.to_owned(),
            additional: Vec::new(),
            contact: None,
        };
        let text = |text: &str| Text { id: text.to_owned(), en: text.to_owned() };
        let log = Log {
            origin: self.log.verifier().name().to_owned(),
            key: self.log.verifier().to_string(),
        };
        let keys = Keys {
            provider: self.provider.verifier().to_string(),
            tenant: get("TenantKey").to_owned(),
        };
        let start = Time::from_secs(1_700_000_000);
        let release = Release::build(&Draft {
            ocid: format!("ocds-awan00-{account}"),
            id: "contract-1".to_owned(),
            date: start,
            tag: Tag::Contract,
            provider: party("PT Awan", "ID-NIB", "1"),
            tenant: party(get("TenantName"), "X-AWAN", &account.to_string()),
            title: text("Perjanjian"),
            rationale: text("uji"),
            procurement_method: "direct".to_owned(),
            start,
            end: None,
            value_cap: None,
            amends: None,
            terms: terms::defaults::terms(account, log, keys),
        });
        String::from_utf8(release.unwrap().bytes().to_vec()).unwrap()
    }

    fn find(&mut self, id: &str) -> Result<&mut Row, ApiError> {
        self.rows.iter_mut().find(|row| row.release.id() == id).ok_or(ABSENT.into())
    }

    fn draft(&mut self, document: &str) -> Result<Value, ApiError> {
        let release =
            Release::parse(document.as_bytes()).map_err(|error| WRONG.error(error.to_string()))?;
        let answer = json!({
            "Ocid": release.ocid(), "ReleaseId": release.id(), "Digest": release.digest(),
            "Statement": signature::statement(&release),
        });
        self.rows.push(Row { release, lines: Vec::new(), state: "Draft" });
        Ok(answer)
    }

    fn sign(&mut self, id: &str, line: &str) -> Result<Value, ApiError> {
        let row = self.find(id)?;
        row.lines.push(line.to_owned());
        let lines: Vec<&str> = row.lines.iter().map(String::as_str).collect();
        let note = signature::join(&row.release, &lines)
            .map_err(|error| WRONG.error(error.to_string()))?;
        let signed = signature::verify(&row.release, &note).unwrap();
        if signed.both() {
            row.state = "Signed";
        }
        Ok(json!({"Provider": signed.provider, "Tenant": signed.tenant, "State": row.state}))
    }

    fn come(&mut self, id: &str, state: &'static str) -> Result<Value, ApiError> {
        let row = self.find(id)?;
        if row.state == "Draft" {
            return Err(WRONG.into());
        }
        row.state = state;
        Ok(json!({"State": state}))
    }

    fn end(&mut self, document: &str, line: &str) -> Result<Value, ApiError> {
        self.draft(document)?;
        let row = self.rows.last_mut().unwrap();
        signature::join(&row.release, &[line]).map_err(|error| WRONG.error(error.to_string()))?;
        let until = row.release.end().unwrap().iso();
        self.rows.iter_mut().for_each(|row| row.state = "Ended");
        Ok(json!({ "Until": until }))
    }

    fn in_force(&mut self) -> Result<Value, ApiError> {
        let row = self.rows.iter().rev().find(|row| row.state == "Active").ok_or(ABSENT)?;
        Ok(json!({"Agreement": {
            "Ocid": row.release.ocid(), "ReleaseId": row.release.id(), "State": "Active",
            "ActiveSince": row.release.start().iso(),
        }}))
    }
}
