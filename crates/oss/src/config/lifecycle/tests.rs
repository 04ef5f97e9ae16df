#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const BOTH: [Dialect; 2] = [Dialect::Oss, Dialect::S3];
const DAY: i64 = DAY_SECONDS;

fn parse(dialect: Dialect, rules: &str) -> Result<Lifecycle, ApiError> {
    let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    Lifecycle::parse(body.as_bytes(), dialect)
}

fn rule(dialect: Dialect, inside: &str) -> Result<Lifecycle, ApiError> {
    parse(dialect, &format!("<Rule><Prefix>a</Prefix><Status>Enabled</Status>{inside}</Rule>"))
}

const TENTH: &str = "<Expiration><Days>10</Days></Expiration>";

#[test]
fn what_no_rule_may_say_is_refused() {
    let move_to = |class: &str, when: &str| {
        format!("<Transition>{when}<StorageClass>{class}</StorageClass></Transition>")
    };
    let days = |days: u32| format!("<Days>{days}</Days>");
    let refused = |inside: &str| rule(Dialect::Oss, inside).unwrap_err().code().to_owned();
    assert!(rule(Dialect::Oss, TENTH).is_ok());
    for (inside, code) in [
        (String::new(), "InvalidArgument"),
        ("<Expiration><Days>0</Days></Expiration>".into(), "InvalidArgument"),
        ("<Expiration><Days>-1</Days></Expiration>".into(), "InvalidArgument"),
        ("<Expiration><Days>x</Days></Expiration>".into(), "MalformedXML"),
        ("<Expiration/>".into(), "MalformedXML"),
        (format!("{TENTH}{TENTH}"), "MalformedXML"),
        ("<Expiration><Date>20200101</Date></Expiration>".into(), "MalformedXML"),
        ("<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>".into(), "MalformedXML"),
        (format!("{TENTH}{}", move_to("IA", &days(11))), "InvalidArgument"),
        (format!("{TENTH}{}", move_to("Standard", &days(1))), "InvalidArgument"),
        (format!("{TENTH}{}", move_to("Warm", &days(1))), "MalformedXML"),
        (format!("{}{}", move_to("IA", &days(5)), move_to("Archive", &days(2))), "InvalidArgument"),
        (format!("{TENTH}{}", move_to("IA", "<CreatedBeforeDate>2020-01-01T00:00:00.000Z</CreatedBeforeDate>")), "InvalidRequest"),
    ] {
        assert_eq!(refused(&inside), code, "{inside}");
    }
}

#[test]
fn ids_are_short_unique_and_made_where_there_is_none() {
    let with = |id: &str| {
        format!("<Rule><ID>{id}</ID><Prefix>a</Prefix><Status>Enabled</Status>{TENTH}</Rule>")
    };
    for dialect in BOTH {
        let long = parse(dialect, &with(&"i".repeat(256))).unwrap_err();
        assert_eq!(long.code(), "InvalidArgument");
        assert!(parse(dialect, &with(&"i".repeat(255))).is_ok());
        let twice = parse(dialect, &with("a").repeat(2)).unwrap_err();
        assert_eq!(twice.code(), "InvalidArgument");
        let made = parse(dialect, &with("").repeat(2)).unwrap();
        assert!(!made.rules[0].id.is_empty() && made.rules[0].id != made.rules[1].id);
    }
}

#[test]
fn the_status_is_one_of_two_words() {
    for word in ["enabled", "disabled", "invalid", ""] {
        let rule = format!("<Rule><Prefix/><Status>{word}</Status>{TENTH}</Rule>");
        assert_eq!(parse(Dialect::S3, &rule).unwrap_err().code(), "MalformedXML", "{word}");
    }
}

#[test]
fn s3_wants_midnights_and_a_filter() {
    let date =
        |date: &str| rule(Dialect::S3, &format!("<Expiration><Date>{date}</Date></Expiration>"));
    assert!(date("2017-09-27T00:00:00Z").is_ok());
    assert!(date("2017-09-27").is_ok());
    assert_eq!(date("1970-08-22T19:15:01Z").unwrap_err().code(), "InvalidArgument");
    let bare = format!("<Rule><Status>Enabled</Status>{TENTH}</Rule>");
    assert_eq!(parse(Dialect::S3, &bare).unwrap_err().code(), "MalformedXML");
    assert!(parse(Dialect::Oss, &bare).is_ok());
}

fn subject<'a>(key: &'a str, tags: &'a Tags, age: i64, now: Time) -> Subject<'a> {
    Subject {
        key,
        size: 1000,
        tags,
        class: StorageClass::Standard,
        modified: Time::from_secs(now.secs() - age),
        accessed: None,
        visited: false,
        place: Place::Current,
    }
}

fn when(days: u32) -> Option<Expiration> {
    Some(Expiration::When(When::Days(days)))
}

