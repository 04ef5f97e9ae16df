#![allow(clippy::unwrap_used, reason = "a test may panic")]

use expect_test::expect_file;
use serde_json::{Map, Value, json};

use super::*;
use crate::redact::Opening;
use crate::release::Error;
use crate::testing::{full_draft, provider_key, tenant_key, text};
use crate::{Release, redact, signature};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// A release with every field that the schema has, some of them withheld, and what opens the contact.
fn example() -> (Release, Opening) {
    let mut document = Release::build(&full_draft()).unwrap().document().clone();
    let ground = text(
        "UU 14/2008 pasal 17 dan putusan Komisi Informasi Pusat, April 2024",
        "UU 14/2008, article 17, and the Information Commission's ruling of April 2024",
    );
    let [contact, ..] = [
        ("/parties/1/contactPoint", [5; 16]),
        ("/contracts/0/sovereign/infrastructure/1/location", [6; 16]),
        ("/contracts/0/sovereign/infrastructure/1/addresses", [7; 16]),
    ]
    .map(|(pointer, salt)| redact::withhold(&mut document, pointer, &ground, salt).unwrap());
    (Release::parse(&serde_json::to_vec(&document).unwrap()).unwrap(), contact)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// Calls `see` with each object of `value` for which the schema lists the fields, and with the pointer.
fn visit(node: &Value, value: &Value, pointer: &str, see: &mut dyn FnMut(&Value, &Value, &str)) {
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        let schema = schema();
        return visit(schema.pointer(&target[1..]).unwrap(), value, pointer, see);
    }
    if let Some([shown, withheld]) = node.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
    {
        let branch = if value.get("withheld").is_some() { withheld } else { shown };
        return visit(branch, value, pointer, see);
    }
    match value {
        Value::Array(all) => {
            let items = node.get("items").unwrap_or_else(|| panic!("{pointer} has no items"));
            for (at, child) in all.iter().enumerate() {
                visit(items, child, &format!("{pointer}/{at}"), see);
            }
        }
        Value::Object(all) => {
            if node.get("additionalProperties").is_some() {
                see(node, value, pointer);
            }
            for (name, child) in all {
                if let Some(property) = node["properties"].get(name) {
                    visit(property, child, &format!("{pointer}/{name}"), see);
                }
            }
        }
        _ => {}
    }
}

