//! The JSON habits of policy documents: one value may stand for a list of one, and a name that
//! comes twice is a mistake that must not silently drop half of a policy.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BoolDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

/// One value or a list of them, never an empty list.
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visit::<T> { list: true, kind: PhantomData }).map(OneOrMany)
    }
}

/// One value that is not a list: serde would take a list for a struct, field by field.
pub(crate) struct One<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut one =
            deserializer.deserialize_any(Visit::<T> { list: false, kind: PhantomData })?;
        one.pop().map(One).ok_or_else(|| D::Error::custom("a value is missing"))
    }
}

struct Visit<T> {
    list: bool,
    kind: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Visit<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.list { "a value or a list of values" } else { "a single value" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        if !self.list {
            return Err(A::Error::custom("a list cannot stand here"));
        }
        let mut many = Vec::new();
        while let Some(One(value)) = seq.next_element()? {
            many.push(value);
        }
        if many.is_empty() {
            return Err(A::Error::custom("a list must not be empty"));
        }
        Ok(many)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        let text: StrDeserializer<'_, E> = text.into_deserializer();
        Ok(vec![T::deserialize(text)?])
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<T>, E> {
        let value: BoolDeserializer<E> = value.into_deserializer();
        Ok(vec![T::deserialize(value)?])
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(value.into_deserializer())?])
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(value.into_deserializer())?])
    }
}

/// A text, a boolean or a whole number, as text.
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VisitScalar).map(Scalar)
    }
}

struct VisitScalar;

impl Visitor<'_> for VisitScalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, true, false or a whole number")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

/// An object whose names are all different, in the order they came.
pub(crate) struct Object<V>(pub(crate) Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Object<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VisitObject(PhantomData))
    }
}

struct VisitObject<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for VisitObject<V> {
    type Value = Object<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<V>, A::Error> {
        let mut seen = std::collections::HashSet::new();
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("`{name}` stands twice in one object")));
            }
            pairs.push((name, map.next_value()?));
        }
        if pairs.is_empty() {
            return Err(A::Error::custom("an object must not be empty"));
        }
        Ok(Object(pairs))
    }
}
