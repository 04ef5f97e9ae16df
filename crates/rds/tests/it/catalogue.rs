//! What may be had, and what it costs.

use rds::model::Engine;
use serde_json::{Value, json};
use terms::clauses::DataClass;

use crate::control::{World, field};

#[test]
fn regions_are_told_zone_by_zone() {
    let world = World::new();
    let told = world.ok("DescribeRegions", &[]);
    let zones = &told["Regions"]["RDSRegion"];
    assert_eq!(field(zones, "RegionId"), ["ap-southeast-5"; 3]);
    assert_eq!(field(zones, "ZoneId"), ["ap-southeast-5a", "ap-southeast-5b", "ap-southeast-5c"]);
    assert_eq!(field(zones, "LocalName"), ["Jakarta"; 3]);
}

/// Zone, engine, version, categories.
fn offers(told: &Value) -> Vec<String> {
    let rows = |value: &Value| value.as_array().unwrap().clone();
    let mut lines = Vec::new();
    for zone in rows(&told["AvailableZones"]) {
        for engine in rows(&zone["SupportedEngines"]) {
            for version in rows(&engine["SupportedEngineVersions"]) {
                let categories = field(&version["SupportedCategorys"], "Category").join("+");
                let words = [&zone["ZoneId"], &engine["Engine"], &version["Version"]];
                let words = words.map(|word| word.as_str().unwrap());
                lines.push(format!("{} {categories}", words.join(" ")));
            }
        }
    }
    lines
}

#[test]
fn zones_have_what_runs_there_and_a_standby_needs_another_zone() {
    let world = World::new();
    let told = |params: &[(&str, &str)]| offers(&world.ok("DescribeAvailableZones", params));
    assert_eq!(
        told(&[("Engine", "PostgreSQL"), ("ZoneId", "ap-southeast-5b")]),
        [
            "ap-southeast-5b PostgreSQL 16.0 Basic+HighAvailability",
            "ap-southeast-5b PostgreSQL 17.0 Basic+HighAvailability",
            "ap-southeast-5b PostgreSQL 18.0 Basic",
        ]
    );
    assert_eq!(
        told(&[("Engine", "MariaDB")]),
        [
            "ap-southeast-5a MariaDB 10.11 Basic+HighAvailability",
            "ap-southeast-5c MariaDB 10.11 Basic+HighAvailability",
        ]
    );
    let high = [("Engine", "PostgreSQL"), ("EngineVersion", "18.0")];
    assert_eq!(told(&high), ["ap-southeast-5b PostgreSQL 18.0 Basic"]);
    assert!(told(&[&high[..], &[("Category", "HighAvailability")]].concat()).is_empty());
    assert_eq!(
        world.code("DescribeAvailableZones", &[("Engine", "MySQL")]),
        "InvalidEngine.NotFound"
    );
    let elsewhere = [("Engine", "PostgreSQL"), ("RegionId", "cn-hangzhou")];
    assert_eq!(world.code("DescribeAvailableZones", &elsewhere), "InvalidRegionId.NotFound");
    world.offer("jkt-a", Engine::Postgres, "18", "18.3");
    assert_eq!(
        told(&high),
        [
            "ap-southeast-5a PostgreSQL 18.0 Basic+HighAvailability",
            "ap-southeast-5b PostgreSQL 18.0 Basic+HighAvailability",
        ]
    );
}

#[test]
fn classes_are_told_of_engines_that_run_with_the_storage_they_may_have() {
    let world = World::new();
    let ask = [
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "17.0"),
        ("ZoneId", "ap-southeast-5a"),
        ("DBInstanceStorageType", "cloud_essd"),
        ("Category", "Basic"),
    ];
    let told = world.ok("DescribeAvailableClasses", &ask);
    let classes = field(&told["DBInstanceClasses"], "DBInstanceClass");
    assert!(classes.contains(&"pg.n2.2c.1m".to_owned()), "{classes:?}");
    assert!(classes.iter().all(|class| class.starts_with("pg.") && !class.contains(".2c.2m")));
    let range = json!({ "MinValue": 5, "MaxValue": 6000, "Step": 5 });
    assert_eq!(told["DBInstanceClasses"][0]["DBInstanceStorageRange"], range);
    let nowhere =
        [("Engine", "PostgreSQL"), ("EngineVersion", "9.6"), ("ZoneId", "ap-southeast-5a")];
    assert_eq!(world.ok("DescribeAvailableClasses", &nowhere), json!({ "DBInstanceClasses": [] }));

    let listed = world.ok("ListClasses", &[("CommodityCode", "bards"), ("OrderType", "BUY")]);
    let rows = listed["Items"].as_array().unwrap();
    let one = rows.iter().find(|row| row["ClassCode"] == "mariadb.x4.large.2c").unwrap();
    assert_eq!(
        *one,
        json!({
            "ClassCode": "mariadb.x4.large.2c", "ClassGroup": "Dedicated", "Cpu": "4", "MemoryClass": "16GB",
            "MaxConnections": "1600", "category": "HighAvailability", "storageType": "local_ssd"
        })
    );
    let only = world.ok("ListClasses", &[("Engine", "PostgreSQL")]);
    assert!(field(&only["Items"], "ClassCode").iter().all(|class| class.starts_with("pg.")));
}

#[test]
fn a_price_is_that_of_the_agreement_for_an_hour() {
    let world = World::new();
    let ask = [
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "17.0"),
        ("DBInstanceClass", "pg.n2.2c.2m"),
        ("DBInstanceStorage", "20"),
        ("Quantity", "3"),
    ];
    assert_eq!(world.code("DescribePrice", &ask), "Forbidden.NoAgreement");
    world.bind(DataClass::Internal, &[], 1);
    let told = world.ok("DescribePrice", &ask);
    // Two cores at 1000, 20 GiB at half a rupiah, twice because of the standby, three times.
    assert_eq!(told["PriceInfo"]["TradePrice"], 3.0 * 2.0 * (2.0 * 1000.0 + 20.0 * 0.5));
    assert_eq!(told["PriceInfo"]["Currency"], "IDR");
    let without = |name: &str| -> Vec<(&str, &str)> {
        ask.iter().map(|(key, value)| (*key, if *key == name { "" } else { *value })).collect()
    };
    assert_eq!(
        world.code("DescribePrice", &without("DBInstanceClass")),
        "InvalidDBInstanceClass.NotFound"
    );
    let prepaid = [&ask[..], &[("PayType", "Prepaid")]].concat();
    assert_eq!(world.code("DescribePrice", &prepaid), "OperationDenied.NotSupported");
}
