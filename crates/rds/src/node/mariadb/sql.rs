//! Talks SQL with a server of ours, by its own client over the unix socket. Statements that hold secrets go through a
//! pipe, never through arguments.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

use super::super::api::Spec;
use super::super::driver::{Seat, Stream};
use super::super::error::{Error, Result};
use super::super::process::{Program, Server};
use super::{BULK, TOOL, config, tool};

/// How long a server may take to start that first recovers.
const START: Duration = Duration::from_secs(3600);

/// Put before everything that is said: the tenant's `sql_mode` may change what a backslash or a quote means.
const PLAIN: &str = "SET SESSION sql_mode='';";

/// A row by its columns' names.
pub type Row = BTreeMap<String, String>;

/// The server, in the foreground.
pub fn server(seat: &Seat) -> Program {
    // It has no children that it would have to end.
    tool(seat, "mariadbd").arg(format!("--defaults-file={}", config::server_file(seat).display()))
}

/// A client program that logs in as the administrator.
pub fn admin(seat: &Seat, name: &str) -> Program {
    tool(seat, name).arg(format!("--defaults-file={}", config::admin_file(seat).display()))
}

/// Runs statements that may hold secrets.
///
/// # Errors
/// Where one fails; the later ones are not run. The text says which line and why, not the statement.
pub async fn run(seat: &Seat, statements: &str) -> Result<()> {
    let input: Stream = Box::new(Cursor::new(format!("{PLAIN}\n{statements}").into_bytes()));
    let client = admin(seat, "mariadb").arg("--batch");
    seat.programs
        .feed(&client, input)
        .await
        .map_err(|error| Error::Failed(without_statements(&error)))
}

/// The client repeats the statement between lines of hyphens; its error comes on a line of its own.
fn without_statements(error: &Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("ERROR ")).collect();
    if lines.is_empty() { "the client of MariaDB failed".to_owned() } else { lines.join("; ") }
}

/// Asks for rows. The statement is seen by everybody on the machine: never a secret.
///
/// # Errors
/// Where it fails.
pub async fn ask(seat: &Seat, statement: &str) -> Result<Vec<Row>> {
    let client =
        admin(seat, "mariadb").arg("--batch").arg(format!("--execute={PLAIN} {statement}"));
    let said = seat.programs.run(&client, TOOL).await?;
    Ok(rows(&String::from_utf8_lossy(&said)))
}

/// The one value of a question with one column and one row; empty where there is none.
pub async fn value(seat: &Seat, statement: &str) -> Result<String> {
    let first = ask(seat, statement).await?.into_iter().next();
    Ok(first.and_then(|row| row.into_values().next()).unwrap_or_default())
}

/// Rows in the form of `--batch`: names, then values, with tabs between; special characters are escaped.
fn rows(said: &str) -> Vec<Row> {
    let mut lines = said.lines();
    let Some(names) = lines.next() else { return Vec::new() };
    let names: Vec<&str> = names.split('\t').collect();
    let row = |line: &str| -> Row {
        let values = line.split('\t').map(unescape);
        names.iter().map(|name| (*name).to_owned()).zip(values).collect()
    };
    lines.map(row).collect()
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.push(match rest.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            }),
            other => text.push(other),
        }
    }
    text
}

/// A text as a literal, under [`PLAIN`].
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name as an identifier.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A server that only we can reach, for work on data that nobody may see yet. It writes no binary log.
pub struct Offline {
    server: Server,
}

impl Offline {
    /// Starts it on the instance's data.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start(seat: &Seat, spec: &Spec) -> Result<Self> {
        config::write(seat, spec)?;
        let program = server(seat)
            .args(["--skip-networking", "--skip-log-bin", "--read-only=0", "--init-connect="])
            .arg("--event-scheduler=DISABLED")
            .arg(format!("--init-file={}", config::admin_sql(seat).display()));
        let mut server = seat.programs.server(&program, &seat.dir.log()).await?;
        let begun = Instant::now();
        while ask(seat, "SELECT 1").await.is_err() {
            if let Some(status) = server.ended() {
                let log = seat.dir.log();
                return Err(Error::Failed(format!("mariadbd: {status}; see {}", log.display())));
            }
            if begun.elapsed() > START {
                return Err(Error::Failed("mariadbd does not come up".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { server })
    }

    /// Ends it, with everything written.
    ///
    /// # Errors
    /// Where it does not end well.
    pub async fn stop(mut self) -> Result<()> {
        self.server.signal(rustix::process::Signal::TERM);
        let ended = tokio::time::timeout(BULK, self.server.wait()).await;
        let status = ended.map_err(|_| Error::Failed("mariadbd does not end".to_owned()))??;
        if status.success() { Ok(()) } else { Err(Error::Failed(format!("mariadbd: {status}"))) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_read_by_name_with_special_characters() {
        let read = rows("a\tb\n1\tx\\ty\\n\\\\z\n2\tNULL\n");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0]["b"], "x\ty\n\\z");
        assert_eq!(read[1]["a"], "2");
        assert!(rows("").is_empty());
    }

    #[test]
    fn literals_and_names_cannot_be_left() {
        assert_eq!(literal("a'b\\"), "'a''b\\\\'");
        assert_eq!(identifier("a`b"), "`a``b`");
    }

    #[test]
    fn an_error_keeps_no_statement() {
        let said = "mariadb: exit status: 1: --------------\nALTER USER x IDENTIFIED BY 'secret'\n--------------\n\
                    \nERROR 1064 (42000) at line 2: You have an error";
        let kept = without_statements(&Error::Failed(said.to_owned()));
        assert!(kept.contains("1064") && !kept.contains("secret"), "{kept}");
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_says_makes_the_reader_fail(said in "[\\x00-\\x7f]{0,200}") {
            rows(&said);
        }
    }
}
