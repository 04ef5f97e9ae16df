//! What a server logged: its CSV files, a ring of a week.

use std::fs;
use std::path::Path;

use base::Time;

use super::super::api::LogLine;
use super::super::driver::LogQuery;
use super::super::error::Result;
use super::super::home;

/// Of each file no more than its end is read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The lines that are asked for, oldest first.
///
/// # Errors
/// Where the directory cannot be read.
pub fn read(dir: &Path, query: LogQuery) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "csv") {
            continue;
        }
        let text = home::read_end(&path, FILE_BYTES_MAX)?;
        lines.extend(
            records(&text)
                .filter_map(|fields| line(&fields, query.slow))
                .filter(|line| (query.since..query.until).contains(&line.at)),
        );
    }
    lines.sort_by_key(|line| line.at);
    let over = lines.len().saturating_sub(query.limit);
    lines.drain(..over);
    Ok(lines)
}

/// The records of a text in CSV: a quoted field may hold commas, ends of lines, and quotes twice.
fn records(text: &str) -> impl Iterator<Item = Vec<String>> {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        chars.peek()?;
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    field.push('"');
                    chars.next();
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                '\n' if !quoted => break,
                c => field.push(c),
            }
        }
        fields.push(field);
        Some(fields)
    })
}

/// The columns, by PostgreSQL's documentation of `csvlog`.
fn line(fields: &[String], slow: bool) -> Option<LogLine> {
    let field = |at: usize| fields.get(at).map(String::as_str).unwrap_or_default();
    if fields.len() < 22 {
        return None;
    }
    let severity = field(11);
    let (duration_us, text) = match duration(field(13)) {
        Some((duration_us, statement)) if slow => (duration_us, statement),
        None if !slow && ["WARNING", "ERROR", "FATAL", "PANIC"].contains(&severity) => {
            (0, field(13))
        }
        _ => return None,
    };
    Some(LogLine {
        at: at(field(0))?,
        severity: severity.to_owned(),
        database: field(2).to_owned(),
        account: field(1).to_owned(),
        client: field(4).rsplit_once(':').map_or(field(4), |(host, _)| host).to_owned(),
        text: text.to_owned(),
        duration_us,
    })
}

/// `2026-11-23 20:31:20.123 UTC`.
fn at(text: &str) -> Option<i64> {
    let (seconds, millis) = text.strip_suffix(" UTC")?.split_once('.')?;
    let time = Time::parse_iso(&format!("{}Z", seconds.replace(' ', "T")))?;
    Some(time.micros() + i64::from(millis.parse::<u32>().ok()?.min(999)) * 1000)
}

/// `duration: 1234.567 ms  statement: SELECT 1`, or `execute name: …`.
fn duration(message: &str) -> Option<(u64, &str)> {
    let (millis, rest) = message.strip_prefix("duration: ")?.split_once(" ms  ")?;
    let (_, statement) = rest.split_once(": ")?;
    let (whole, part) = millis.split_once('.')?;
    let micros = whole.parse::<u64>().ok()?.checked_mul(1000)?;
    Some((micros.checked_add(part.parse().ok()?)?, statement))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = concat!(
        "2026-11-23 20:31:20.123 UTC,\"ann\",\"shop\",7,\"10.1.2.3:5000\",a,1,\"SELECT\",b,c,0,LOG,00000,",
        "\"duration: 1500.250 ms  statement: SELECT \"\"x\"\",\n 2\",,,,,,,,,\"psql\",\"client backend\",,0\n",
        "2026-11-23 20:31:21.000 UTC,\"ann\",\"shop\",7,\"10.1.2.3:5000\",a,2,\"SELECT\",b,c,0,ERROR,22012,",
        "\"division by zero\",,,,,,\"SELECT 1/0\",,,\"psql\",\"client backend\",,0\n",
        "2026-11-23 20:31:22.000 UTC,,,8,,a,1,,b,,0,LOG,00000,\"checkpoint starting: time\",,,,,,,,,\"\",\"x\",,0\n",
    );

    fn lines(slow: bool) -> Vec<LogLine> {
        records(TEXT).filter_map(|fields| line(&fields, slow)).collect()
    }

    #[test]
    fn slow_statements_and_errors_are_told_apart() {
        let [slow] = &lines(true)[..] else { panic!("one slow statement") };
        assert_eq!((slow.duration_us, slow.text.as_str()), (1_500_250, "SELECT \"x\",\n 2"));
        assert_eq!((slow.client.as_str(), slow.account.as_str()), ("10.1.2.3", "ann"));
        let [error] = &lines(false)[..] else { panic!("one error") };
        assert_eq!((error.severity.as_str(), error.text.as_str()), ("ERROR", "division by zero"));
        assert_eq!(error.at - slow.at, 877_000);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9 \",\n:.a-zUTC-]{0,300}") {
            for fields in records(&text) {
                let _ = (line(&fields, true), line(&fields, false));
            }
            let _ = (at(&text), duration(&text));
        }
    }
}
