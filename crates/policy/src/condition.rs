//! Conditions: an operator, a key of the request, and the values it is held against.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base::Time;

use crate::Malformed;
use crate::matcher::{self, glob};

/// What kind of values an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Date,
    Flag,
    Network,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    EqualFold,
    Like,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// Whether the request says nothing.
    Absent,
}

/// One of the language's operators.
#[derive(Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its name in documents, without `IfExists`.
    pub name: &'static str,
    family: Family,
    compare: Compare,
    negated: bool,
}

const fn op(name: &'static str, family: Family, compare: Compare) -> Operator {
    Operator { name, family, compare, negated: false }
}

const fn not(name: &'static str, family: Family, compare: Compare) -> Operator {
    Operator { name, family, compare, negated: true }
}

/// Every operator of the language. Each may also end in `IfExists`.
pub static OPERATORS: [Operator; 21] = [
    op("StringEquals", Family::Text, Compare::Equal),
    not("StringNotEquals", Family::Text, Compare::Equal),
    op("StringEqualsIgnoreCase", Family::Text, Compare::EqualFold),
    not("StringNotEqualsIgnoreCase", Family::Text, Compare::EqualFold),
    op("StringLike", Family::Text, Compare::Like),
    not("StringNotLike", Family::Text, Compare::Like),
    op("NumericEquals", Family::Number, Compare::Equal),
    not("NumericNotEquals", Family::Number, Compare::Equal),
    op("NumericLessThan", Family::Number, Compare::Less),
    op("NumericLessThanEquals", Family::Number, Compare::LessEqual),
    op("NumericGreaterThan", Family::Number, Compare::Greater),
    op("NumericGreaterThanEquals", Family::Number, Compare::GreaterEqual),
    op("DateEquals", Family::Date, Compare::Equal),
    not("DateNotEquals", Family::Date, Compare::Equal),
    op("DateLessThan", Family::Date, Compare::Less),
    op("DateLessThanEquals", Family::Date, Compare::LessEqual),
    op("DateGreaterThan", Family::Date, Compare::Greater),
    op("DateGreaterThanEquals", Family::Date, Compare::GreaterEqual),
    op("Bool", Family::Flag, Compare::Equal),
    op("IpAddress", Family::Network, Compare::Equal),
    not("NotIpAddress", Family::Network, Compare::Equal),
];

/// Holds where the request says nothing under the key (`true`), or anything (`false`). It has no form with
/// `IfExists`.
static NULL: Operator = op("Null", Family::Flag, Compare::Absent);

/// What a condition holds the request's value against, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(i64),
    Date(Time),
    Flag(bool),
    Network(Network),
}

/// One condition of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    operator: &'static Operator,
    if_exists: bool,
    key: String,
    values: Vec<Value>,
}

impl Condition {
    /// Reads a condition: the operator's name with or without `IfExists`, a key as `acs:SourceIp`,
    /// and its values.
    ///
    /// # Errors
    /// An unknown operator, a key without a service, or a value that the operator cannot compare.
    pub fn new(operator: &str, key: &str, values: &[String]) -> Result<Self, Malformed> {
        let (operator, if_exists) = find(operator)?;
        let named = key
            .split_once(':')
            .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
        if !named {
            return Err(Malformed::new(format!(
                "the condition key `{key}` must be `service:name`"
            )));
        }
        if operator.compare == Compare::Like {
            values.iter().try_for_each(|value| matcher::check(value))?;
        }
        let values =
            values.iter().map(|value| operator.family.read(value)).collect::<Result<_, _>>()?;
        Ok(Self { operator, if_exists, key: key.to_owned(), values })
    }

    /// The operator's name as documents write it.
    pub fn operator(&self) -> String {
        format!("{}{}", self.operator.name, if self.if_exists { "IfExists" } else { "" })
    }

