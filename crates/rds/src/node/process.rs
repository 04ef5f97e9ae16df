//! Programs as our own children. All are started by one thread that lives as long as [`Programs`]: the kernel's
//! parent-death signal follows the thread that made the child, and nothing that we start may outlive us.
//!
//! What a program means is the driver's business, and when a server is started again the keeper's.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::driver::Stream;
use super::error::{Doing, Error, Result};

/// How much of what a program complains of is kept.
const COMPLAINT_BYTES: usize = 2000;

/// An operating system's user, by number: it need not have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
}

/// What is to be run. It gets no environment but what is said here.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    user: Option<User>,
    directory: PathBuf,
    death: &'static str,
}

impl Program {
    /// That program, as whoever we are, killed when we die.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            user: None,
            directory: PathBuf::from("/"),
            death: "KILL",
        }
    }

    /// Adds an argument. Arguments are seen by everybody on the machine: never a secret.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it as that user.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Runs it in that directory instead of `/`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// The signal that it gets when we die, without `SIG`: a server that has children has to end them.
    #[must_use]
    pub fn death(mut self, signal: &'static str) -> Self {
        self.death = signal;
        self
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        command.arg("--pdeathsig").arg(self.death).arg("--no-new-privs");
        if let Some(user) = self.user {
            command.arg("--reuid").arg(user.uid.to_string());
            command.arg("--regid").arg(user.gid.to_string()).arg("--clear-groups");
        }
        command.arg("--").arg(&self.path).args(&self.arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }
}

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts programs. Its clones share the one thread.
#[derive(Clone)]
pub struct Programs {
    orders: std::sync::mpsc::Sender<Order>,
}

impl Programs {
    /// Starts the thread. It ends, and with it everything that it started, when the last clone is dropped.
    ///
    /// # Errors
    /// Where there is no thread to be had, or no runtime here.
    pub fn new() -> Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().doing("programs")?;
        let (orders, incoming) = std::sync::mpsc::channel::<Order>();
        std::thread::Builder::new().name("db-programs".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            while let Ok((mut command, answer)) = incoming.recv() {
                // Who asked may have gone: then the child is dropped, and killed with that.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self { orders })
    }

    async fn start(&self, name: &str, mut command: Command) -> Result<Child> {
        command.kill_on_drop(true);
        let (answer, started) = oneshot::channel();
        let gone = || Error::Failed("no thread starts programs any more".to_owned());
        self.orders.send((command, answer)).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?.doing(name)
    }

    /// Starts a server whose standard output and error are appended to `log`, which lies where only we write.
    ///
    /// # Errors
    /// Where it does not start; that it ends at once is not known here.
    pub async fn server(&self, program: &Program, log: &Path) -> Result<Server> {
        let log = File::options().append(true).create(true).mode(0o600).open(log)?;
        let mut command = program.command();
        command.stdout(log.try_clone()?).stderr(log);
        let child = self.start(&program.name(), command).await?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::Failed(format!("{} ended", program.name())))?;
        Ok(Server { child, pid })
    }

    /// Runs a program to its end and answers what it wrote.
    ///
    /// # Errors
    /// Where it fails, with the end of what it complained of, or takes longer than `limit`.
    pub async fn run(&self, program: &Program, limit: Duration) -> Result<Vec<u8>> {
        let mut command = program.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.start(&program.name(), command).await?;
        let output = tokio::time::timeout(limit, child.wait_with_output()).await;
        let output = output.map_err(|_| {
            Error::Failed(format!("{} took longer than {} s", program.name(), limit.as_secs()))
        })??;
        // Some complain on their standard output.
        let complaint = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        ended(&program.name(), output.status, complaint)?;
        Ok(output.stdout)
    }

    /// Runs a program that reads `input`.
    ///
    /// # Errors
    /// As [`Self::run`], and where `input` fails.
    pub async fn feed(&self, program: &Program, mut input: Stream) -> Result<()> {
        let mut command = program.command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = self.start(&program.name(), command).await?;
        let complaint = child.stderr.take().map(complaints);
        let mut stdin = child.stdin.take().ok_or_else(|| Error::Failed("no pipe".to_owned()))?;
        let fed = tokio::io::copy(&mut input, &mut stdin).await;
        let broken = fed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
        if broken {
            // The program must not take what came for the whole.
            child.kill().await?;
        } else {
            let _ = stdin.shutdown().await;
        }
        drop(stdin);
        let status = child.wait().await?;
        if broken {
            fed.doing("what was sent")?;
        }
        ended(&program.name(), status, &joined(complaint).await)
    }

