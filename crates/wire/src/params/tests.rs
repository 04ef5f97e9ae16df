#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Category {
    #[serde(rename = "cloud_ssd")]
    Ssd,
    #[serde(rename = "cloud_essd")]
    Essd,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Disk {
    size: u32,
    category: Option<Category>,
    #[serde(default)]
    ports: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    name: String,
    dry_run: Option<bool>,
    amount: Option<i64>,
    price: Option<f64>,
    system_disk: Option<Disk>,
    #[serde(default)]
    data_disk: Vec<Disk>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

fn params(query: &str) -> Params {
    crate::query::parse(query).into_iter().collect()
}

fn request(name: &str) -> Request {
    let name = name.to_owned();
    Request {
        name,
        dry_run: None,
        amount: None,
        price: None,
        system_disk: None,
        data_disk: vec![],
        labels: BTreeMap::new(),
    }
}

/// Decodes a query: the request, or the code and message of the error.
fn check(query: &str) -> Result<Request, (String, String)> {
    params(query)
        .decode()
        .map_err(|error: ApiError| (error.code().to_owned(), error.text().to_owned()))
}

fn refused(query: &str) -> String {
    check(query).expect_err("this should be refused").0
}

#[test]
fn nested_names_become_lists_and_structs() {
    let query = "Name=n&DataDisk.2.Size=200&SystemDisk.Size=40&SystemDisk.Category=cloud_essd&DataDisk.1.Size=100&\
                 DataDisk.1.Ports.1=80&DataDisk.1.Ports.2=443&Labels.a=1&Labels.b=&Unknown.1.X=2&name=other";
    let disk = |size, category, ports: &[u16]| Disk { size, category, ports: ports.to_vec() };
    let expected = Request {
        system_disk: Some(disk(40, Some(Category::Essd), &[])),
        data_disk: vec![disk(100, None, &[80, 443]), disk(200, None, &[])],
        labels: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())].into(),
        ..request("n")
    };
    assert_eq!(check(query), Ok(expected));
}

#[test]
fn list_elements_are_ordered_by_number() {
    let sizes = |query: &str| {
        check(query)
            .map(|request| request.data_disk.iter().map(|disk| disk.size).collect::<Vec<_>>())
    };
    assert_eq!(
        sizes("Name=n&DataDisk.10.Size=3&DataDisk.9.Size=2&DataDisk.2.Size=1"),
        Ok(vec![1, 2, 3])
    );
    assert_eq!(sizes("Name=n&DataDisk.10000.Size=3"), Ok(vec![3]));
    for index in ["0", "01", "10001", "-1", "x", "99999999999999999999"] {
        assert_eq!(
            refused(&format!("Name=n&DataDisk.{index}.Size=1")),
            "InvalidParameter.DataDisk",
            "the index is the client's word"
        );
    }
}