    /// The key it asks for.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same condition on another key.
    pub(crate) fn under(self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self }
    }

    /// The values as documents write them.
    pub fn values(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(ToString::to_string)
    }

    /// Whether the condition holds for what the request says under its key.
    ///
    /// One match is enough; a negated operator holds where nothing matches. Where the request says
    /// nothing, only negated operators and those with `IfExists` hold.
    pub fn holds(&self, given: &[Cow<'_, str>]) -> bool {
        if self.operator.compare == Compare::Absent {
            return self.values.contains(&Value::Flag(given.is_empty()));
        }
        if given.is_empty() {
            return self.if_exists || self.operator.negated;
        }
        let matched = given
            .iter()
            .any(|given| self.values.iter().any(|value| self.operator.matches(given, value)));
        matched != self.operator.negated
    }
}

fn find(name: &str) -> Result<(&'static Operator, bool), Malformed> {
    if name.starts_with("ForAllValues:") || name.starts_with("ForAnyValue:") {
        return Err(Malformed::new(format!(
            "`{name}`: set operators are not part of this policy language"
        )));
    }
    if name == NULL.name {
        return Ok((&NULL, false));
    }
    let (plain, if_exists) = match name.strip_suffix("IfExists") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let operator = OPERATORS.iter().find(|operator| operator.name == plain);
    operator
        .map(|operator| (operator, if_exists))
        .ok_or_else(|| Malformed::new(format!("there is no condition operator `{name}`")))
}

impl Operator {
    fn matches(&self, given: &str, value: &Value) -> bool {
        match value {
            Value::Text(wanted) => match self.compare {
                Compare::Like => glob(wanted, given, false),
                Compare::EqualFold => wanted.to_lowercase() == given.to_lowercase(),
                _ => wanted == given,
            },
            Value::Number(wanted) => {
                given.parse().is_ok_and(|given: i64| self.orders(&given, wanted))
            }
            Value::Date(wanted) => {
                parse_date(given).is_some_and(|given| self.orders(&given, wanted))
            }
            Value::Flag(wanted) => parse_flag(given) == Some(*wanted),
            Value::Network(wanted) => given.parse().is_ok_and(|given| wanted.contains(given)),
        }
    }

    fn orders<T: Ord>(&self, given: &T, wanted: &T) -> bool {
        match self.compare {
            Compare::Less => given < wanted,
            Compare::LessEqual => given <= wanted,
            Compare::Greater => given > wanted,
            Compare::GreaterEqual => given >= wanted,
            Compare::Equal | Compare::EqualFold | Compare::Like | Compare::Absent => {
                given == wanted
            }
        }
    }
}

impl Family {
    fn read(self, text: &str) -> Result<Value, Malformed> {
        let (value, what) = match self {
            Self::Text => (Some(Value::Text(text.to_owned())), "a text"),
            Self::Number => (text.parse().ok().map(Value::Number), "a whole number"),
            Self::Date => {
                (parse_date(text).map(Value::Date), "a time like 2026-01-02T03:04:05+07:00")
            }
            Self::Flag => (parse_flag(text).map(Value::Flag), "true or false"),
            Self::Network => {
                (Network::parse(text).map(Value::Network), "an IP address or a CIDR block")
            }
        };
        value.ok_or_else(|| Malformed::new(format!("the condition value `{text}` is not {what}")))
    }
}

/// As documents write it; reading it back gives the same value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Date(date) => f.write_str(&date.iso_millis()),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Network(network) => write!(f, "{network}"),
        }
    }
}

fn parse_flag(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// ISO 8601 with `Z` or an offset (`+08:00`).
fn parse_date(text: &str) -> Option<Time> {
    if text.ends_with('Z') {
        return Time::parse_iso(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let local = Time::parse_iso(&format!("{local}Z"))?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let shift = Duration::from_secs(hours * 3600 + minutes * 60);
    match offset.as_bytes().first()? {
        b'+' => Some(local.minus(shift)),
        b'-' => Some(local.plus(shift)),
        _ => None,
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether an address is in the block. An IPv4 address in IPv6 clothes counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (one, other, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        // Shifting by the whole width would overflow: a /0 holds everything.
        let rest = width - u32::from(self.prefix);
        rest == 128 || one >> rest == other >> rest
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
