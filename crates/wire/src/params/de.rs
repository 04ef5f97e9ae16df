//! The serde deserializer over parameters, and its error, which knows the parameter's full name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

use base::{ApiError, code};
use serde::de::value::{CowStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};

use super::tree::{Children, Node};
use crate::call::missing;

/// The highest index of a flat list. Real lists end at a few hundred.
const INDEX_MAX: usize = 10_000;

/// What is wrong with which parameter.
#[derive(Debug)]
pub(super) struct Error {
    /// The full name, as `Tag.1.Key`; empty for the request as a whole.
    name: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Missing,
    Invalid(String),
}

impl Error {
    fn invalid(reason: impl Display) -> Self {
        Self { name: String::new(), problem: Problem::Invalid(reason.to_string()) }
    }

    fn inside(mut self, parent: &str) -> Self {
        self.name = if self.name.is_empty() {
            parent.to_owned()
        } else {
            format!("{parent}.{}", self.name)
        };
        self
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(reason: T) -> Self {
        Self::invalid(reason)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { name: field.to_owned(), problem: Problem::Missing }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Missing => write!(f, "{} is missing", self.name),
            Problem::Invalid(reason) => write!(f, "{}: {reason}", self.name),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.problem {
            Problem::Missing => missing(&error.name),
            Problem::Invalid(reason) if error.name.is_empty() => {
                code::INVALID_PARAMETER.error(format!("The parameters are not valid: {reason}."))
            }
            Problem::Invalid(reason) => code::INVALID_PARAMETER
                .error(format!(
                    "The specified parameter \"{}\" is not valid: {reason}.",
                    error.name
                ))
                .suffix(&error.name),
        }
    }
}

impl Node<'_> {
    fn scalar(&self, expected: &str) -> Result<&str, Error> {
        self.text.as_deref().ok_or_else(|| Error::invalid(format_args!("expected {expected}")))
    }

    /// The text read as JSON, where there is nothing but text and it looks like a list or object.
    fn json_text(&self) -> Result<Option<serde_json::Value>, Error> {
        match (&self.children, &self.text) {
            (Children::None, Some(text)) if text.trim_start().starts_with(['[', '{']) => {
                serde_json::from_str(text)
                    .map(Some)
                    .map_err(|error| Error::invalid(format_args!("not JSON: {error}")))
            }
            _ => Ok(None),
        }
    }

    fn visit_list<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        let items = match &self.children {
            Children::Items(items) => {
                items.iter().enumerate().map(|(at, item)| (at + 1, item)).collect()
            }
            Children::Fields(fields) => by_index(fields)?,
            Children::None => return Err(Error::invalid("expected a list")),
        };
        visitor.visit_seq(Items(items.into_iter()))
    }

    fn visit_fields<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        match &self.children {
            Children::Fields(fields) => {
                visitor.visit_map(Fields { rest: fields.iter(), value: None })
            }
            _ => Err(Error::invalid("expected named values")),
        }
    }
}

fn by_index<'n, 'a>(
    fields: &'n BTreeMap<Cow<'a, str>, Node<'a>>,
) -> Result<Vec<(usize, &'n Node<'a>)>, Error> {
    if fields.is_empty() {
        return Err(Error::invalid("expected a list"));
    }
    let mut items = Vec::with_capacity(fields.len());
    for (name, node) in fields {
        let digits = !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
        let index = name.parse().ok().filter(|index| digits && *index <= INDEX_MAX);
        let index =
            index.ok_or_else(|| Error::invalid("list elements are numbered from 1 to 10000"))?;
        items.push((index, node));
    }
    items.sort_unstable_by_key(|(index, _)| *index);
    Ok(items)
}

macro_rules! integers {
    ($($method:ident $visit:ident $int:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.scalar("an integer")?;
            // `parse` alone would take a plus sign.
            let number = if text.starts_with('+') { None } else { text.parse::<$int>().ok() };
            visitor.$visit(number.ok_or_else(|| {
                Error::invalid(concat!("expected an integer that fits ", stringify!($int)))
            })?)
        })*
    };
}

impl<'de> Deserializer<'de> for &Node<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (&self.children, &self.text) {
            (Children::Items(_), _) => self.visit_list(visitor),
            (Children::Fields(fields), _) if by_index(fields).is_ok() => self.visit_list(visitor),
            (Children::Fields(_), _) => self.visit_fields(visitor),
            (Children::None, Some(text)) => visitor.visit_str(text),
            (Children::None, None) => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.scalar("true or false")?;
        match (text.eq_ignore_ascii_case("true"), text.eq_ignore_ascii_case("false")) {
            (false, false) => Err(Error::invalid("expected true or false")),
            (value, _) => visitor.visit_bool(value),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.scalar("a number")?;
        // `parse` alone would take a plus sign, and names such as "inf".
        let decimal = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let number = text.parse::<f64>().ok().filter(|number| decimal && number.is_finite());
        visitor.visit_f64(number.ok_or_else(|| Error::invalid("expected a number"))?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.scalar("text")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.scalar("text")?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.json_text()? {
            Some(value) => Node::json(&value).visit_list(visitor),
            None => self.visit_list(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.json_text()? {
            Some(value) => Node::json(&value).visit_fields(visitor),
            None => self.visit_fields(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name: StrDeserializer<'_, Error> =
            self.scalar("one of a set of names")?.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The elements of a list, each with the index that names it.
struct Items<'n, 'a>(std::vec::IntoIter<(usize, &'n Node<'a>)>);

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| error.inside(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The fields of a struct or map.
struct Fields<'n, 'a> {
    rest: std::collections::btree_map::Iter<'n, Cow<'a, str>, Node<'a>>,
    value: Option<(&'n str, &'n Node<'a>)>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, node)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, node));
        let name: CowStrDeserializer<'_, Error> = Cow::Borrowed(name.as_ref()).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, node) = self
            .value
            .take()
            .ok_or_else(|| Error::invalid("a value was asked for before its name"))?;
        seed.deserialize(node).map_err(|error| error.inside(name))
    }
}
