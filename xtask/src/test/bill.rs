//! The demonstration's bill under judgement. The demonstration runs against the cloud of the clients,
//! and its agreement is given other prices. That cloud's hours are not over when it stops, so it is
//! started once more on the same data where the clock is a day further on: the rating task then finds
//! what a real cloud finds after a day, a clock that stepped while nothing ran included.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::cloud::{Cloud, Life, free_port_base};
use crate::lanes::{Lanes, Runner};
use crate::process;
use crate::workspace::write;

use super::outside::Outside;

/// How much later it is: every hour of today is over then, and may be closed.
const LATER: &str = "+26h";
/// How many files the demonstration takes: enough for thousands of requests.
const FILES: &str = "2000";

/// A cloud whose bills are judged.
pub(super) struct Bills<'a> {
    awan: &'a Path,
    outside: &'a Outside,
    data_dir: PathBuf,
    scratch: PathBuf,
    options: Vec<String>,
    month: String,
}

impl<'a> Bills<'a> {
    /// Bills of this month. `options` are those of `awan serve`, but for the ports; files go to
    /// `scratch`.
    pub(super) fn new(
        awan: &'a Path,
        outside: &'a Outside,
        cloud: &Cloud,
        scratch: &Path,
        options: Vec<String>,
    ) -> Result<Self> {
        let month = process::output(Command::new("date").args(["-u", "+%Y-%m"]))?;
        let (data_dir, scratch) = (cloud.data_dir().to_owned(), scratch.to_owned());
        Ok(Self { awan, outside, data_dir, scratch, options, month: month.trim().to_owned() })
    }

    /// Uses the running cloud as its demonstration does, and amends the agreement. `examples` has
    /// the data.
    pub(super) fn demonstrate(&self, lanes: &mut Lanes, examples: &Path) {
        let mut demo = Command::new(self.awan);
        demo.args(["demo", "pemilu", "--limit", FILES, "--archives"]).arg(examples);
        lanes.run("demonstration", Runner::Plain, demo.arg("--data-dir").arg(&self.data_dir));
        self.outside.lane(lanes, "amended prices", "amend_prices.py", |script| {
            self.point(script, self.awan, &self.scratch);
            script.arg("--sign-key").arg(self.data_dir.join("demo-kpu.key"));
            self.as_tenant(script);
            Ok(())
        });
    }

    /// Judges the bills of the demonstration's tenant and of the clients' account, a day later. Gives
    /// what the cloud logged then.
    pub(super) fn judge(&self, lanes: &mut Lanes) -> Result<String> {
        let awan = self.a_day_later()?;
        let mut options = self.options.clone();
        options.extend(["--port-base".to_owned(), free_port_base()?.to_string()]);
        let cloud = Cloud::start(&awan, &self.data_dir, &options, Life::Run)?;
        let portal = cloud.file()?.endpoint("console")?.to_owned();
        let mut exports = Vec::new();
        for (name, is_tenant) in [("the demonstration", true), ("the clients", false)] {
            let out = self.scratch.join(format!("bill of {name}"));
            self.outside.lane(lanes, &format!("bill of {name}"), "judge_bill.py", |script| {
                self.point(script, &awan, &out);
                script.args(["--cloud", &portal, "--month", &self.month]);
                if is_tenant {
                    self.as_tenant(script);
                }
                Ok(())
            });
            exports.push(out.join("focus.csv"));
        }
        self.outside.focus(lanes, "FOCUS bills", &exports);
        cloud.stop()
    }

    fn point(&self, script: &mut Command, awan: &Path, out: &Path) {
        script.arg("--awan").arg(awan).arg("--data-dir").arg(&self.data_dir);
        script.arg("--out").arg(out);
    }

    fn as_tenant(&self, script: &mut Command) {
        script.arg("--key-file").arg(self.data_dir.join("demo-keys.json")).args(["--key", "kpu"]);
    }

    /// The program `awan` where it is a day later: the cloud and who calls it must agree on the time
    /// for signatures to be valid. `faketime` itself would stay between us and it, and take the
    /// signal that ends it; so what it sets up is asked of it, and set up here.
    fn a_day_later(&self) -> Result<PathBuf> {
        let mut ask = Command::new("faketime");
        let preload = process::output(ask.args(["-m", "-f", LATER, "printenv", "LD_PRELOAD"]))?;
        let path = self.scratch.join("awan-a-day-later");
        let script = format!(
            "#!/bin/sh\nexport LD_PRELOAD='{}' FAKETIME='{LATER}' FAKETIME_DONT_FAKE_MONOTONIC=1\nexec '{}' \"$@\"\n",
            preload.trim(),
            self.awan.display()
        );
        write(&path, script)?;
        let executable = fs::set_permissions(&path, Permissions::from_mode(0o700));
        executable.map_err(|e| format!("make {} a program: {e}", path.display()))?;
        Ok(path)
    }
}
