//! Engines are installed for real, over the network.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rds::engines;
use rds::model::Engine;

/// Fills the store that `AWAN_TEST_DB_ENGINES` names, where it is set: `cargo xtask test` does that first, and other
/// tests find their engines there. What is there already is not downloaded again.
#[test]
#[ignore = "downloads 50 MB; AWAN_TEST_DB_ENGINES=DIR cargo test -p rds --test it -- --ignored engines_are_installed"]
#[allow(clippy::disallowed_methods, reason = "the set-up of tests says where engines are")]
fn engines_are_installed_once_found_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let given = std::env::var("AWAN_TEST_DB_ENGINES").ok().map(PathBuf::from);
    let store = given.clone().unwrap_or_else(|| dir.path().to_owned());
    let wishes = [
        (Engine::Postgres, Some("14")),
        (Engine::Postgres, Some("16")),
        (Engine::Postgres, Some("17")),
        (Engine::Postgres, Some("18")),
        (Engine::MariaDb, Some("10.11")),
    ];
    for (engine, wish) in wishes {
        let build = engines::install(engine, wish, &store, &mut |_| ()).unwrap();
        assert_eq!(Some(build.major.as_str()), wish);
        assert!(build.programs.starts_with(&store) && build.settings.len() > 200);
        let mut told = Vec::new();
        let again =
            engines::install(engine, wish, &store, &mut |step| told.push(step.to_owned())).unwrap();
        assert_eq!(again, build);
        assert_eq!(told.len(), 1, "nothing is downloaded again: {told:?}");
    }
    let found = engines::discover(&[], &store);
    for (engine, wish) in wishes {
        assert!(
            found.iter().any(|it| it.engine == engine && Some(it.major.as_str()) == wish),
            "{wish:?}"
        );
    }
    let nothing = engines::install(Engine::Postgres, Some("99"), &store, &mut |_| ()).unwrap_err();
    assert!(nothing.to_string().contains("PostgreSQL 99 could not be downloaded"), "{nothing}");
    let left = std::fs::read_dir(store.join("postgresql")).unwrap();
    let names: Vec<String> =
        left.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
    if given.is_none() {
        let version = &found.iter().find(|it| it.major == "14").unwrap().version;
        engines::remove(Engine::Postgres, version, &store).unwrap();
        assert!(!store.join("postgresql").join(version).exists());
        assert!(engines::remove(Engine::Postgres, version, &store).is_err(), "it is gone");
    }
}
