//! Tags, in each of the ways that clients have.

use serde_json::{Value, json};

use crate::control::{World, field, text};

const INSTANCE: (&str, &str) = ("ResourceType", "INSTANCE");

fn all(world: &World) -> Vec<String> {
    let told = world.ok("ListTagResources", &[INSTANCE]);
    let rows = &told["TagResources"]["TagResource"];
    let (keys, values) = (field(rows, "TagKey"), field(rows, "TagValue"));
    keys.into_iter().zip(values).map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn tags_are_given_listed_and_taken() {
    let world = World::new();
    let (one, other) = (world.instance(&[]), world.instance(&[]));
    let both = [INSTANCE, ("ResourceId.1", one.as_str()), ("ResourceId.2", other.as_str())];
    let tags = [
        ("Tag.1.Key", "app"),
        ("Tag.1.Value", "pemilu"),
        ("Tag.2.Key", "empty"),
        ("Tag.2.Value", ""),
    ];
    world.ok("TagResources", &[&both[..], &tags[..]].concat());
    assert_eq!(all(&world), ["app=pemilu", "empty=", "app=pemilu", "empty="]);
    let list =
        |params: &[(&str, &str)]| world.ok("ListTagResources", &[params, &[INSTANCE]].concat());
    let shown = |told: &Value| field(&told["TagResources"]["TagResource"], "ResourceId");
    assert_eq!(shown(&list(&[("ResourceId.1", &one)])), [one.as_str(); 2]);
    assert!(shown(&list(&[("Tag.1.Key", "app"), ("Tag.1.Value", "other")])).is_empty());
    let first = list(&[("MaxResults", "3")]);
    let rest = list(&[("NextToken", &text(&first["NextToken"]))]);
    assert_eq!((shown(&first).len(), shown(&rest).len(), &rest["NextToken"]), (3, 1, &json!("")));

    let one_only = [INSTANCE, ("ResourceId.1", one.as_str())];
    // A client of the real service spells this action so.
    world.ok("UnTagResources", &[&one_only[..], &[("TagKey.1", "app")]].concat());
    assert_eq!(all(&world).len(), 3);
    world.ok("UntagResources", &[&both[..], &[("All", "true")]].concat());
    assert!(all(&world).is_empty());
    let code = world.code("UntagResources", &one_only);
    assert_eq!(code, "InvalidParameter.TagKey");
}

#[test]
fn the_older_actions_give_and_take_them_too() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    world.ok("AddTagsToResource", &[this, ("Tag.1.key", "app"), ("Tag.1.value", "pemilu")]);
    world.ok("AddTagsToResource", &[this, ("Tags", r#"{"unit":"kpu"}"#)]);
    let told = world.ok("DescribeTags", &[("RegionId", "ap-southeast-5")]);
    let tag = |key: &str, value: &str| json!({ "TagKey": key, "TagValue": value, "DBInstanceIds": { "DBInstanceIds": [id] } });
    assert_eq!(told["Items"]["TagInfos"], json!([tag("app", "pemilu"), tag("unit", "kpu")]));
    let some = world.ok("DescribeTags", &[this, ("Tags", r#"{"unit":"kpu"}"#)]);
    assert_eq!(some["Items"]["TagInfos"], json!([tag("unit", "kpu")]));
    world.ok("RemoveTagsFromResource", &[this, ("Tags", r#"{"unit":"other"}"#)]);
    assert_eq!(all(&world).len(), 2, "it has another value");
    world.ok("RemoveTagsFromResource", &[this, ("Tags", r#"{"unit":"kpu"}"#)]);
    world.ok("RemoveTagsFromResource", &[this, ("Tag.1.key", "app")]);
    assert!(all(&world).is_empty());
    assert_eq!(world.ok("DescribeTags", &[this])["Items"], json!({ "TagInfos": [] }));
}

#[test]
fn the_class_of_the_data_stays_what_it_was_said_to_be() {
    let world = World::new();
    let class = [("Tag.1.Key", "awan:data-class"), ("Tag.1.Value", "personal")];
    let id = world.instance(&class);
    let this = [INSTANCE, ("ResourceId.1", id.as_str())];
    let other = [("Tag.1.Key", "awan:data-class"), ("Tag.1.Value", "public")];
    assert_eq!(
        world.code("TagResources", &[&this[..], &other[..]].concat()),
        "InvalidParameter.Tag"
    );
    let key = [("TagKey.1", "awan:data-class")];
    assert_eq!(
        world.code("UntagResources", &[&this[..], &key[..]].concat()),
        "InvalidParameter.Tag"
    );
    world.ok("UntagResources", &[&this[..], &[("All", "true")]].concat());
    assert_eq!(all(&world), ["awan:data-class=personal"]);
}

#[test]
fn what_is_no_tag_is_refused() {
    let world = World::new();
    let id = world.instance(&[]);
    let long = "x".repeat(129);
    let this = [INSTANCE, ("ResourceId.1", id.as_str())];
    for key in ["", "aliyun.x", "acs:x", "http://x", &long, "a\nb"] {
        let tag = [("Tag.1.Key", key), ("Tag.1.Value", "v")];
        assert_eq!(
            world.code("TagResources", &[&this[..], &tag[..]].concat()),
            "InvalidParameter.Tag",
            "{key}"
        );
    }
    let names: Vec<(String, String)> =
        (1..=21).map(|n| (format!("Tag.{n}.Key"), format!("key-{n}"))).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(
        world.code("TagResources", &[&this[..], &many[..]].concat()),
        "InvalidParameter.Tag"
    );
    world.ok("TagResources", &[&this[..], &many[..20]].concat());
    let one = [("Tag.1.Key", "one more")];
    assert_eq!(world.code("TagResources", &[&this[..], &one[..]].concat()), "InvalidParameter.Tag");
    let wrong = [("ResourceType", "DISK"), ("ResourceId.1", id.as_str())];
    assert_eq!(
        world.code("TagResources", &[&wrong[..], &one[..]].concat()),
        "InvalidParameter.ResourceType"
    );
    let gone = [INSTANCE, ("ResourceId.1", "pgm-none")];
    assert_eq!(
        world.code("TagResources", &[&gone[..], &one[..]].concat()),
        "InvalidDBInstanceId.NotFound"
    );
}
