//! Parameters on their way into a statement and columns on their way out. Three types and NULL; what
//! a type of the domain is stored as is said here and nowhere else.

use base::{AccountId, Time};

use crate::Error;

/// One value in a statement or in a row, borrowed from whoever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL's NULL.
    Null,
    /// A 64-bit integer; also booleans (0, 1), times (microseconds) and account numbers.
    Int(i64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Value<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
        }
    }
}

macro_rules! into_value {
    ($($from:ty, $value:ident => $into:expr;)*) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

into_value! {
    i64, value => Value::Int(value);
    i32, value => Value::Int(value.into());
    u32, value => Value::Int(value.into());
    // Counts and limits; one beyond 63 bits means "all" either way.
    usize, value => Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    bool, value => Value::Int(value.into());
    Time, value => Value::Int(value.micros());
    AccountId, value => Value::Int(value.to_i64());
    &'a str, value => Value::Text(value);
    &'a String, value => Value::Text(value);
    &'a [u8], value => Value::Blob(value);
    &'a Vec<u8>, value => Value::Blob(value);
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Blob(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A type that a column can be read as.
pub trait FromValue: Sized {
    /// What the value is read as, or `None` where it is of another type or out of range.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

macro_rules! from_value {
    ($($into:ty, $pattern:pat => $from:expr;)*) => {
        $(impl FromValue for $into {
            fn from_value(value: Value<'_>) -> Option<Self> {
                match value {
                    $pattern => $from,
                    _ => None,
                }
            }
        })*
    };
}

from_value! {
    i64, Value::Int(value) => Some(value);
    u32, Value::Int(value) => value.try_into().ok();
    u64, Value::Int(value) => value.try_into().ok();
    usize, Value::Int(value) => value.try_into().ok();
    bool, Value::Int(value @ (0 | 1)) => Some(value == 1);
    Time, Value::Int(value) => Some(Time::from_micros(value));
    AccountId, Value::Int(value) => Some(AccountId::from_i64(value));
    String, Value::Text(value) => Some(value.to_owned());
    Vec<u8>, Value::Blob(value) => Some(value.to_vec());
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// Where a row's columns come from: one implementation per engine.
pub(crate) trait Columns {
    fn value(&self, index: usize) -> Result<Value<'_>, Error>;
}

/// One row of an answer. It lives until the next row is asked for.
pub struct Row<'r>(pub(crate) &'r dyn Columns);

impl Row<'_> {
    /// The column at `index`, counted from 0, in the order of the `SELECT` list.
    ///
    /// # Errors
    /// [`Error::Other`] where there is no such column or it holds another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        let value = self.value(index)?;
        T::from_value(value).ok_or_else(|| mismatch::<T>(index, value))
    }

    /// The text at `index`, borrowed from the row.
    ///
    /// # Errors
    /// [`Error::Other`] where it is not text.
    pub fn text(&self, index: usize) -> Result<&str, Error> {
        match self.value(index)? {
            Value::Text(text) => Ok(text),
            other => Err(mismatch::<&str>(index, other)),
        }
    }

    /// The bytes at `index`, borrowed from the row.
    ///
    /// # Errors
    /// [`Error::Other`] where it is not a blob.
    pub fn blob(&self, index: usize) -> Result<&[u8], Error> {
        match self.value(index)? {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(mismatch::<&[u8]>(index, other)),
        }
    }

    /// The column at `index` as it is.
    ///
    /// # Errors
    /// [`Error::Other`] where there is no such column or it is of none of the three types.
    pub fn value(&self, index: usize) -> Result<Value<'_>, Error> {
        self.0.value(index)
    }
}

fn mismatch<T>(index: usize, value: Value<'_>) -> Error {
    let wanted = std::any::type_name::<T>();
    Error::Other(format!("column {index} holds {}, which does not read as {wanted}", value.kind()))
}

#[cfg(test)]
mod tests;
