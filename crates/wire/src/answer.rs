//! Answers of the control API, success and error, in JSON and XML.
//!
//! A body is never empty and always one object, and in an error `Code`, `Message`, `RequestId`,
//! `HostId` and `Recommend` are texts and `AccessDeniedDetail` is an object: clients crash otherwise.

#[cfg(test)]
mod tests;

use base::{ApiError, Denied};
use serde_json::{Map, Value, json};

use crate::call::Format;

/// An answer, but for the headers that the server adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The HTTP status.
    pub status: u16,
    /// The Content-Type. Clients compare the XML one letter by letter.
    pub content_type: &'static str,
    /// The body.
    pub bytes: Vec<u8>,
}

/// An RPC action's success: the fields of `value` after a `RequestId`. `action` names the root
/// element of the XML form. A value that is not an object goes into a field `Data`, nothing (null)
/// into none.
pub fn success(format: Format, action: &str, request_id: &str, value: Value) -> Body {
    let value = envelope("RequestId", "Data", request_id, value);
    match format {
        Format::Json => json_body(200, &value),
        Format::Xml => xml_body(200, &format!("{action}Response"), &value),
    }
}

/// A ROA action's success: JSON, in the lower camel case of MaxCompute.
pub fn roa_success(request_id: &str, value: Value) -> Body {
    json_body(200, &envelope("requestId", "data", request_id, value))
}

/// An error. `host_id` is the host that the client addressed.
pub fn error(format: Format, request_id: &str, host_id: &str, error: &ApiError) -> Body {
    let mut value = json!({
        "RequestId": request_id,
        "HostId": host_id,
        "Code": error.code(),
        "Message": error.text(),
        "Recommend": "",
    });
    if let Some(denied) = error.access_denied() {
        value["AccessDeniedDetail"] = access_denied(denied);
    }
    match format {
        Format::Json => json_body(error.status(), &value),
        Format::Xml => xml_body(error.status(), "Error", &value),
    }
}

fn envelope(id_name: &str, data_name: &str, request_id: &str, value: Value) -> Value {
    let mut fields = Map::new();
    fields.insert(id_name.to_owned(), Value::from(request_id));
    match value {
        Value::Object(own) => fields.extend(own.into_iter().filter(|(name, _)| name != id_name)),
        Value::Null => {}
        other => {
            fields.insert(data_name.to_owned(), other);
        }
    }
    Value::Object(fields)
}

fn access_denied(denied: &Denied) -> Value {
    json!({
        "AuthAction": denied.action,
        "AuthPrincipalType": denied.principal_type,
        "AuthPrincipalOwnerId": denied.principal_owner,
        "AuthPrincipalDisplayName": denied.principal_name,
        "NoPermissionType": if denied.explicit { "ExplicitDeny" } else { "ImplicitDeny" },
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "EncodedDiagnosticMessage": "",
    })
}

fn json_body(status: u16, value: &Value) -> Body {
    let bytes = serde_json::to_vec(value).expect("a JSON value has text keys and finite numbers");
    Body { status, content_type: "application/json; charset=utf-8", bytes }
}

fn xml_body(status: u16, root: &str, value: &Value) -> Body {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    push_element(&mut out, &element_name(root), value);
    Body { status, content_type: "text/xml;charset=utf-8", bytes: out.into_bytes() }
}

/// One element; for a list, one for each of its values.
fn push_element(out: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| push_element(out, name, item));
        return;
    }
    for part in ["<", name, ">"] {
        out.push_str(part);
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| push_element(out, &element_name(name), value))
        }
        Value::String(text) => push_text(out, text),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
    for part in ["</", name, ">"] {
        out.push_str(part);
    }
}

/// A field's name as XML takes it: other characters become `_`. Only keys that a tenant chose, as of
/// a map of labels, ever change.
fn element_name(name: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut out: String = name.chars().map(|c| if legal(c) { c } else { '_' }).collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// Escapes a text. XML 1.0 has no way at all to write most control characters: they become U+FFFD.
fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A bare carriage return would reach the reader as a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
}
