#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// A home directory with a profile file, a data directory, and made-up variables.
struct World {
    dir: tempfile::TempDir,
    vars: Vec<(&'static str, String)>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let cloud = r#"{"region":"id-data","zones":["id-data-a"],"ca_cert":"/data/ca.pem","log_key":"k",
            "endpoints":{"api":"http://data:7100","oss":"http://data:7101"}}"#;
        std::fs::write(data.join("cloud.json"), cloud).unwrap();
        let key = r#"{"AccountId":"1","AccessKeyId":"data-id","AccessKeySecret":"data-secret"}"#;
        std::fs::write(data.join("root-key.json"), key).unwrap();
        let config = "[profile.default]\nendpoint = 'http://stored:1'\naccess_key_id = 'stored-id'\n\
            access_key_secret = 'stored-secret'\n[profile.other]\nendpoint = 'other:5'\nregion = 'id-other'\n";
        write_private(&dir.path().join("config/awan/config.toml"), config.as_bytes()).unwrap();
        let config_home = dir.path().join("config").display().to_string();
        Self { dir, vars: vec![("XDG_CONFIG_HOME", config_home)] }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.vars.push((name, value.to_owned()));
        self
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn resolve(&self, args: &PlaceArgs) -> Result<Profile> {
        let vars = |name: &str| {
            self.vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        Profile::resolve_in(args, &Surroundings { vars: &vars })
    }

    /// The endpoints, region, key id and secret that are found.
    fn check(&self, args: &PlaceArgs, expected: [&str; 5]) {
        let found = self.resolve(args).unwrap();
        let key = found.credentials().unwrap();
        let found = [
            found.api().unwrap(),
            found.oss().unwrap(),
            &found.region,
            &key.id,
            key.secret.expose(),
        ];
        assert_eq!(found, expected);
    }
}

fn endpoint(url: &str) -> PlaceArgs {
    PlaceArgs { endpoint: Some(url.to_owned()), ..PlaceArgs::default() }
}

#[test]
fn the_profile_file_is_the_last_resort() {
    World::new().check(
        &PlaceArgs::default(),
        ["http://stored:1", "http://stored:2", DEFAULT_REGION, "stored-id", "stored-secret"],
    );
}

#[test]
fn variables_win_over_the_profile_file() {
    let world = World::new()
        .set("AWAN_ENDPOINT", "http://env:10/")
        .set("AWAN_REGION", "id-env")
        .set("ALIBABA_CLOUD_ACCESS_KEY_ID", "env-id")
        .set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "env-secret");
    world.check(
        &PlaceArgs::default(),
        ["http://env:10", "http://env:11", "id-env", "env-id", "env-secret"],
    );
}

#[test]
fn a_data_directory_wins_over_variables() {
    let world = World::new()
        .set("AWAN_ENDPOINT", "http://env:10")
        .set("AWAN_OSS_ENDPOINT", "http://env:99")
        .set("AWAN_ACCESS_KEY_ID", "env-id")
        .set("AWAN_ACCESS_KEY_SECRET", "env-secret");
    let args = PlaceArgs { data_dir: Some(world.data_dir()), ..PlaceArgs::default() };
    world.check(
        &args,
        ["http://data:7100", "http://data:7101", "id-data", "data-id", "data-secret"],
    );
    assert_eq!(world.resolve(&args).unwrap().ca_cert, Some("/data/ca.pem".into()));
}

#[test]
fn flags_win_over_the_data_directory() {
    let world = World::new().set("AWAN_ACCESS_KEY_SECRET", "env-secret");
    let args = PlaceArgs {
        data_dir: Some(world.data_dir()),
        region: Some("id-flag".to_owned()),
        access_key_id: Some("flag-id".to_owned()),
        ..endpoint("flag:7000")
    };
    world
        .check(&args, ["http://flag:7000", "http://flag:7001", "id-flag", "flag-id", "env-secret"]);
}

