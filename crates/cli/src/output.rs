//! What the terminal shows, and the only place that writes to it: stdout is data that a program may
//! read, stderr is talk for a person. Nothing here needs colour to be understood, and no character can move
//! the cursor or turn the text: those are shown as escapes. It knows no verb.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use base::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;
use terms::visible;

/// How a listing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns for a person.
    #[default]
    Table,
    /// One JSON document for a program.
    Json,
}

/// Writes data to stdout, and a line feed after it. Line feeds in it stay.
///
/// # Errors
/// Where stdout does not take it; a closed pipe is told apart by its kind.
pub fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", lines(&text.to_string()))
}

/// Each line of a text without what deceives.
fn lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Writes a JSON document to stdout, indented.
///
/// # Errors
/// Where stdout does not take it.
pub fn json(value: &Value) -> io::Result<()> {
    line(format_args!("{value:#}"))
}

/// Says something to the person at the terminal (stderr). Nobody may be listening, which is fine.
pub fn talk(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", lines(&text.to_string()));
}

/// Says what to do next, on a line of its own.
pub fn hint(text: impl Display) {
    talk(format_args!("hint: {text}"));
}

/// True where a person watches stderr, so that a progress bar makes sense.
pub fn watched() -> bool {
    io::stderr().is_terminal()
}

/// Asks on stderr and reads one line from stdin, without the line's end.
///
/// # Errors
/// Where stdin cannot be read.
pub fn ask(question: &str) -> io::Result<String> {
    if io::stdin().is_terminal() {
        write!(io::stderr().lock(), "{question}: ")?;
    }
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// As [`ask`], and the terminal does not show what is typed: others may look on, and may see command lines.
///
/// # Errors
/// Where stdin cannot be read.
pub fn ask_hidden(question: &str) -> io::Result<Secret<String>> {
    let hidden = io::stdin().is_terminal().then(Hidden::new).transpose()?;
    let answer = ask(question)?;
    if hidden.is_some() {
        talk("");
    }
    Ok(Secret::new(answer))
}

/// While this is there, the terminal does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn new() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing else can be done about a terminal that went away.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Rows under headings, columns two spaces apart; a column whose cells are all numbers (as
/// [`count`] and [`size`] write them) stands to the right.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let columns = headings.len();
    let cell = |row: &[String], column: usize| {
        row.get(column).map(|cell| visible(cell).into_owned()).unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| cell(row, column).chars().count())
                .chain([headings[column].chars().count()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let right: Vec<bool> = (0..columns)
        .map(|column| !rows.is_empty() && rows.iter().all(|row| is_numeric(&cell(row, column))))
        .collect();

    let mut out = String::new();
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut text = String::new();
        for column in 0..columns {
            let value = cell(row, column);
            let gap = " ".repeat(widths[column] - value.chars().count());
            if column > 0 {
                text.push_str("  ");
            }
            text.push_str(&if right[column] { gap + &value } else { value + &gap });
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn is_numeric(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && cell.chars().all(|c| c.is_ascii_digit() || ",.-".contains(c) || " KMGTiB".contains(c))
}

/// Prints listed objects: as they are for JSON, else the named fields as columns.
///
/// # Errors
/// Where stdout does not take it.
pub fn listing(format: Format, fields: &[&str], items: &[Value]) -> io::Result<()> {
    match format {
        Format::Json => json(&Value::Array(items.to_vec())),
        Format::Table => {
            let row = |item: &Value| fields.iter().map(|field| plain(&item[*field])).collect();
            let rows: Vec<Vec<String>> = items.iter().map(row).collect();
            io::stdout().lock().write_all(table(fields, &rows).as_bytes())
        }
    }
}

/// A JSON value as a table cell: text without its quotes, nothing for null; what deceives as an escape.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text).into_owned(),
        other => visible(&other.to_string()).into_owned(),
    }
}

/// A number with its thousands set apart: `822,116`.
pub fn count(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes in the binary unit that suits it: `102.8 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    // Tenths, in integers, so that no rounding shows 1024.0 of a unit.
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_235 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests;
