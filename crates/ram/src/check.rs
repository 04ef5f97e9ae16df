//! What parameters may look like. Each check names its parameter in the error, as
//! `InvalidParameter.UserName.InvalidChars` or `InvalidParameter.UserName.Length`. That name is ours:
//! codes are logged and published, and hold nothing that a client wrote.

use base::ApiError;
use terms::text::deceives;

use crate::errors::{MALFORMED_POLICY, invalid};
use crate::policy::document::DOCUMENT_MAX;
use crate::policy::{Document, Malformed};

/// A name that goes into ARNs: of a user, group, role, policy or device.
pub(crate) fn name(parameter: &'static str, value: &str, longest: usize) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    length(parameter, value, 1, longest)?;
    chars(parameter, value, allowed, "letters, digits, and the characters . _ - @")
}

/// A user's, group's, role's or device's name.
pub(crate) fn entity(parameter: &'static str, value: &str) -> Result<(), ApiError> {
    name(parameter, value, 64)
}

/// A policy's name.
pub(crate) fn policy_name(value: &str) -> Result<(), ApiError> {
    name("PolicyName", value, 128)
}

/// Free text for people: no control characters.
pub(crate) fn text(parameter: &'static str, value: &str, longest: usize) -> Result<(), ApiError> {
    length(parameter, value, 0, longest)?;
    chars(parameter, value, |c| c != '\n' && !deceives(c), "no control characters")
}

/// An address for mail; empty for none.
pub(crate) fn email(parameter: &'static str, value: &str) -> Result<(), ApiError> {
    text(parameter, value, 128)?;
    let sound =
        value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    format(parameter, value.is_empty() || sound)
}

/// A telephone number, as `62-81234567890`; empty for none.
pub(crate) fn phone(parameter: &'static str, value: &str) -> Result<(), ApiError> {
    length(parameter, value, 0, 64)?;
    format(parameter, value.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+')))
}

/// An account's alias: a label of a host name.
pub(crate) fn alias(value: &str) -> Result<(), ApiError> {
    let parameter = "AccountAlias";
    length(parameter, value, 3, 63)?;
    let plain = value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    format(
        parameter,
        plain && !value.starts_with('-') && !value.ends_with('-') && !value.contains("--"),
    )
}

/// A permission policy.
pub(crate) fn policy(parameter: &'static str, text: &str) -> Result<(), ApiError> {
    document(parameter, text, Document::parse)
}

/// A role's trust policy.
pub(crate) fn trust(parameter: &'static str, text: &str) -> Result<(), ApiError> {
    document(parameter, text, Document::parse_trust)
}

fn document(
    parameter: &'static str,
    text: &str,
    parse: fn(&str) -> Result<Document, Malformed>,
) -> Result<(), ApiError> {
    length(parameter, text, 1, DOCUMENT_MAX)?;
    parse(text)
        .map(|_| ())
        .map_err(|reason| MALFORMED_POLICY.error(format!("{parameter}: {reason}.")))
}

pub(crate) fn length(
    parameter: &'static str,
    value: &str,
    least: usize,
    most: usize,
) -> Result<(), ApiError> {
    if (least..=most).contains(&value.chars().count()) {
        return Ok(());
    }
    let message =
        format!("The parameter {parameter} must have between {least} and {most} characters.");
    Err(invalid(parameter, message).suffix("Length"))
}

/// A number within bounds.
pub(crate) fn range(
    parameter: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), ApiError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let message = format!("The parameter {parameter} must be between {least} and {most}.");
    Err(invalid(parameter, message).suffix("Range"))
}

/// A form that is right or not.
pub(crate) fn format(parameter: &'static str, right: bool) -> Result<(), ApiError> {
    if right {
        return Ok(());
    }
    let message = format!("The format of the parameter {parameter} is not right.");
    Err(invalid(parameter, message).suffix("Format"))
}

fn chars(
    parameter: &'static str,
    value: &str,
    allowed: impl Fn(char) -> bool,
    which: &str,
) -> Result<(), ApiError> {
    if value.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("The parameter {parameter} may hold {which}.");
    Err(invalid(parameter, message).suffix("InvalidChars"))
}
