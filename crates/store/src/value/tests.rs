#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::params;

struct Cells(Vec<Value<'static>>);

impl Columns for Cells {
    fn value(&self, index: usize) -> Result<Value<'_>, Error> {
        self.0.get(index).copied().ok_or_else(|| Error::Other("no such column".to_owned()))
    }
}

fn check<T: FromValue + PartialEq + std::fmt::Debug>(value: Value<'static>, expected: Option<T>) {
    let cells = Cells(vec![value]);
    assert_eq!(Row(&cells).get::<T>(0).ok(), expected, "{value:?}");
}

#[test]
fn a_column_is_read_as_its_own_type_only() {
    check(Value::Int(-1), Some(-1_i64));
    check::<u32>(Value::Int(-1), None);
    check::<u64>(Value::Int(-1), None);
    check::<u32>(Value::Int(1 << 32), None);
    check(Value::Int(i64::MAX), Some(i64::MAX.cast_unsigned()));
    check(Value::Int(1), Some(true));
    check::<bool>(Value::Int(2), None);
    check::<i64>(Value::Text("1"), None);
    check(Value::Text("a"), Some("a".to_owned()));
    check::<String>(Value::Blob(b"a"), None);
    check(Value::Blob(b"a"), Some(b"a".to_vec()));
    check::<i64>(Value::Null, None);
    check(Value::Null, Some(None::<String>));
    check::<Option<i64>>(Value::Text("1"), None);
}

#[test]
fn a_mismatch_names_the_column_and_never_its_contents() {
    let cells = Cells(vec![Value::Text("secret")]);
    let error = Row(&cells).get::<i64>(0).unwrap_err();
    assert_eq!(error, Error::Other("column 0 holds text, which does not read as i64".to_owned()));
    assert!(Row(&cells).blob(0).is_err() && Row(&cells).text(1).is_err());
}

#[test]
fn parameters_take_the_types_of_the_domain() {
    let (name, bytes) = ("n".to_owned(), vec![1_u8]);
    let all = params![
        1_i64,
        2_u32,
        true,
        &name,
        "s",
        &bytes,
        &bytes[..],
        None::<i64>,
        Some(3_i64),
        Time::from_secs(1),
        AccountId::new(7),
        5_usize,
        name.as_str(),
        &[9_u8],
    ];
    let expected = [
        Value::Int(1),
        Value::Int(2),
        Value::Int(1),
        Value::Text("n"),
        Value::Text("s"),
        Value::Blob(&[1]),
        Value::Blob(&[1]),
        Value::Null,
        Value::Int(3),
        Value::Int(1_000_000),
        Value::Int(7),
        Value::Int(5),
        Value::Text("n"),
        Value::Blob(&[9]),
    ];
    assert_eq!(all, expected);
    assert!(params![].is_empty());
}
