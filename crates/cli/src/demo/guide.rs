//! What to try next with the clients that people have, with the real addresses. Secrets stay in their
//! file: only its path is shown.

use std::fmt::Write;

use anyhow::Result;

use super::tenant::Tenant;
use crate::output;
use crate::profile::Profile;

/// Shows the guide.
///
/// # Errors
/// Where an address is not known, or stdout does not take it.
pub(super) fn show(profile: &Profile, tenant: &Tenant) -> Result<()> {
    let text = text(
        profile.api()?,
        profile.oss()?,
        &profile.region,
        &tenant.bucket,
        &tenant.keys.display().to_string(),
        &std::env::current_exe()?.display().to_string(),
    );
    output::line(text?)?;
    Ok(())
}

fn text(
    api: &str,
    oss: &str,
    region: &str,
    bucket: &str,
    keys: &str,
    awan: &str,
) -> Result<String> {
    let field = |name: &str| {
        format!(
            "$(python3 -c 'import json; print(json.load(open(\"{keys}\"))[\"pengamat\"][\"{name}\"])')"
        )
    };
    let mut out = String::new();
    writeln!(
        out,
        "The cloud is running. Keys are in {keys} under \"kpu\", \"petugas\" (writes) and \"pengamat\" (reads).\n"
    )?;
    writeln!(out, "awan:")?;
    writeln!(
        out,
        "  {awan} oss ls oss://{bucket}/tps/ --endpoint {api} --region {region} --key-file {keys} --key pengamat"
    )?;
    writeln!(out, "  {awan} call ram ListUsers --endpoint {api} --key-file {keys} --key kpu\n")?;
    writeln!(out, "aws:")?;
    writeln!(out, "  export AWS_ENDPOINT_URL_S3={oss} AWS_REGION={region}")?;
    writeln!(out, "  export AWS_ACCESS_KEY_ID={}", field("AccessKeyId"))?;
    writeln!(out, "  export AWS_SECRET_ACCESS_KEY={}", field("AccessKeySecret"))?;
    writeln!(out, "  aws s3 ls s3://{bucket}/wilayah/pemilu/ppwp/\n")?;
    writeln!(out, "oss2 (Python):")?;
    writeln!(out, "  import json, oss2")?;
    writeln!(out, "  key = json.load(open({keys:?}))[\"pengamat\"]")?;
    writeln!(out, "  auth = oss2.AuthV4(key[\"AccessKeyId\"], key[\"AccessKeySecret\"])")?;
    writeln!(
        out,
        "  bucket = oss2.Bucket(auth, {oss:?}, {bucket:?}, region={region:?}, is_path_style=True)"
    )?;
    write!(out, "  print(bucket.get_object(\"wilayah/pemilu/ppwp/0.json\").read().decode())")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_guide_has_the_real_addresses() {
        let text = text(
            "http://a:1",
            "http://o:2",
            "id-1",
            "pemilu2024-1",
            "/d/demo-keys.json",
            "/bin/awan",
        )
        .unwrap();
        for part in [
            "--endpoint http://a:1",
            "AWS_ENDPOINT_URL_S3=http://o:2",
            "\"http://o:2\", \"pemilu2024-1\"",
            "/d/demo-keys.json",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
