//! What judges a running cloud by formats that others defined: the Open Contracting library on the
//! published releases, the FOCUS validator on exported bills, Chromium on the public pages; and by
//! arithmetic of its own, a bill. The judges are scripts in `tests/outside`; here they are installed
//! and pointed at the cloud.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cloud::Cloud;
use crate::lanes::{Lanes, Runner};
use crate::workspace::{Workspace, make_dir};
use crate::{Result, process, setup};

/// The agreements that the documentation shows.
const EXAMPLES: [&str; 2] = ["release-example.json", "package-example.json"];

/// The outside judges as installed; an error tells why one is not.
pub(super) struct Outside {
    dir: PathBuf,
    examples: PathBuf,
    python: Result<PathBuf>,
    standard: Result<PathBuf>,
    browser: Result<Browser>,
    screenshots: PathBuf,
}

struct Browser {
    program: PathBuf,
    modules: PathBuf,
}

impl Outside {
    /// Installs what is missing. `there` says whether the operating system has what is needed.
    pub(super) fn install(
        workspace: &Workspace,
        there: &dyn Fn(&setup::Need) -> Result<()>,
    ) -> Self {
        let dir = workspace.root.join("tests/outside");
        let python = there(&setup::PYTHON).and_then(|()| {
            setup::python_whatever_version(workspace, &dir.join("requirements.txt"))
        });
        let standard = python
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|venv| setup::sources(workspace, venv, &dir.join("ocds.sources")));
        let browser = there(&setup::NODE).and_then(|()| there(&setup::CHROMIUM)).and_then(|()| {
            let program = process::which("chromium").ok_or("there is no Chromium")?;
            Ok(Browser { program, modules: setup::node(workspace, &dir.join("pages"))? })
        });
        let screenshots = workspace.cache.join("screenshots");
        let examples = workspace.root.join("docs/agreement");
        Self { dir, examples, python, standard, browser, screenshots }
    }

    /// The second verifier of the log, without its arguments.
    pub(super) fn log_verifier(&self) -> Result<impl Fn() -> Command> {
        let venv = self.python.as_ref().map_err(Clone::clone)?;
        Ok(|| self.script(venv, "verify_log_aics.py"))
    }

    /// Judges the releases of agreements that the running cloud published, and the documented ones.
    pub(super) fn releases(&self, lanes: &mut Lanes, backend: &str, cloud: &Cloud) {
        let ready = self.python.as_ref().and_then(|venv| {
            let mut script = self.script(venv, "validate_ocds.py");
            script.arg("--standard").arg(self.standard.as_ref()?);
            script.arg("--self-check");
            script.args(EXAMPLES.map(|name| self.examples.join(name)));
            Ok(script)
        });
        run(lanes, &format!("OCDS releases, {backend}"), ready, |script| {
            script.arg("--cloud").arg(cloud.file()?.endpoint("console")?);
            Ok(())
        });
    }

    /// Judges exported bills by the form that FOCUS gives them.
    pub(super) fn focus(&self, lanes: &mut Lanes, name: &str, bills: &[PathBuf]) {
        let ready = self.python.as_ref().map(|venv| self.script(venv, "validate_focus.py"));
        run(lanes, name, ready, |script| {
            script.arg("--self-check").args(bills);
            Ok(())
        });
    }

    /// Runs a script of ours, with what `point` gives it, as a lane.
    pub(super) fn lane(
        &self,
        lanes: &mut Lanes,
        name: &str,
        script: &str,
        point: impl FnOnce(&mut Command) -> Result<()>,
    ) {
        let ready = self.python.as_ref().map(|venv| self.script(venv, script));
        run(lanes, name, ready, point);
    }

    /// Judges the public pages that the first one leads to.
    pub(super) fn pages(&self, lanes: &mut Lanes, backend: &str, cloud: &Cloud) {
        let ready = self.browser.as_ref().map(|browser| {
            let mut visit = Command::new("node");
            visit.arg(self.dir.join("pages/visit.mjs"));
            visit.env("NODE_PATH", &browser.modules).env("CHROMIUM", &browser.program);
            visit
        });
        run(lanes, &format!("public pages, {backend}"), ready, |visit| {
            make_dir(&self.screenshots)?;
            visit.args(["--self-check", "--crawl", "--out"]).arg(&self.screenshots);
            visit.args(["--base", cloud.file()?.endpoint("console")?, "/"]);
            Ok(())
        });
    }

    /// Judges the pages of a cloud that does not exist, where receipts and their forgeries are at hand.
    pub(super) fn sample_pages(&self, workspace: &Workspace, lanes: &mut Lanes) {
        let name = "pages and receipts in a browser";
        let browser = match &self.browser {
            Err(why) => return lanes.skip(name, why),
            Ok(browser) => browser,
        };
        let mut build = workspace.cargo();
        build.args(["build", "--locked", "--package", "portal", "--example", "sample"]);
        if let Err(why) = process::run(&mut build) {
            return lanes.add(name, || Err(why));
        }
        let mut node = Command::new("node");
        node.args(["--test", "--test-reporter=spec", "tests/pages/pages.test.mjs"]);
        node.env("AWAN_PAGES_SAMPLE", workspace.target.join("debug/examples/sample"));
        node.env("CHROMIUM", &browser.program).current_dir(&workspace.root);
        lanes.run(name, Runner::Node, &mut node);
    }

    /// A Python script of this folder, in the virtual environment of its packages.
    fn script(&self, venv: &Path, name: &str) -> Command {
        let mut script = Command::new(venv.join("bin/python"));
        setup::enter_python(&mut script, venv);
        script.env("PYTHONDONTWRITEBYTECODE", "1").arg(self.dir.join(name));
        script
    }
}

/// Runs a judge as a lane. One that is not installed is skipped with the reason; one that cannot be
/// pointed at the cloud is a failure.
fn run(
    lanes: &mut Lanes,
    name: &str,
    judge: std::result::Result<Command, &String>,
    point: impl FnOnce(&mut Command) -> Result<()>,
) {
    match judge {
        Err(why) => lanes.skip(name, why),
        Ok(mut judge) => match point(&mut judge) {
            Ok(()) => lanes.run(name, Runner::Script, &mut judge),
            Err(why) => lanes.add(name, || Err(why)),
        },
    }
}