    /// Starts a program whose output is the stream. The stream fails at its end where the program did.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn stream(&self, program: &Program) -> Result<Stream> {
        let mut command = program.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start(&program.name(), command).await?;
        let stdout = child.stdout.take().ok_or_else(|| Error::Failed("no pipe".to_owned()))?;
        let complaint = child.stderr.take().map(complaints);
        let name = program.name();
        let end = async move {
            let status = child.wait().await?;
            ended(&name, status, &joined(complaint).await).map_err(io::Error::other)
        };
        Ok(Box::new(Piped { stdout: Some(stdout), end: Box::pin(end) }))
    }
}

fn complaints(mut stderr: tokio::process::ChildStderr) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..n]);
            let over = kept.len().saturating_sub(COMPLAINT_BYTES);
            kept.drain(..over);
        }
        kept
    })
}

async fn joined(complaint: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    match complaint {
        Some(complaint) => complaint.await.unwrap_or_default(),
        None => Vec::new(),
    }
}

/// An error where a program failed.
fn ended(name: &str, status: ExitStatus, complaint: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let from = complaint.len().saturating_sub(COMPLAINT_BYTES);
    let complaint = String::from_utf8_lossy(&complaint[from..]);
    Err(Error::Failed(format!("{name}: {status}: {}", complaint.trim())))
}

/// The output of a program, and then its end.
struct Piped {
    stdout: Option<ChildStdout>,
    end: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(stdout) = &mut self.stdout {
            let before = out.filled().len();
            match Pin::new(stdout).poll_read(cx, out) {
                Poll::Ready(Ok(())) if out.filled().len() == before => self.stdout = None,
                other => return other,
            }
            let end = self.end.as_mut().poll(cx);
            if end.is_ready() {
                self.end = Box::pin(std::future::ready(Ok(())));
            }
            return end;
        }
        self.end.as_mut().poll(cx)
    }
}

/// A running server.
pub struct Server {
    child: Child,
    pid: Pid,
}

impl Server {
    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Asks it for something.
    pub fn signal(&self, signal: Signal) {
        // It may have ended; it cannot be anybody else's process, because nobody but us reaps it.
        let _ = kill_process(self.pid, signal);
    }

    /// Waits until it has ended. May be dropped and called again.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

/// Kills a process and everything that descends from it, at once.
pub fn kill_tree(root: Pid) {
    // Stopped, it makes no more; dead, its children would be nobody's and not be found.
    let _ = kill_process(root, Signal::STOP);
    for pid in tree(root) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// All processes that descend from that one, and itself.
pub fn tree(root: Pid) -> Vec<Pid> {
    let parents = parents();
    let mut known = vec![root];
    let mut at = 0;
    while let Some(parent) = known.get(at).copied() {
        known.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    known
}

/// Every process of the machine, and its parent.
fn parents() -> Vec<(Pid, Pid)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let pid_and_parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((Pid::from_raw(pid)?, Pid::from_raw(parent)?))
    };
    pids.filter_map(pid_and_parent).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn runs(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.is_ok_and(|stat| {
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
        })
    }

    #[tokio::test]
    async fn nothing_outlives_the_thread_that_started_it() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let programs = Programs::new()?;
        let sleep = Program::new("/usr/bin/sleep").arg("600");
        let server = programs.server(&sleep, &dir.path().join("log")).await?;
        let pid = server.pid();
        // The signal is set by the program that becomes `sleep`.
        let name = || std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
        while name()?.trim() != "sleep" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // As if the process had died: nobody kills it, nobody drops it.
        std::mem::forget(server);
        assert!(runs(pid));
        drop(programs);
        for _ in 0..500 {
            if !runs(pid) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Error::Failed("it still runs".to_owned()))
    }

    #[tokio::test]
    async fn a_stream_ends_well_only_where_its_program_did() -> Result<()> {
        let programs = Programs::new()?;
        let shell = |script: &str| Program::new("/bin/sh").arg("-c").arg(script);
        let mut text = String::new();
        programs.stream(&shell("echo whole")).await?.read_to_string(&mut text).await?;
        assert_eq!(text, "whole\n");
        let mut cut = programs.stream(&shell("echo half; echo why >&2; exit 3")).await?;
        let error = cut.read_to_string(&mut text).await.map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("why")));
        Ok(())
    }
}
