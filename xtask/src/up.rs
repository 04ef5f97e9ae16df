//! `cargo xtask up`: from a clean checkout to a running cloud with real data in it.
//! The cloud itself daemonises nothing; it is this chore that starts it in the background.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::cloud::{Cloud, CloudFile, Life};
use crate::workspace::{Workspace, make_dir, read, write};
use crate::{Verdict, process};

pub(crate) const HELP: &str = "\
Build the cloud, start it and run its demonstration on Indonesia's 2024 election data.
The cloud stays up afterwards. If one is already up on the same data, that one is used.

Usage: cargo xtask up [OPTIONS]

Options:
  --data-dir DIR   where the cloud keeps everything [default: .awan in the clone]
  --port-base N    the first of its ports [default: 7100]
  --release        build it optimised
  --no-demo        do not run the demonstration
";

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let data_dir = args.value("--data-dir")?.map(PathBuf::from);
    let port_base = args.value("--port-base")?;
    let release = args.flag("--release");
    let no_demo = args.flag("--no-demo");
    args.finish()?;

    // Relative to where the person stands, which is where the program is run.
    let data_dir = data_dir.unwrap_or_else(|| workspace.root.join(".awan"));
    let awan = workspace.build_awan(release)?;
    let started = if is_up(&data_dir) {
        eprintln!("a cloud is already up on {}", data_dir.display());
        None
    } else {
        configure(workspace, &data_dir)?;
        let options = port_base.map_or_else(Vec::new, |n| vec!["--port-base".to_owned(), n]);
        let cloud = Cloud::start(&awan, &data_dir, &options, Life::Stays)?;
        write(&pid_path(&data_dir), cloud.pid().to_string())?;
        Some(cloud)
    };
    guide(&awan, &data_dir)?;
    if !no_demo {
        // Last, so that its guide to the clients is what stands on the screen.
        process::run(Command::new(&awan).args(["demo", "pemilu", "--data-dir"]).arg(&data_dir))?;
    }
    if let Some(cloud) = started {
        cloud.leave();
    }
    Ok(true)
}

/// Gives a data directory without a configuration that of the demonstration: it declares a data centre
/// abroad, so that the agreement has something to refuse.
fn configure(workspace: &Workspace, data_dir: &Path) -> crate::Result<()> {
    let standing = data_dir.join("awan.toml");
    if standing.exists() {
        return Ok(());
    }
    make_dir(data_dir)?;
    write(&standing, read(&workspace.root.join("examples/pemilu2024/awan.toml"))?)
}

fn is_up(data_dir: &Path) -> bool {
    CloudFile::read(data_dir).is_ok_and(|file| file.is_ready())
}

fn pid_path(data_dir: &Path) -> PathBuf {
    data_dir.join("up.pid")
}

/// The process that `up` left behind, unless its number now belongs to another program.
fn pid_of(data_dir: &Path) -> Option<String> {
    let pid = read(&pid_path(data_dir)).ok()?;
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    // A rebuilt binary shows as `awan (deleted)`.
    program.file_name()?.to_str()?.starts_with("awan").then_some(pid)
}

fn guide(awan: &Path, data_dir: &Path) -> crate::Result<()> {
    let file = CloudFile::read(data_dir)?;
    println!("\nThe cloud is up.");
    for (name, label) in
        [("api", "control API"), ("oss", "object storage"), ("console", "portal and log")]
    {
        if let Ok(url) = file.endpoint(name) {
            println!("  {label:<15} {url}");
        }
    }
    println!("  {:<15} {}", "data", data_dir.display());
    println!("  {:<15} {}", "log", data_dir.join("awan.log").display());
    println!("  {:<15} {}", "program", awan.display());
    println!("  {:<15} {}", "root key", data_dir.join("root-key.json").display());
    match pid_of(data_dir) {
        Some(pid) => println!("Stop it with: kill {pid}"),
        None => println!("It was not started by this chore: stop it where it was started."),
    }
    Ok(())
}