#[test]
fn json_text_stands_for_a_list_a_struct_and_a_map() {
    let pairs = [
        ("Name", "[not json]"),
        ("DataDisk", r#"[{"Size":100,"Ports":[80,"443"]},{"Size":"200","Category":null}]"#),
        ("SystemDisk", r#" {"Size":40,"Category":"cloud_ssd","Unknown":{"a":[]}}"#),
        ("Labels", r#"{"a.b":"1","c":2}"#),
    ];
    let decoded: Request = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Params>()
        .decode()
        .unwrap();
    assert_eq!(decoded.name, "[not json]");
    assert_eq!(
        decoded.data_disk.iter().map(|disk| (disk.size, disk.ports.len())).collect::<Vec<_>>(),
        [(100, 2), (200, 0)]
    );
    assert_eq!(decoded.system_disk.unwrap().category, Some(Category::Ssd));
    assert_eq!(
        decoded.labels,
        [("a.b".to_owned(), "1".to_owned()), ("c".to_owned(), "2".to_owned())].into()
    );
    assert_eq!(check("Name=n&DataDisk=[]"), Ok(request("n")));
    for text in ["[", "[1", "{}", "x", "", "[[]]"] {
        assert!(
            refused(&format!("Name=n&DataDisk={text}")).starts_with("InvalidParameter.DataDisk"),
            "{text}"
        );
    }
}

#[test]
fn numbered_elements_win_over_text_of_the_same_name() {
    assert_eq!(check("Name=n&DataDisk=[]&DataDisk.1.Size=1").unwrap().data_disk.len(), 1);
    assert_eq!(check("Name=n&Name.1=x"), Ok(request("n")));
}

#[test]
fn booleans_are_true_and_false_in_any_case() {
    for (text, value) in
        [("True", true), ("true", true), ("TRUE", true), ("False", false), ("false", false)]
    {
        assert_eq!(check(&format!("Name=n&DryRun={text}")).unwrap().dry_run, Some(value));
    }
    for text in ["1", "0", "yes", "", "true%20", "on"] {
        assert_eq!(refused(&format!("Name=n&DryRun={text}")), "InvalidParameter.DryRun", "{text}");
    }
}

#[test]
fn numbers_are_decimal_and_fit() {
    assert_eq!(check("Name=n&Amount=-9223372036854775808").unwrap().amount, Some(i64::MIN));
    assert_eq!(check("Name=n&Price=0.25").unwrap().price, Some(0.25));
    for text in ["9223372036854775808", "%2B1", "1.0", "0x1", "", "1%20", "١"] {
        assert_eq!(refused(&format!("Name=n&Amount={text}")), "InvalidParameter.Amount", "{text}");
    }
    for text in ["NaN", "inf", "-inf", "%2B1", ".5", "1e999", ""] {
        assert_eq!(refused(&format!("Name=n&Price={text}")), "InvalidParameter.Price", "{text}");
    }
}

#[test]
fn errors_name_the_parameter() {
    let missing = |name: &str| {
        let text = format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        );
        Err(("MissingParameter".to_owned(), text))
    };
    assert_eq!(check("Amount=1"), missing("Name"));
    assert_eq!(check("Name=n&DataDisk.2.Category=cloud_ssd"), missing("DataDisk.2.Size"));
    assert_eq!(
        refused("Name=n&DataDisk.2.Size=1&DataDisk.2.Ports.3=x"),
        "InvalidParameter.DataDisk.2.Ports.3"
    );
    assert_eq!(
        refused("Name=n&SystemDisk.Size=1&SystemDisk.Category=tape"),
        "InvalidParameter.SystemDisk.Category"
    );
    assert_eq!(refused("Name.1=n"), "InvalidParameter.Name");
    let (code, text) = check("Name=n&DryRun=1").unwrap_err();
    assert_eq!(code, "InvalidParameter.DryRun");
    assert_eq!(text, "The specified parameter \"DryRun\" is not valid: expected true or false.");
}

#[test]
fn system_parameters_are_not_business() {
    assert!(SYSTEM.is_sorted());
    let mut pairs = crate::query::parse(
        "Action=A&Version=1&Format=JSON&Timestamp=t&Signature=s&SignatureMethod=m&SignatureVersion=1.0&SignatureNonce=n&\
         SignatureType=&AccessKeyId=k&SecurityToken=t&OwnerId=1&Lang=en&SourceIp=1.2.3.4&RegionId=r&SignatureX=1&UserName=u",
    );
    pairs.sort();
    let params = Params::business(pairs);
    assert_eq!(format!("{params:?}"), r#"["RegionId", "SignatureX", "UserName"]"#);
    assert_eq!(params.get("RegionId"), Some("r"));
}

#[test]
fn a_json_body_decodes_with_query_and_path() {
    let Value::Object(body) = json!({"DryRun": true, "Amount": 3, "DataDisk": [{"Size": 1, "Ports": null}], "Labels": null})
    else {
        panic!("an object was written")
    };
    let mut params = Params::with_json(vec![("Price".to_owned(), "1.5".to_owned())], body).unwrap();
    params.add("Name", "p/1").unwrap();
    assert_eq!(params.add("Amount", "4").unwrap_err().code(), "InvalidParameter");
    assert_eq!(params.add("Price", "4").unwrap_err().code(), "InvalidParameter");
    let decoded: Request = params.decode().unwrap();
    assert_eq!(
        (decoded.name.as_str(), decoded.dry_run, decoded.amount, decoded.price),
        ("p/1", Some(true), Some(3), Some(1.5))
    );
    assert_eq!(decoded.data_disk, [Disk { size: 1, category: None, ports: vec![] }]);
}

#[test]
fn an_action_without_parameters_takes_any() {
    #[derive(Deserialize)]
    struct Nothing {}
    for query in ["", "A=1&B.1=2"] {
        assert!(params(query).decode::<()>().is_ok());
        assert!(params(query).decode::<Nothing>().is_ok());
    }
}

#[test]
fn the_digest_tells_requests_apart_and_not_their_spelling() {
    let digest = |query: &str| params(query).digest();
    assert_eq!(digest("A=1&B.1=2&ClientToken=x"), digest("ClientToken=y&B.1=2&A=1"));
    let all = ["", "A=1", "A=", "A=2", "A1=", "A.1=", "A=1&B=2", "A=1B2", "A.B=1"].map(digest);
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one), "{at}");
    }
    let body = |value: Value| Params::from(value.as_object().unwrap().clone()).digest();
    assert_eq!(
        body(json!({"a": 1, "b": {"c": [], "d": 2}})),
        body(json!({"b": {"d": 2, "c": []}, "a": 1}))
    );
    assert_ne!(body(json!({"a": [1, 2]})), body(json!({"a": [2, 1]})));
}

