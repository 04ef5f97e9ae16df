#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use base::code;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use quick_xml::events::Event;

use super::*;

const ID: &str = "540CFF28-407A-40B5-B6A5-74B0C0FFEE00";

fn check(body: &Body, status: u16, content_type: &str, expected: &Expect) {
    assert_eq!((body.status, body.content_type), (status, content_type));
    expected.assert_eq(std::str::from_utf8(&body.bytes).unwrap());
}

const JSON: &str = "application/json; charset=utf-8";
const XML: &str = "text/xml;charset=utf-8";

#[test]
fn a_success_is_an_object_with_the_request_id() {
    let value = json!({"Vpcs": {"Vpc": []}, "TotalCount": 0, "RequestId": "other"});
    check(
        &success(Format::Json, "DescribeVpcs", ID, value.clone()),
        200,
        JSON,
        &expect![[
            r#"{"RequestId":"540CFF28-407A-40B5-B6A5-74B0C0FFEE00","Vpcs":{"Vpc":[]},"TotalCount":0}"#
        ]],
    );
    check(
        &success(Format::Json, "X", ID, Value::Null),
        200,
        JSON,
        &expect![[r#"{"RequestId":"540CFF28-407A-40B5-B6A5-74B0C0FFEE00"}"#]],
    );
    check(
        &roa_success(ID, json!({"data": {"projects": []}})),
        200,
        JSON,
        &expect![[
            r#"{"requestId":"540CFF28-407A-40B5-B6A5-74B0C0FFEE00","data":{"projects":[]}}"#
        ]],
    );
    check(
        &roa_success(ID, json!([1])),
        200,
        JSON,
        &expect![[r#"{"requestId":"540CFF28-407A-40B5-B6A5-74B0C0FFEE00","data":[1]}"#]],
    );
}

#[test]
fn an_xml_success_repeats_the_elements_of_a_list() {
    let regions = json!({"Regions": {"Region": [{"RegionId": "a"}, {"RegionId": "b"}]}, "Empty": {"E": []}, "N": 1, "B": true});
    check(
        &success(Format::Xml, "DescribeRegions", ID, regions),
        200,
        XML,
        &expect![[
            r#"<?xml version="1.0" encoding="UTF-8"?><DescribeRegionsResponse><RequestId>540CFF28-407A-40B5-B6A5-74B0C0FFEE00</RequestId><Regions><Region><RegionId>a</RegionId></Region><Region><RegionId>b</RegionId></Region></Regions><Empty></Empty><N>1</N><B>true</B></DescribeRegionsResponse>"#
        ]],
    );
}

#[test]
fn an_error_has_all_its_texts() {
    let denied = Denied {
        action: "ecs:RunInstances".to_owned(),
        resource: "acs:ecs:*:1:instance/*".to_owned(),
        principal_type: "SubUser".to_owned(),
        principal_name: "alice".to_owned(),
        principal_owner: "1234567890123456".to_owned(),
        explicit: false,
    };
    let refused = ApiError::new(&code::NO_PERMISSION)
        .message("No <\"you\">.")
        .detail("internal")
        .denied(denied);
    check(
        &error(Format::Json, ID, "localhost:7100", &refused),
        403,
        JSON,
        &expect![[
            r#"{"RequestId":"540CFF28-407A-40B5-B6A5-74B0C0FFEE00","HostId":"localhost:7100","Code":"NoPermission","Message":"No <\"you\">.","Recommend":"","AccessDeniedDetail":{"AuthAction":"ecs:RunInstances","AuthPrincipalType":"SubUser","AuthPrincipalOwnerId":"1234567890123456","AuthPrincipalDisplayName":"alice","NoPermissionType":"ImplicitDeny","PolicyType":"AccountLevelIdentityBasedPolicy","EncodedDiagnosticMessage":""}}"#
        ]],
    );
    check(
        &error(Format::Xml, ID, "h", &ApiError::new(&code::DRY_RUN).message("a<&>\"'\u{1}\r")),
        400,
        XML,
        &expect![[
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><RequestId>540CFF28-407A-40B5-B6A5-74B0C0FFEE00</RequestId><HostId>h</HostId><Code>DryRunOperation</Code><Message>a&lt;&amp;&gt;&quot;&apos;�&#13;</Message><Recommend></Recommend></Error>"#
        ]],
    );
}

#[test]
fn every_code_answers_as_clients_need_it() {
    for code in code::ALL {
        let body = error(Format::Json, ID, "h", &ApiError::new(code));
        let value: Value = serde_json::from_slice(&body.bytes).unwrap();
        for name in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
            assert!(value[name].is_string(), "{}: {name}", code.name);
        }
        assert!(
            !code.name.is_empty() && (400..600).contains(&body.status) && body.status != 404,
            "{}",
            code.name
        );
    }
}

/// Reads XML strictly: the names are XML names and the texts hold XML characters only.
fn well_formed(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                let name = tag.name();
                let first = name.as_ref().first().copied().unwrap_or(b'0');
                if !(first.is_ascii_alphabetic() || first == b'_')
                    || tag.attributes().next().is_some()
                {
                    return Err(format!("bad name {name:?}"));
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::Eof => return if depth == 0 { Ok(()) } else { Err("open elements".to_owned()) },
            Event::Text(_) | Event::GeneralRef(_) | Event::Decl(_) => {}
            other => return Err(format!("unexpected {other:?}")),
        }
        let illegal = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\r' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        if text.contains(illegal) {
            return Err("an illegal character".to_owned());
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x1f<&>\"'\\]\u{fffe}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let fields = proptest::collection::hash_map(any::<String>(), inner.clone(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn xml_is_always_well_formed(value in values(), action: String, message: String) {
        let body = success(Format::Xml, &action, ID, value);
        prop_assert_eq!(well_formed(&body.bytes), Ok(()));
        let body = error(Format::Xml, ID, &message, &ApiError::new(&code::INVALID_PARAMETER).message(&message).suffix(&action));
        prop_assert_eq!(well_formed(&body.bytes), Ok(()));
    }

    #[test]
    fn a_text_comes_back_from_xml(text in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\u{fffe}\u{ffff}]*") {
        let mut out = String::new();
        push_text(&mut out, &text);
        prop_assert_eq!(quick_xml::escape::unescape(&out).unwrap(), text);
    }

    #[test]
    fn json_is_always_one_object(value in values()) {
        for body in [success(Format::Json, "A", ID, value.clone()), roa_success(ID, value)] {
            prop_assert!(serde_json::from_slice::<Map<String, Value>>(&body.bytes).is_ok());
        }
    }
}
