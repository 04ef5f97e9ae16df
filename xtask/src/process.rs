//! Running other programs: in the foreground, listened to, and in the background.
//! Every program started here is ended by its own process id, never by its name.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// How long a program may take to obey SIGTERM before it is killed.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// Where a program is on the search path.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Runs to the end with the terminal as output; an error unless it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    if run_ok(command)? { Ok(()) } else { Err(format!("`{}` failed", shown(command))) }
}

/// Runs to the end with the terminal as output; says whether it succeeded.
pub(crate) fn run_ok(command: &mut Command) -> Result<bool> {
    eprintln!("$ {}", shown(command));
    let status = command.stdin(Stdio::null()).status();
    status.map(|status| status.success()).map_err(|e| cannot_start(command, &e))
}

/// Whether it runs and succeeds; shows nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What it prints on standard output; an error unless it succeeded.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    output_of(command, Stdio::null())
}

/// As [`output`], of a program that reads something.
pub(crate) fn output_of(command: &mut Command, input: Stdio) -> Result<String> {
    let out = command.stdin(input).output().map_err(|e| cannot_start(command, &e))?;
    if !out.status.success() {
        let talk = String::from_utf8_lossy(&out.stderr);
        return Err(format!("`{}` failed: {}", shown(command), talk.trim()));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("`{}` printed no text", shown(command)))
}

/// Runs to the end, shows what it prints as it comes and keeps it: (succeeded, both outputs).
pub(crate) fn tee(command: &mut Command) -> Result<(bool, String)> {
    eprintln!("$ {}", shown(command));
    // What is read cannot be in colours.
    command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never").env_remove("FORCE_COLOR");
    let spawned =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| cannot_start(command, &e))?;
    let (sender, lines) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|pipe| forward(pipe, sender.clone())),
        child.stderr.take().map(|pipe| forward(pipe, sender)),
    ];
    let mut heard = String::new();
    for line in lines {
        println!("{line}");
        heard.push_str(&line);
        heard.push('\n');
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait().map_err(|e| format!("wait for `{}`: {e}", shown(command)))?;
    Ok((status.success(), heard))
}

fn forward(pipe: impl Read + Send + 'static, to: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(std::io::Result::ok) {
            if to.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    })
}

/// The command as one would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, e: &std::io::Error) -> String {
    format!("cannot start `{}`: {e}", shown(command))
}

/// A program in the background; ended when dropped.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts it. Its outputs go where the command says.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = shown(command);
        let child = command.stdin(Stdio::null()).spawn().map_err(|e| cannot_start(command, &e))?;
        Ok(Self { child, name })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended already.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("`{}` ended early ({status})", self.name)),
            Err(e) => Err(format!("look after `{}`: {e}", self.name)),
        }
    }

    /// Lets it go on after this program ends.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }

    /// Ends it at once, without asking.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits; kills it if it does not obey. Says whether it ended well by itself.
    pub(crate) fn stop(&mut self) -> bool {
        terminate(self.pid());
        let give_up = Instant::now() + STOP_WAIT;
        while Instant::now() < give_up {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => thread::sleep(Duration::from_millis(50)),
                Err(_) => break,
            }
        }
        eprintln!("`{}` did not stop within {} s; killed", self.name, STOP_WAIT.as_secs());
        self.kill();
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Sends SIGTERM. The shell's own `kill` is used, for it is there on every machine.
fn terminate(pid: u32) {
    succeeds(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]));
}

/// Calls `ready` every 50 ms until it gives something; an error after `limit`.
pub(crate) fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut ready: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(found) = ready()? {
            return Ok(found);
        }
        if Instant::now() >= give_up {
            return Err(format!("waited {} s for {what}", limit.as_secs()));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests;