fn with_change(
    document: &Value,
    pointer: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) -> Result<Release, Error> {
    let mut changed = document.clone();
    change(changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
    Release::parse(&serde_json::to_vec(&changed).unwrap())
}

#[test]
fn schema_and_types_have_the_same_fields_and_demand_the_same() {
    let mut checked = 0;
    for release in [example().0, Release::build(&full_draft()).unwrap()] {
        let document = release.document();
        visit(&schema(), document, "", &mut |node, object, pointer| {
            let object = object.as_object().unwrap();
            for name in object.keys() {
                assert!(
                    node["properties"].get(name).is_some(),
                    "the schema lacks {pointer}/{name}"
                );
            }
            for name in node["properties"].as_object().unwrap().keys() {
                let required = node["required"].as_array().unwrap().contains(&json!(name));
                if !object.contains_key(name) {
                    assert!(!required, "{pointer} lacks {name}");
                    continue;
                }
                let without =
                    with_change(document, pointer, |object| drop(object.shift_remove(name)));
                let refused = matches!(without, Err(Error::Form(_)));
                assert_eq!(refused, required, "{pointer}/{name}");
                checked += 1;
            }
            let unknown = with_change(document, pointer, |object| {
                object.insert("unknown".to_owned(), json!(1));
            });
            assert!(matches!(unknown, Err(Error::Form(_))), "{pointer} takes any field");
        });
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn every_field_of_the_schema_is_in_the_examples() {
    let mut seen = std::collections::HashSet::new();
    for release in [example().0, Release::build(&full_draft()).unwrap()] {
        visit(&schema(), release.document(), "", &mut |node, object, _| {
            for name in object.as_object().unwrap().keys() {
                seen.insert((node["description"].to_string(), name.clone()));
            }
        });
    }
    for (definition, node) in schema()["$defs"].as_object().unwrap() {
        let Some(properties) = node.get("properties") else { continue };
        for name in properties.as_object().unwrap().keys() {
            let of_contact = definition == "ContactPoint" && name != "name";
            let found = seen.contains(&(node["description"].to_string(), name.clone()));
            assert!(found || of_contact, "{definition}.{name} is in no example");
        }
    }
}

#[test]
fn the_schema_marks_what_the_ruling_lets_be_withheld_and_no_more() {
    fn marked(node: &Value, name: &str, found: &mut Vec<String>) {
        match node {
            Value::Object(all) => {
                if all.get("redactable") == Some(&json!(true)) {
                    found.push(name.to_owned());
                }
                all.iter().for_each(|(name, child)| marked(child, name, found));
            }
            Value::Array(all) => all.iter().for_each(|child| marked(child, name, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    marked(&schema(), "", &mut found);
    found.sort();
    assert_eq!(found, ["addresses", "contactPoint", "location"]);
}

/// The same schema as the standard wants it: a patch in JSON Schema draft 4, whose definitions have
/// names that no other extension has.
fn patch() -> Value {
    fn name(definition: &str) -> String {
        let own = definition.strip_prefix("Sovereign").unwrap_or(definition);
        format!("Sovereign{own}")
    }
    fn convert(node: &Value) -> Value {
        let Value::Object(fields) = node else {
            let Value::Array(all) = node else { return node.clone() };
            return all.iter().map(convert).collect();
        };
        if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix("#/$defs/").unwrap();
            return json!({ "$ref": format!("#/definitions/{}", name(target)) });
        }
        if let Some([shown, _]) = fields.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            // Tools of the standard do not look into choices: both forms as one.
            let mut both = convert(shown);
            let form = both.get("type").cloned().unwrap();
            both["type"] = json!([form, "object"]);
            both["description"] = fields["description"].clone();
            both["properties"] =
                json!({ "withheld": { "$ref": format!("#/definitions/{}", name("Commitment")) } });
            return both;
        }
        let each = |(key, value): (&String, &Value)| match key.as_str() {
            "const" => ("enum".to_owned(), json!([value])),
            _ => (key.clone(), convert(value)),
        };
        Value::Object(fields.iter().map(each).collect())
    }
    let schema = schema();
    let mut definitions = Map::new();
    definitions.insert(
        "Contract".to_owned(),
        json!({ "properties": { "sovereign": { "$ref": "#/definitions/Sovereign" } } }),
    );
    definitions.insert(
        "ContactPoint".to_owned(),
        json!({ "properties": { "withheld": { "$ref": "#/definitions/SovereignCommitment" } } }),
    );
    for (definition, node) in schema["$defs"].as_object().unwrap() {
        if definition != "ContactPoint" {
            definitions.insert(name(definition), convert(node));
        }
    }
    json!({ "definitions": definitions })
}

#[test]
fn the_published_files_are_those_of_the_code() {
    expect_file!["../../../../docs/agreement/release-schema.json"].assert_eq(&pretty(&patch()));
    let (release, opening) = example();
    let document = pretty(release.document());
    expect_file!["../../../../docs/agreement/release-example.json"].assert_eq(&document);
    expect_file!["../../../../docs/agreement/package-example.json"]
        .assert_eq(&pretty(&release.package()));
    assert_eq!(Release::parse(document.as_bytes()).unwrap().digest(), release.digest());
    let lines = [provider_key(), tenant_key()].map(|key| signature::sign(&release, &key).unwrap());
    let note = signature::join(&release, &[&lines[0], &lines[1]]).unwrap();
    assert!(signature::verify(&release, &note).unwrap().both());
    let note = String::from_utf8(note).unwrap();
    expect_file!["../../../../docs/agreement/release-example.note"].assert_eq(&note);
    redact::open(release.document(), &opening).unwrap();
    let opening = pretty(&serde_json::to_value(&opening).unwrap());
    expect_file!["../../../../docs/agreement/opening-example.json"].assert_eq(&opening);
}

#[test]
fn the_metadata_names_the_files_beside_it() {
    let metadata: Value = serde_json::from_str(METADATA).unwrap();
    assert_eq!(metadata["schemas"], json!(["release-schema.json"]));
    assert_eq!(metadata["compatibility"], json!(["1.1"]));
}

/// What a field holds, for people.
fn form(node: &Value) -> String {
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        let name = target.strip_prefix("#/$defs/").unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = node.get("anyOf").and_then(Value::as_array) {
        return choices.iter().map(form).collect::<Vec<_>>().join(" or ");
    }
    match node["type"].as_str().unwrap() {
        "array" => format!("list of {}", form(&node["items"])),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => panic!("{other}"),
    }
}

/// `fields.md`, from the schema.
fn fields() -> String {
    let mut page = "# Fields of the extension\n\nFrom `schema.json`, which says the same to machines. A \
                    field that is not required is left out where it has nothing to say; one marked *may be \
                    withheld* may be replaced by a [Withheld](#withheld).\n"
        .to_owned();
    for (definition, node) in schema()["$defs"].as_object().unwrap() {
        let about = node["description"].as_str().unwrap();
        page += &format!("\n## {definition}\n\n{about}\n");
        let Some(properties) = node.get("properties") else {
            let words: Vec<_> = node["enum"]
                .as_array()
                .unwrap()
                .iter()
                .map(|word| format!("`{}`", word.as_str().unwrap()))
                .collect();
            page += &format!("\nOne of {}.\n", words.join(", "));
            continue;
        };
        page += "\n| field | holds | required | meaning |\n|---|---|---|---|\n";
        for (name, property) in properties.as_object().unwrap() {
            let required = node["required"].as_array().unwrap().contains(&json!(name));
            let required = if required { "yes" } else { "no" };
            let withheld =
                if property.get("redactable").is_some() { " *May be withheld.*" } else { "" };
            let meaning = property["description"].as_str().unwrap();
            page +=
                &format!("| `{name}` | {} | {required} | {meaning}{withheld} |\n", form(property));
        }
    }
    page
}

#[test]
fn the_page_of_fields_is_that_of_the_schema() {
    expect_file!["../../../../docs/agreement/fields.md"].assert_eq(&fields());
}

#[test]
fn the_readme_names_every_file_beside_it() {
    let files = [
        "schema.json",
        "fields.md",
        "extension.json",
        "release-schema.json",
        "release-example.json",
        "release-example.note",
        "package-example.json",
        "opening-example.json",
    ];
    for file in files {
        assert!(README.contains(&format!("({file})")), "{file}");
    }
}
