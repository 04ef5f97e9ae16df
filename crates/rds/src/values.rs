//! Settings of engines as tenants give them: whether a value is one, in the form that is stored. Knows what
//! [`Setting`] says and nothing else; which settings a tenant may have is said there.

pub(crate) mod room;
pub(crate) mod text;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engines::Setting;

/// The longest value of a setting, bytes.
const VALUE_MAX: usize = 1024;
/// The most settings in one request.
const COUNT_MAX: usize = 500;

/// Units of memory, bytes.
const MEMORY: [(&str, f64); 5] = [
    ("B", 1.0),
    ("kB", 1024.0),
    ("MB", 1_048_576.0),
    ("GB", 1_073_741_824.0),
    ("TB", 1_099_511_627_776.0),
];
/// Units of time, microseconds.
const TIME: [(&str, f64); 6] =
    [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("min", 6e7), ("h", 3.6e9), ("d", 8.64e10)];

/// Reads `{"name": "value", …}`; values may be texts, numbers and truth values, and `null` asks for the default.
///
/// # Errors
/// Why it is none, for the client.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Option<String>>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|_| "It is no JSON object.".to_owned())?;
    let Value::Object(object) = value else { return Err("It is no JSON object.".to_owned()) };
    if object.is_empty() || object.len() > COUNT_MAX {
        return Err(format!("It must name between 1 and {COUNT_MAX} settings."));
    }
    let one = |(name, value): (String, Value)| match value {
        Value::Null => Ok((name, None)),
        Value::String(text) => Ok((name, Some(text))),
        Value::Number(number) => Ok((name, Some(number.to_string()))),
        Value::Bool(truth) => Ok((name, Some(if truth { "on" } else { "off" }.to_owned()))),
        Value::Array(_) | Value::Object(_) => Err(format!("{name} has no plain value.")),
    };
    object.into_iter().map(one).collect()
}

/// The value as it is stored, where `setting` takes it.
///
/// # Errors
/// Why it does not, for the client.
pub(crate) fn check(setting: &Setting, value: &str) -> Result<String, String> {
    let name = &setting.name;
    if !setting.tenant {
        return Err(format!("{name} is set by the service."));
    }
    let value = value.trim();
    if value.len() > VALUE_MAX || value.contains(|c: char| c.is_control()) {
        return Err(format!("{name} must be one line of at most {VALUE_MAX} bytes."));
    }
    match setting.kind.as_str() {
        "bool" => truth(value).map(str::to_owned).ok_or_else(|| format!("{name} is on or off.")),
        "integer" | "real" => number(setting, value),
        "enum" => setting
            .values
            .iter()
            .find(|one| one.eq_ignore_ascii_case(value))
            .cloned()
            .ok_or_else(|| format!("{name} is one of {}.", setting.values.join(", "))),
        _ => text::check(name, value),
    }
}

fn truth(value: &str) -> Option<&'static str> {
    let one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    if one_of(&["on", "true", "yes", "1"]) {
        Some("on")
    } else if one_of(&["off", "false", "no", "0"]) {
        Some("off")
    } else {
        None
    }
}

fn number(setting: &Setting, value: &str) -> Result<String, String> {
    let name = &setting.name;
    let (bare, unit) = split(value);
    let bad = || {
        let what = if setting.kind == "integer" { "a whole number" } else { "a number" };
        format!("{name} is {what}{}.", unit_text(setting))
    };
    let base = amount(setting, value).ok_or_else(bad)?;
    let bound = |text: &str| text.parse::<f64>().ok();
    let below = bound(&setting.min).is_some_and(|min| base < min);
    let above = bound(&setting.max).is_some_and(|max| base > max);
    if below || above {
        return Err(format!(
            "{name} is between {} and {}{}.",
            setting.min,
            setting.max,
            unit_text(setting)
        ));
    }
    Ok(format!("{bare}{unit}"))
}

/// A number and its unit.
fn split(value: &str) -> (&str, &str) {
    let digits = value
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.')))
        .unwrap_or(value.len());
    let (bare, unit) = value.split_at(digits);
    (bare, unit.trim())
}

/// How much that value is, in the setting's own unit; `None` where it is no number of that kind.
fn amount(setting: &Setting, value: &str) -> Option<f64> {
    let (bare, unit) = split(value);
    let whole = setting.kind == "integer";
    // A whole number may have a fraction only where a unit makes it whole: 1.5GB.
    let sound = bare
        .parse::<f64>()
        .ok()
        .filter(|_| !whole || !unit.is_empty() || bare.parse::<i64>().is_ok())
        .filter(|number| number.is_finite())?;
    if unit.is_empty() { Some(sound) } else { Some(sound * factor(unit, &setting.unit)?) }
}