#[test]
fn the_last_of_two_values_counts_where_nobody_refused_them() {
    assert_eq!(params("A=1&B=2&A=3").get("A"), Some("3"));
}

/// Writes a value as the SDKs flatten it.
fn flatten(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let nested =
        |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Null => {}
        Value::Bool(value) => {
            out.push((name.to_owned(), if *value { "True" } else { "false" }.to_owned()))
        }
        Value::Number(number) => out.push((name.to_owned(), number.to_string())),
        Value::String(text) => out.push((name.to_owned(), text.clone())),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, item)| flatten(&nested(&(at + 1).to_string()), item, out));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, item)| flatten(&nested(key), item, out))
        }
    }
}

fn disks() -> impl Strategy<Value = Disk> {
    let category = proptest::option::of(prop_oneof![Just(Category::Ssd), Just(Category::Essd)]);
    (any::<u32>(), category, proptest::collection::vec(any::<u16>(), 0..12))
        .prop_map(|(size, category, ports)| Disk { size, category, ports })
}

fn requests() -> impl Strategy<Value = Request> {
    let scalars = (any::<String>(), any::<Option<bool>>(), any::<Option<i64>>());
    let price = proptest::option::of(proptest::num::f64::NORMAL);
    let labels = proptest::collection::btree_map("[a-z-]{1,5}", any::<String>(), 0..4);
    (
        scalars,
        price,
        proptest::option::of(disks()),
        proptest::collection::vec(disks(), 0..12),
        labels,
    )
        .prop_map(|((name, dry_run, amount), price, system_disk, data_disk, labels)| Request {
            name,
            dry_run,
            amount,
            price,
            system_disk,
            data_disk,
            labels,
        })
}

proptest! {
    #[test]
    fn what_is_flattened_comes_back(request in requests(), shuffle: u64) {
        let value = serde_json::to_value(&request).unwrap();
        let mut pairs = Vec::new();
        flatten("", &value, &mut pairs);
        let turn = usize::try_from(shuffle % 97).unwrap() % pairs.len();
        pairs.rotate_left(turn);
        let flat: Params = pairs.into_iter().collect();
        prop_assert_eq!(flat.decode::<Request>().unwrap(), request.clone());

        let Value::Object(fields) = value else { unreachable!("a struct is an object") };
        let texts = fields.iter().filter(|(_, value)| !value.is_null());
        let json_texts: Params = texts
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        prop_assert_eq!(json_texts.decode::<Request>().unwrap(), request.clone());
        prop_assert_eq!(Params::from(fields).decode::<Request>().unwrap(), request);
    }

    #[test]
    fn any_parameters_are_taken_without_panic(
        query in "(Name|DataDisk|SystemDisk|Labels|Size|[.]|=|&|[0-9]|[\\[\\]{}\":,]|\\PC){0,40}",
    ) {
        let params = params(&query);
        let _ = params.decode::<Request>();
        let _ = params.decode::<Value>();
        let _ = params.digest();
    }
}
