//! `awan status`: what of a cloud on this machine runs and answers, by its `cloud.json`.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::error::advise;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{CloudFile, PlaceArgs, Profile};

/// A listener on a machine that is well answers at once.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `awan status`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: awan status --data-dir ./cloud")]
pub struct StatusArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Knocks at every endpoint and asks for health. The exit code is 1 where something does not answer.
///
/// # Errors
/// Where there is no `cloud.json`.
pub fn run(args: &StatusArgs) -> Result<ExitCode> {
    let profile = Profile::resolve(&args.place)?;
    let Some((dir, cloud)) = &profile.cloud else {
        return Err(advise(
            "which cloud is not known",
            "give --data-dir DIR of a cloud on this machine",
        ));
    };
    let knocked: Vec<(&String, &String, bool)> =
        cloud.endpoints.iter().map(|(name, address)| (name, address, answers(address))).collect();
    let health = health(cloud);
    let well =
        knocked.iter().all(|(_, _, up)| *up) && health.as_ref().is_none_or(|health| health.is_ok());
    let health = health.map(|health| health.unwrap_or_else(|problem| problem));
    match args.output {
        Format::Json => {
            let endpoint = |(name, address, up): &(&String, &String, bool)| json!({"Name": name, "Address": address, "Up": up});
            let endpoints: Vec<Value> = knocked.iter().map(endpoint).collect();
            output::json(
                &json!({"Region": cloud.region, "Zones": cloud.zones, "Health": health, "Endpoints": endpoints}),
            )?;
        }
        Format::Table => {
            let line = |name: &str, value: &str| output::line(format_args!("{name:<10}{value}"));
            line("cloud", &dir.display().to_string())?;
            line("region", &format!("{} ({})", cloud.region, cloud.zones.join(", ")))?;
            line("health", health.as_deref().unwrap_or("not asked: no metrics endpoint"))?;
            line("log key", cloud.log_key.as_deref().unwrap_or("none"))?;
            let word = |up: bool| if up { "answers" } else { "does not answer" };
            let row = |(name, address, up): &(&String, &String, bool)| {
                vec![(*name).clone(), (*address).clone(), word(*up).to_owned()]
            };
            let rows: Vec<Vec<String>> = knocked.iter().map(row).collect();
            io::stdout()
                .lock()
                .write_all(output::table(&["Endpoint", "Address", "State"], &rows).as_bytes())?;
        }
    }
    if !well {
        output::hint(format_args!("`awan serve --data-dir {}` starts the cloud", dir.display()));
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// True where something listens at `scheme://host:port/…` or `host:port`.
fn answers(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    let Ok(mut found) = host.to_socket_addrs() else { return false };
    found.any(|socket| TcpStream::connect_timeout(&socket, KNOCK_TIMEOUT).is_ok())
}

/// What the health page says: its first line where all is well, else why not.
fn health(cloud: &CloudFile) -> Option<Result<String, String>> {
    let address = cloud.endpoints.get("metrics")?;
    let asked = Http::to(&[address], cloud.ca_cert.as_deref(), 1)
        .map_err(|error| error.to_string())
        .and_then(|http| {
            http.fetch(&format!("{address}/health")).map_err(|error| error.to_string())
        });
    Some(asked.and_then(|(status, body)| {
        let text = String::from_utf8_lossy(&body);
        let first = text.lines().next().unwrap_or_default().to_owned();
        if status == 200 { Ok(first) } else { Err(format!("HTTP {status} {first}")) }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_listener_is_found_under_every_form_of_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        for address in [host.clone(), format!("http://{host}"), format!("http://{host}/api")] {
            assert!(answers(&address), "{address}");
        }
        drop(listener);
        assert!(!answers(&host));
        assert!(!answers("nonsense"));
    }
}
