//! Runs programs of engines and of the operating system to their end. Knows nothing of what they say.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Error;

/// Linux's user and group without rights: what it can run, the user of an instance can run.
pub(super) const NOBODY: u32 = 65_534;

/// How often a program that runs is asked whether it still does.
const POLL: Duration = Duration::from_millis(5);

/// True where this process has the superuser's rights.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The path of a program: in `programs`, or in the `sbin` beside it.
pub(super) fn find(programs: &Path, name: &str) -> PathBuf {
    let plain = programs.join(name);
    let beside = programs.parent().map(|parent| parent.join("sbin").join(name));
    match beside {
        Some(beside) if !plain.is_file() && beside.is_file() => beside,
        _ => plain,
    }
}

/// A program of an engine, as an instance would run it: without rights and without this process's environment.
/// Servers refuse to run as root; and what a stranger cannot run is not an engine for us.
pub(super) fn unprivileged(program: &Path, libraries: Option<&Path>) -> Command {
    let mut command = ordinary(program);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A program of the operating system, under this process's own user and environment.
#[allow(clippy::disallowed_methods, reason = "programs of engines and packages are run from here")]
pub(super) fn ordinary(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    command
}

/// Gives `input` to a program, waits for its end, at most so long, and gives what it wrote to its standard output.
///
/// # Errors
/// Where it cannot be started, does not end in time or fails; with the end of what it said.
pub(super) fn output(
    command: &mut Command,
    input: &str,
    deadline: Duration,
) -> Result<String, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = |what: &dyn std::fmt::Display| Error(format!("{name}: {what}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| said(&e))?;
    // Read while it runs, so that it never waits for a full pipe.
    let out = child.stdout.take().map(read_all);
    let err = child.stderr.take().map(read_all);
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read what it is given tells by its exit status how that went.
        let _ = pipe.write_all(input.as_bytes());
    }
    let status = wait(&mut child, deadline).map_err(|e| said(&e))?;
    let [out, err] =
        [out, err].map(|reader| reader.and_then(|it| it.join().ok()).unwrap_or_default());
    if status.success() {
        return Ok(out);
    }
    let told = if err.trim().is_empty() { out } else { err };
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(4)..].join("; ");
    Err(said(&format!("{status}: {last}")))
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, deadline: Duration) -> std::io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!(
                "did not end within {} s",
                deadline.as_secs()
            )));
        }
        std::thread::sleep(POLL);
    }
}

/// Refuses a program that needs a shared library that is not there.
pub(super) fn check_libraries(program: &Path, libraries: Option<&Path>) -> Result<(), Error> {
    let mut ldd = unprivileged(Path::new("ldd"), libraries);
    let said = match output(ldd.arg(program), "", Duration::from_secs(20)) {
        // What is linked as a whole lacks nothing.
        Err(error) if error.0.contains("not a dynamic executable") => return Ok(()),
        said => said?,
    };
    let missing = missing_libraries(&said);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error(format!(
        "{} needs shared libraries that are not here: {}; install the packages that bring them",
        program.display(),
        missing.join(", ")
    )))
}

/// The libraries that `ldd` did not find.
fn missing_libraries(said: &str) -> Vec<String> {
    let absent = said.lines().filter(|line| line.trim_end().ends_with("=> not found"));
    absent.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = unprivileged(Path::new("sh"), None);
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = output(&mut sh("sleep 60"), "", Duration::from_millis(50)).unwrap_err();
        assert!(error.0.contains("did not end"), "{error}");
    }

    #[test]
    fn what_is_larger_than_a_pipe_is_read_whole() {
        let script = "head -c 300000 /dev/zero | tr '\\0' x";
        let said = output(&mut sh(script), "", Duration::from_secs(20)).unwrap();
        assert_eq!(said.len(), 300_000);
    }

    #[test]
    fn a_failing_program_gives_its_last_words() {
        let error = output(&mut sh("echo gone >&2; exit 3"), "", Duration::from_secs(20));
        let text = error.unwrap_err().0;
        assert!(text.contains("gone") && text.contains('3'), "{text}");
    }

    #[test]
    fn libraries_that_are_not_found_are_named() {
        let said = "\tlinux-vdso.so.1 (0x0)\n\tlibaio.so.1 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)\n";
        assert_eq!(missing_libraries(said), ["libaio.so.1"]);
    }
}