fn unit_text(setting: &Setting) -> String {
    if setting.unit.is_empty() {
        String::new()
    } else {
        format!(", counted in {} where it names no unit", setting.unit)
    }
}

/// How many of `to` (`8kB`, `ms`) one of `from` (`MB`, `min`) is; `None` where one is not of the other's kind.
fn factor(from: &str, to: &str) -> Option<f64> {
    let digits = to.find(|c: char| !c.is_ascii_digit()).unwrap_or(to.len());
    let (times, to) = to.split_at(digits);
    let times: f64 = if times.is_empty() { 1.0 } else { times.parse().ok()? };
    let of = |table: &[(&str, f64)], unit: &str| {
        table.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
    };
    let kind = |table: &[(&str, f64)]| Some(of(table, from)? / (of(table, to)? * times));
    kind(&MEMORY).or_else(|| kind(&TIME))
}

/// What a setting takes, in the form of the API: `[on|off]`, `[1-100]`.
pub(crate) fn range(setting: &Setting) -> String {
    match setting.kind.as_str() {
        "bool" => "[on|off]".to_owned(),
        "enum" => format!("[{}]", setting.values.join("|")),
        _ if !setting.min.is_empty() || !setting.max.is_empty() => {
            format!("[{}-{}]", setting.min, setting.max)
        }
        _ => ".*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn setting(kind: &str, unit: &str, (min, max): (&str, &str)) -> Setting {
        Setting {
            name: "it".to_owned(),
            kind: kind.to_owned(),
            unit: unit.to_owned(),
            min: min.to_owned(),
            max: max.to_owned(),
            values: vec!["read committed".to_owned(), "serializable".to_owned()],
            tenant: true,
            ..Setting::default()
        }
    }

    #[test]
    fn values_are_held_to_their_kind_unit_and_range() {
        let blocks = setting("integer", "8kB", ("16", "1073741823"));
        let millis = setting("integer", "ms", ("-1", "3600000"));
        let real = setting("real", "", ("0", "1000"));
        let truth = setting("bool", "", ("", ""));
        let word = setting("enum", "", ("", ""));
        for (setting, value, stored) in [
            (&blocks, "16", "16"),
            (&blocks, "128kB", "128kB"),
            (&blocks, "1.5 GB", "1.5GB"),
            (&millis, "-1", "-1"),
            (&millis, "1h", "1h"),
            (&real, "0.5", "0.5"),
            (&truth, "TRUE", "on"),
            (&truth, "0", "off"),
            (&word, "Serializable", "serializable"),
        ] {
            assert_eq!(check(setting, value).as_deref(), Ok(stored), "{value}");
        }
        for (setting, value) in [
            (&blocks, "15"),
            (&blocks, "127kB"),
            (&blocks, "16s"),
            (&blocks, "16.5"),
            (&blocks, ""),
            (&millis, "2h"),
            (&millis, "1mb"),
            (&real, "NaN"),
            (&real, "inf"),
            (&real, "1e400"),
            (&truth, "maybe"),
            (&word, "chaos"),
            (&word, "a\nb"),
        ] {
            assert!(check(setting, value).is_err(), "{value}");
        }
        let mut ours = setting("string", "", ("", ""));
        ours.tenant = false;
        assert!(check(&ours, "x").is_err(), "a tenant does not set it");
    }

    #[test]
    fn parameters_are_one_object_of_plain_values() {
        let read = parse(r#"{"a": "1", "b": 2, "c": true, "d": null}"#).expect("it is one");
        let pairs: Vec<_> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(pairs, [("a", Some("1")), ("b", Some("2")), ("c", Some("on")), ("d", None)]);
        for bad in ["", "[]", "{}", "1", r#"{"a": []}"#, r#"{"a": {}}"#, r#"{"a""#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic_and_what_passes_is_one_line(text: String, value: String) {
            let _ = parse(&text);
            for kind in ["bool", "integer", "real", "enum", "string"] {
                if let Ok(stored) = check(&setting(kind, "kB", ("0", "100")), &value) {
                    prop_assert!(!stored.contains('\n') && stored.len() <= VALUE_MAX);
                }
            }
        }

        #[test]
        fn what_was_stored_is_taken_again_unchanged(number in 0u32..4000, unit in "(kB|MB)?") {
            let memory = setting("integer", "kB", ("0", "4096000"));
            let stored = check(&memory, &format!("{number}{unit}")).expect("it is in range");
            prop_assert_eq!(check(&memory, &stored), Ok(stored.clone()));
        }
    }
}