#[test]
fn a_typed_endpoint_is_not_mixed_with_storage_of_another_cloud() {
    let world =
        World::new().set("AWAN_OSS_ENDPOINT", "http://env:99").set("AWAN_DATA_DIR", "/nowhere");
    assert_eq!(
        world.resolve(&endpoint("http://flag:7000")).unwrap().oss().unwrap(),
        "http://flag:7001"
    );
}

#[test]
fn half_a_key_of_the_environment_is_not_completed_from_the_profile() {
    let world = World::new().set("AWAN_ACCESS_KEY_ID", "env-id");
    let found = world.resolve(&PlaceArgs::default()).unwrap();
    assert_eq!(found.credentials().unwrap().id, "stored-id");
    let typed = PlaceArgs { access_key_id: Some("flag-id".to_owned()), ..PlaceArgs::default() };
    let error = world.resolve(&typed).unwrap_err();
    assert!(error.to_string().contains("the secret of access key flag-id is not known"), "{error}");
}

#[test]
fn a_key_file_may_hold_several_keys_under_names() {
    let world = World::new();
    let file = world.dir.path().join("keys.json");
    std::fs::write(&file, r#"{"reader":{"AccessKeyId":"r","AccessKeySecret":"s"}}"#).unwrap();
    let mut args =
        PlaceArgs { key_file: Some(file), key: Some("reader".to_owned()), ..PlaceArgs::default() };
    assert_eq!(world.resolve(&args).unwrap().credentials().unwrap().id, "r");
    args.key = None;
    assert!(world.resolve(&args).unwrap_err().to_string().contains("holds no AccessKeyId"));
}

#[test]
fn a_named_profile_is_taken_and_an_unknown_one_refused() {
    let world = World::new();
    let named = |name: &str| PlaceArgs { profile: Some(name.to_owned()), ..PlaceArgs::default() };
    let found = world.resolve(&named("other")).unwrap();
    assert_eq!((found.api().unwrap(), found.region.as_str()), ("http://other:5", "id-other"));
    assert!(found.credentials().is_err());
    let error = world.resolve(&named("missing")).unwrap_err();
    assert_eq!(error.to_string(), "there is no profile \"missing\" (known: default, other)");
}

#[test]
fn a_profile_named_on_the_command_line_wins_over_variables() {
    let world = World::new().set("AWAN_ENDPOINT", "http://env:10").set("AWAN_REGION", "id-env");
    let named = PlaceArgs { profile: Some("other".to_owned()), ..PlaceArgs::default() };
    let found = world.resolve(&named).unwrap();
    assert_eq!((found.api().unwrap(), found.region.as_str()), ("http://other:5", "id-other"));
}

#[test]
fn a_profile_file_that_others_can_read_is_refused() {
    let world = World::new();
    let path = world.dir.path().join("config/awan/config.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        world
            .resolve(&PlaceArgs::default())
            .unwrap_err()
            .to_string()
            .contains("others can read it")
    );
}

#[test]
fn a_stored_profile_comes_back_and_is_private() {
    let world = World::new();
    let args = PlaceArgs { data_dir: Some(world.data_dir()), ..PlaceArgs::default() };
    let profile = world.resolve(&args).unwrap();
    let vars = |name: &str| {
        world.vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    };
    let path = store_in(&Surroundings { vars: &vars }, "kept", &profile).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    world.check(
        &PlaceArgs { profile: Some("kept".to_owned()), ..PlaceArgs::default() },
        ["http://data:7100", "http://data:7101", "id-data", "data-id", "data-secret"],
    );
    // The other profiles are still there.
    world.check(
        &PlaceArgs::default(),
        ["http://stored:1", "http://stored:2", DEFAULT_REGION, "stored-id", "stored-secret"],
    );
}

#[test]
fn a_directory_without_a_cloud_says_how_to_start_one() {
    let world = World::new();
    let empty = world.dir.path().to_path_buf();
    let error =
        world.resolve(&PlaceArgs { data_dir: Some(empty), ..PlaceArgs::default() }).unwrap_err();
    assert!(error.to_string().contains("there is no cloud.json in"), "{error}");
}