#[test]
fn a_day_of_the_calendar_is_over_at_midnight() {
    let noon = Time::from_secs(10 * DAY + DAY / 2);
    assert_eq!(after(noon, 1, DAY), Time::from_secs(12 * DAY));
    assert_eq!(after(Time::from_secs(10 * DAY), 1, DAY), Time::from_secs(11 * DAY));
    assert_eq!(after(noon, 1, 10), Time::from_secs(10 * DAY + DAY / 2 + 10));
}

#[test]
fn what_is_due_longest_is_told() {
    let tags = Tags::new();
    let now = Time::from_secs(1000 * DAY);
    let rules = [("late", 9), ("soon", 2)].map(|(id, days)| Rule {
        id: id.to_owned(),
        enabled: true,
        expiration: when(days),
        ..Rule::default()
    });
    let told = Lifecycle { rules: rules.to_vec() }.expiry(&subject("k", &tags, 0, now)).unwrap();
    assert_eq!((told.at, told.rule.as_str()), (Time::from_secs(1002 * DAY), "soon"));
}

#[test]
fn who_reads_again_brings_back_what_went_cold_for_want_of_readers() {
    let (tags, now) = (Tags::new(), Time::from_secs(1000 * DAY));
    let transition = Transition {
        when: When::Days(30),
        class: StorageClass::InfrequentAccess,
        by_access: Some(true),
        back_on_access: Some(true),
        small_too: None,
    };
    let rule = Rule { enabled: true, transitions: vec![transition], ..Rule::default() };
    let rules = Lifecycle { rules: vec![rule] };
    let mut it = subject("k", &tags, 100 * DAY, now);
    assert_eq!(rules.action(&it, now, DAY), None, "nobody notes when it is read");
    it.accessed = Some(it.modified);
    let action = |it: &Subject<'_>| rules.action(it, now, DAY).map(|(action, _)| action);
    assert_eq!(action(&it), Some(Action::Move(StorageClass::InfrequentAccess)));
    it.class = StorageClass::InfrequentAccess;
    assert_eq!(action(&it), None);
    it.accessed = Some(now);
    it.visited = true;
    assert_eq!(action(&it), Some(Action::Move(StorageClass::Standard)));
}

fn any_when() -> impl Strategy<Value = When> {
    prop_oneof![
        (1u32..40).prop_map(When::Days),
        (900i64..1100).prop_map(|day| When::Date(day * DAY)),
        (900i64..1100).prop_map(|day| When::CreatedBefore(day * DAY)),
    ]
}

fn any_class() -> impl Strategy<Value = StorageClass> {
    prop::sample::select(vec![
        StorageClass::InfrequentAccess,
        StorageClass::Archive,
        StorageClass::DeepColdArchive,
    ])
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let tag = prop::sample::select(vec!["t", "u"]).prop_map(|tag| (tag.to_owned(), "1".to_owned()));
    let not =
        ("[ab]{1,2}", prop::option::of(tag.clone())).prop_map(|(prefix, tag)| Not { prefix, tag });
    (
        "[ab]{0,2}",
        prop::collection::vec(tag, 0..2),
        prop::option::of(0u64..2000),
        prop::option::of(0u64..2000),
        prop::collection::vec(not, 0..2),
    )
        .prop_map(|(prefix, tags, larger, smaller, not)| Filter {
            prefix,
            tags,
            larger,
            smaller,
            not,
            nested: true,
        })
}

prop_compose! {
    fn any_rule()(
        enabled in prop::bool::weighted(0.8),
        filter in any_filter(),
        expiration in prop::option::of(any_when().prop_map(Expiration::When)),
        moves in prop::collection::vec((any_when(), any_class()), 0..3),
        noncurrent in prop::option::of((1u32..40, prop::option::of(1u32..4))),
        abort in prop::option::of(any_when()),
    ) -> Rule {
        let transitions = moves.into_iter().map(|(when, class)| Transition {
            when, class, by_access: None, back_on_access: None, small_too: None,
        }).collect();
        let noncurrent = noncurrent.map(|(days, keep)| Noncurrent { days, keep });
        Rule { id: String::new(), enabled, filter, expiration, transitions, noncurrent, abort, ..Rule::default() }
    }
}

/// Whether a moment has come, said day by day.
fn over(when: When, modified: i64, now: i64) -> bool {
    match when {
        When::Days(days) => {
            let mut midnight = modified - modified.rem_euclid(DAY);
            while midnight < modified + i64::from(days) * DAY {
                midnight += DAY;
            }
            now >= midnight
        }
        When::Date(date) => now >= date,
        When::CreatedBefore(date) => modified < date,
    }
}

