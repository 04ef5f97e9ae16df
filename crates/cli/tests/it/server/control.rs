//! The little of the control API that the demonstration needs: an account, its users and their keys.

use std::collections::{BTreeMap, BTreeSet};

use base::{ApiError, Code, Time};
use serde_json::{Value, json};
use terms::statement;

use super::covenant::Covenant;
use super::{KEY_ID, SECRET, books};

const ACCOUNT_ID: &str = "1234567890123456";

/// Who a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub secret: String,
    pub owner: String,
}

/// Accounts, users and keys.
pub struct Directory {
    pub keys: BTreeMap<String, Key>,
    /// Everything that can be made once: `account/kpu`, `user/petugas`, …
    made: BTreeSet<String>,
    /// Actions in the order in which they were done.
    done: Vec<String>,
    next_key: usize,
    pub covenant: Covenant,
    /// What `GetReceipt` answers, by request id.
    pub receipts: BTreeMap<String, Value>,
}

impl Default for Directory {
    fn default() -> Self {
        let root = Key { secret: SECRET.to_owned(), owner: "root".to_owned() };
        let keys = BTreeMap::from([(KEY_ID.to_owned(), root)]);
        Self {
            keys,
            made: BTreeSet::new(),
            done: Vec::new(),
            next_key: 0,
            covenant: Covenant::default(),
            receipts: BTreeMap::new(),
        }
    }
}

impl Directory {
    /// Does what the action says.
    pub fn act(
        &mut self,
        key_id: &str,
        action: &str,
        params: &[(String, String)],
    ) -> Result<Value, ApiError> {
        let get = |name: &str| {
            params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
        };
        if let Some(answer) = self.covenant.act(action, &get).or_else(|| books::act(action, &get)) {
            self.done.push(action.to_owned());
            return answer;
        }
        let answer = match action {
            "GetReceipt" => {
                let rows = self.receipts.get(get("ReceiptId")).cloned().unwrap_or(json!([]));
                json!({"Receipts": {"Receipt": rows}})
            }
            "GetCallerIdentity" => {
                let owner = &self.keys[key_id].owner;
                json!({"Arn": format!("acs:ram::{ACCOUNT_ID}:{owner}"), "AccountId": ACCOUNT_ID})
            }
            "CreateAccount" => {
                let name = get("AccountName");
                self.make(&format!("account/{name}"))?;
                json!({"Account": {"AccountId": ACCOUNT_ID, "AccountName": name}, "AccessKey": self.key("kpu")})
            }
            "ListAccounts" => {
                json!({"Accounts": {"Account": [{"AccountId": ACCOUNT_ID, "AccountName": "kpu"}]}})
            }
            "CreateAccountAccessKey" => {
                if self.covenant.has_any() {
                    let at = Time::parse_iso(get("SignedAt")).unwrap_or(Time::from_secs(0));
                    let text = statement::account_key(get("AccountId").parse().unwrap(), at);
                    self.covenant.tenant_signed(&text, get("SignatureLine"))?;
                    self.keys.retain(|_, key| key.owner != "kpu");
                }
                json!({"AccessKey": self.key("kpu")})
            }
            "CreateUser" => self.make(&format!("user/{}", get("UserName")))?,
            "CreatePolicy" => self.make(&format!("policy/{}", get("PolicyName")))?,
            "AttachPolicyToUser" => {
                self.make(&format!("{}+{}", get("PolicyName"), get("UserName")))?
            }
            "CreateAccessKey" => json!({"AccessKey": self.key(get("UserName"))}),
            "ListAccessKeys" => {
                let keys = self.keys.iter().filter(|(_, key)| key.owner == get("UserName"));
                let keys: Vec<_> = keys.map(|(id, _)| json!({"AccessKeyId": id})).collect();
                json!({"AccessKeys": {"AccessKey": keys}})
            }
            "DeleteAccessKey" => {
                self.keys.remove(get("UserAccessKeyId"));
                json!({})
            }
            "ListUsage" if get("NextToken").is_empty() => {
                json!({"Items": {"Item": [{"Resource": "b", "Meter": "put", "Hour": "h", "Quantity": 1}]}, "NextToken": "2"})
            }
            "ListUsage" => {
                json!({"Items": {"Item": [{"Resource": "b", "Meter": "put", "Hour": "i", "Quantity": 2}]}})
            }
            "ListAuditEntries" => {
                let entry = |action: &String| json!({"Action": action, "Outcome": "OK"});
                json!({"Entries": {"Entry": self.done.iter().rev().map(entry).collect::<Vec<_>>()}})
            }
            other => return Err(Code::new("InvalidAction.NotFound", 400, "").error(other)),
        };
        self.done.push(action.to_owned());
        Ok(answer)
    }

    /// How often an action was done.
    pub fn times(&self, action: &str) -> usize {
        self.done.iter().filter(|done| *done == action).count()
    }

    fn make(&mut self, what: &str) -> Result<Value, ApiError> {
        if self.made.insert(what.to_owned()) {
            return Ok(json!({}));
        }
        Err(Code::new("EntityAlreadyExists.Some", 409, "").error(what))
    }

    fn key(&mut self, owner: &str) -> Value {
        self.next_key += 1;
        let (id, secret) = (format!("id-{}", self.next_key), format!("secret-{}", self.next_key));
        let key = Key { secret: secret.clone(), owner: owner.to_owned() };
        self.keys.insert(id.clone(), key);
        json!({"AccessKeyId": id, "AccessKeySecret": secret})
    }
}