/// What the rules say, said otherwise.
fn oracle(rules: &[Rule], it: &Subject<'_>, now: i64) -> Option<Action> {
    let mut found: Option<Action> = None;
    for rule in rules {
        let Filter { prefix, tags, larger, smaller, not, .. } = &rule.filter;
        let mut fits = rule.enabled && it.key.find(prefix.as_str()) == Some(0);
        fits &= tags.iter().all(|tag| it.tags.iter().any(|own| own == tag));
        let body = it.place == Place::Current
            || matches!(it.place, Place::Noncurrent { marker: false, .. });
        for (bound, holds) in [
            (larger, larger.is_some_and(|bytes| it.size > bytes)),
            (smaller, smaller.is_some_and(|bytes| it.size < bytes)),
        ] {
            fits &= bound.is_none() || body && holds;
        }
        for Not { prefix, tag } in not {
            let tagged = match tag {
                Some(tag) => it.tags.contains(tag),
                None => true,
            };
            fits &= !(it.key.find(prefix.as_str()) == Some(0) && tagged);
        }
        if !fits {
            continue;
        }
        let modified = it.modified.secs();
        let ends = match it.place {
            Place::Upload => rule.abort.is_some_and(|when| over(when, modified, now)),
            Place::Noncurrent { since, newer, .. } => rule.noncurrent.is_some_and(|it| {
                over(When::Days(it.days), since.secs(), now) && newer >= it.keep.unwrap_or(0)
            }),
            Place::Marker { alone: false } => false,
            Place::Current | Place::Marker { alone: true } => match rule.expiration {
                Some(Expiration::When(when)) => over(when, modified, now),
                _ => false,
            },
        };
        if ends {
            return Some(Action::End);
        }
        if it.place == Place::Current {
            for step in &rule.transitions {
                let warmer = match found {
                    Some(Action::Move(class)) => class < step.class,
                    _ => it.class < step.class,
                };
                if warmer && over(step.when, modified, now) {
                    found = Some(Action::Move(step.class));
                }
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn the_rules_say_what_the_oracle_says(
        rules in prop::collection::vec(any_rule(), 1..4),
        key in "[ab]{1,4}",
        tagged in prop::sample::subsequence(vec!["t", "u"], 0..=2),
        size in 0u64..2000,
        age in 0i64..60 * DAY,
        since in 0i64..60 * DAY,
        newer in 0u32..5,
        place in 0..5,
        class in prop_oneof![Just(StorageClass::Standard), any_class()],
    ) {
        let now = 1000 * DAY + 12_345;
        let tags: Tags = tagged.into_iter().map(|tag| (tag.to_owned(), "1".to_owned())).collect();
        let since = Time::from_secs(now - since);
        let place = match place {
            0 => Place::Current,
            1 => Place::Upload,
            2 => Place::Marker { alone: newer % 2 == 0 },
            3 => Place::Noncurrent { since, newer, marker: true },
            _ => Place::Noncurrent { since, newer, marker: false },
        };
        let it = Subject { size, class, place, ..subject(&key, &tags, age, Time::from_secs(now)) };
        let lifecycle = Lifecycle { rules };
        let found = lifecycle.action(&it, Time::from_secs(now), DAY).map(|(action, _)| action);
        prop_assert_eq!(found, oracle(&lifecycle.rules, &it, now));
        // What is told to end by now is what ends.
        if it.place == Place::Current {
            let told = lifecycle.expiry(&it).is_some_and(|told| told.at.secs() <= now);
            prop_assert!(!told || found == Some(Action::End));
        }
    }

    #[test]
    fn what_is_read_is_told_so_that_it_reads_the_same(
        inside in prop::collection::vec(prop::sample::select(vec![
            "<ID>one</ID>", "<Status>Enabled</Status>", "<Status>Disabled</Status>", "<Prefix>a</Prefix>", "<Filter/>",
            "<Filter><Tag><Key>k</Key><Value>v</Value></Tag><Prefix>p&amp;</Prefix></Filter>",
            "<Filter><And><Prefix>p</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>",
            "<Filter><Not><Prefix>ab</Prefix></Not><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>",
            "<Tag><Key>k</Key><Value/></Tag>", "<Expiration><Days>40</Days></Expiration>",
            "<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>",
            "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>",
            "<Transition><Days>3</Days><StorageClass>IA</StorageClass><IsAccessTime>true</IsAccessTime></Transition>",
            "<Transition><Days>5</Days><StorageClass>GLACIER</StorageClass></Transition>",
            "<NoncurrentVersionTransition><NoncurrentDays>2</NoncurrentDays><StorageClass>DEEP_ARCHIVE</StorageClass></NoncurrentVersionTransition>",
            "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            "<AbortMultipartUpload><CreatedBeforeDate>2020-01-01T00:00:00.000Z</CreatedBeforeDate></AbortMultipartUpload>",
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        ]), 0..7),
    ) {
        let rule = format!("<Rule>{}</Rule>", inside.concat());
        for dialect in BOTH {
            if let Ok(read) = parse(dialect, &rule) {
                let told = read.render(dialect);
                let again = Lifecycle::parse(&told, dialect);
                prop_assert_eq!(again.unwrap(), read, "{}", String::from_utf8_lossy(&told));
            }
        }
    }

    #[test]
    fn no_body_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for dialect in BOTH {
            let _ = Lifecycle::parse(&body, dialect);
        }
    }
}
