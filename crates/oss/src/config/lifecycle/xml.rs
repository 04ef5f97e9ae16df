//! The XML of lifecycles. The two protocols differ in where the filter stands and in what an abort is called.

use base::{ApiError, Time};
use wire::object::checksum::Md5;
use wire::object::xml::{self, Element, Writer};
use wire::object::{Dialect, error};

use super::super::tags::check_characters;
use super::super::{checked, flag, invalid, malformed, repeats, root, word};
use super::{Expiration, Filter, Lifecycle, Noncurrent, Not, Rule, Transition, When};
use crate::model::StorageClass;

/// The longest document, bytes: a thousand rules with room for their tags.
pub(crate) const BYTES_MAX: usize = 2 << 20;
const RULES_MAX: usize = 1000;
const ID_CHARS_MAX: usize = 255;
const DAYS_MAX: u32 = i32::MAX.cast_unsigned();
/// The midnights that dates can be, so that every document can be told again.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Errors: `MalformedXML`; `InvalidArgument`; `InvalidRequest` for what does not go together.
pub(super) fn parse(body: &[u8], dialect: Dialect) -> Result<Lifecycle, ApiError> {
    let element = xml::read(body, "LifecycleConfiguration", BYTES_MAX)?;
    let reader = Reader { dialect };
    let rules = element.all("Rule").enumerate().map(|(at, element)| {
        let mut rule = reader.rule(element)?;
        if rule.id.is_empty() {
            rule.id = made_id(body, at);
        }
        Ok(rule)
    });
    let rules: Vec<Rule> = rules.collect::<Result<_, ApiError>>()?;
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(malformed(format!("There must be 1 to {RULES_MAX} rules.")));
    }
    if repeats(rules.iter().map(|rule| rule.id.as_str())) {
        return Err(error::INVALID_ARGUMENT
            .error("Rule ID must be unique. Found same ID for more than one rule."));
    }
    Ok(Lifecycle { rules })
}

/// An ID for a rule that came without: the same each time that the same document comes.
fn made_id(body: &[u8], at: usize) -> String {
    let mut md5 = Md5::default();
    md5.update(body);
    let digest = base::text::hex(&md5.finish());
    format!("{}-{}", digest.get(..24).unwrap_or_default(), at + 1)
}

struct Reader {
    dialect: Dialect,
}

impl Reader {
    fn is_oss(&self) -> bool {
        self.dialect == Dialect::Oss
    }

    fn rule(&self, element: &Element<'_>) -> Result<Rule, ApiError> {
        let abort = match self.dialect {
            Dialect::Oss => ("AbortMultipartUpload", "Days"),
            Dialect::S3 => ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
        };
        let rule = Rule {
            id: word(element, "ID")?.unwrap_or_default(),
            enabled: match element.text_of("Status") {
                Some("Enabled") => true,
                Some("Disabled") => false,
                _ => return Err(malformed("The Status of a rule is Enabled or Disabled.")),
            },
            filter: self.filter(element)?,
            expiration: one(element, "Expiration")?.map(|it| self.expiration(it)).transpose()?,
            transitions: element
                .all("Transition")
                .map(|it| self.transition(it, "Days"))
                .collect::<Result<_, _>>()?,
            noncurrent: one(element, "NoncurrentVersionExpiration")?.map(noncurrent).transpose()?,
            noncurrent_transitions: element
                .all("NoncurrentVersionTransition")
                .map(|it| self.transition(it, "NoncurrentDays"))
                .collect::<Result<_, _>>()?,
            abort: one(element, abort.0)?.map(|it| self.when(it, abort.1, 1)).transpose()?,
        };
        if rule.id.chars().count() > ID_CHARS_MAX {
            let text = format!("ID length should not exceed allowed limit of {ID_CHARS_MAX}.");
            return Err(error::INVALID_ARGUMENT.error(text));
        }
        self.check(&rule)?;
        Ok(rule)
    }

    /// What must go together within a rule.
    fn check(&self, rule: &Rule) -> Result<(), ApiError> {
        let idle = rule.expiration.is_none() && rule.noncurrent.is_none() && rule.abort.is_none();
        if idle && rule.transitions.is_empty() && rule.noncurrent_transitions.is_empty() {
            return Err(invalid(self.dialect, "A rule must have at least one action."));
        }
        let end = match rule.expiration {
            Some(Expiration::When(when)) => Some(when),
            Some(Expiration::Marker(_)) | None => None,
        };
        let whens = rule.transitions.iter().map(|transition| transition.when).chain(end);
        let days = whens.clone().filter(|when| matches!(when, When::Days(_))).count();
        if days != 0 && days != whens.count() {
            return Err(error::INVALID_REQUEST.error(
                "Found mixed 'Date' and 'Days' based Expiration and Transition actions in a lifecycle rule.",
            ));
        }
        let noncurrent =
            rule.noncurrent.filter(|it| it.keep.is_none()).map(|it| When::Days(it.days));
        check_order(&rule.transitions, end)?;
        check_order(&rule.noncurrent_transitions, noncurrent)
    }

    fn filter(&self, element: &Element<'_>) -> Result<Filter, ApiError> {
        let (prefix, inner) = (element.text_of("Prefix"), one(element, "Filter")?);
        if self.is_oss() {
            return oss_filter(element, prefix.unwrap_or_default(), inner);
        }
        match (prefix, inner) {
            (Some(prefix), None) => {
                Ok(Filter { prefix: checked(prefix, "Prefix")?, ..Filter::default() })
            }
            (None, Some(inner)) => s3_filter(inner),
            (Some(_), Some(_)) => Err(malformed("A rule has a Prefix or a Filter, not both.")),
            (None, None) => Err(malformed("A rule must have a Filter or a Prefix.")),
        }
    }

    fn expiration(&self, element: &Element<'_>) -> Result<Expiration, ApiError> {
        match flag(element, "ExpiredObjectDeleteMarker")? {
            None => self.when(element, "Days", 1).map(Expiration::When),
            Some(_) if element.children.len() > 1 => {
                Err(malformed("ExpiredObjectDeleteMarker stands alone in an Expiration."))
            }
            Some(marker) => Ok(Expiration::Marker(marker)),
        }
    }

    /// Exactly one of the ways to say when.
    fn when(&self, element: &Element<'_>, days: &str, days_min: u32) -> Result<When, ApiError> {
        let mut said = Vec::with_capacity(1);
        if let Some(word) = element.word_of(days) {
            said.push(When::Days(number_of_days(word, days, days_min)?));
        }
        if let Some(word) = element.word_of("Date") {
            said.push(When::Date(self.date(word)?));
        }
        if let Some(word) = element.word_of("CreatedBeforeDate").filter(|_| self.is_oss()) {
            said.push(When::CreatedBefore(self.date(word)?));
        }
        match said.as_slice() {
            [when] => Ok(*when),
            _ => Err(malformed(format!(
                "Exactly one of {days} and a date must be in {}.",
                element.name
            ))),
        }
    }

    /// A date. S3 takes midnights only.
    fn date(&self, word: &str) -> Result<i64, ApiError> {
        let time = Time::parse_iso(word).or_else(|| Time::parse_iso(&format!("{word}T00:00:00Z")));
        let secs = time.map(Time::secs).filter(|secs| (0..=SECONDS_MAX).contains(secs));
        let secs = secs.ok_or_else(|| malformed("A date is not in the form of ISO 8601."))?;
        if !self.is_oss() && secs % super::DAY_SECONDS != 0 {
            return Err(error::INVALID_ARGUMENT.error("'Date' must be at midnight GMT."));
        }
        Ok(secs)
    }

    fn transition(&self, element: &Element<'_>, days: &str) -> Result<Transition, ApiError> {
        let name = element.word_of("StorageClass").unwrap_or_default();
        let class = match self.dialect {
            Dialect::Oss => StorageClass::parse(name),
            Dialect::S3 => StorageClass::parse_s3(name),
        };
        let class =
            class.ok_or_else(|| malformed("The StorageClass of a transition is not known."))?;
        if class == StorageClass::Standard {
            return Err(
                error::INVALID_ARGUMENT.error("Objects cannot be moved to this storage class.")
            );
        }
        let days_min = u32::from(self.is_oss());
        let when = if days == "Days" {
            self.when(element, days, days_min)?
        } else {
            When::Days(number_of_days(element.need(days)?.trim(), days, days_min)?)
        };
        let told = |name| if self.is_oss() { flag(element, name) } else { Ok(None) };
        Ok(Transition {
            when,
            class,
            by_access: told("IsAccessTime")?,
            back_on_access: told("ReturnToStdWhenVisit")?,
            small_too: told("AllowSmallFile")?,
        })
    }
}

/// Colder classes come later, and the end comes last.
fn check_order(transitions: &[Transition], end: Option<When>) -> Result<(), ApiError> {
    let refused = |text: &str| Err(error::INVALID_ARGUMENT.error(text));
    let timed = |it: &Transition| it.by_access == Some(true);
    for (at, one) in transitions.iter().enumerate() {
        for other in &transitions[at + 1..] {
            if one.class == other.class {
                return refused("A storage class is in more than one transition of a rule.");
            }
            let (warm, cold) = if one.class < other.class { (one, other) } else { (other, one) };
            if timed(warm) == timed(cold) && !is_before(warm.when, cold.when) {
                return refused("A colder storage class must come after a warmer one.");
            }
        }
        if let (When::Days(days), Some(When::Days(end))) = (one.when, end)
            && days >= end
        {
            return refused(
                "'Days' in the Expiration action must be greater than 'Days' in the Transition action.",
            );
        }
    }
    Ok(())
}

fn is_before(one: When, other: When) -> bool {
    match (one, other) {
        (When::Days(one), When::Days(other)) => one < other,
        (
            When::Date(one) | When::CreatedBefore(one),
            When::Date(other) | When::CreatedBefore(other),
        ) => one != other,
        _ => true,
    }
}

/// Errors: `MalformedXML` where there is more than one.
fn one<'e, 'a>(
    element: &'e Element<'a>,
    name: &'e str,
) -> Result<Option<&'e Element<'a>>, ApiError> {
    let mut all = element.all(name);
    match (all.next(), all.next()) {
        (_, Some(_)) => Err(malformed(format!("There is more than one {name} in a rule."))),
        (first, None) => Ok(first),
    }
}

fn number_of_days(word: &str, name: &str, days_min: u32) -> Result<u32, ApiError> {
    let days = word
        .parse::<i64>()
        .map_err(|_| malformed(format!("The element {name} is not a number.")))?;
    let days = u32::try_from(days).ok().filter(|days| (days_min..=DAYS_MAX).contains(days));
    days.ok_or_else(|| {
        error::INVALID_ARGUMENT.error(format!("'{name}' must be at least {days_min}."))
    })
}

fn noncurrent(element: &Element<'_>) -> Result<Noncurrent, ApiError> {
    let days = number_of_days(element.need("NoncurrentDays")?.trim(), "NoncurrentDays", 1)?;
    let keep = element.word_of("NewerNoncurrentVersions");
    let keep = keep.map(|word| number_of_days(word, "NewerNoncurrentVersions", 1)).transpose()?;
    Ok(Noncurrent { days, keep })
}

fn bytes(element: &Element<'_>, name: &str) -> Result<Option<u64>, ApiError> {
    let read = |word: &str| {
        let number = word.parse::<u64>().ok().filter(|bytes| *bytes <= i64::MAX.cast_unsigned());
        number.ok_or_else(|| malformed(format!("The element {name} is not a number of bytes.")))
    };
    element.word_of(name).map(read).transpose()
}

fn tag(element: &Element<'_>) -> Result<(String, String), ApiError> {
    let (key, value) = (element.need("Key")?, element.text_of("Value").unwrap_or_default());
    if key.is_empty() {
        return Err(malformed("A tag must have a Key."));
    }
    Ok((checked(key, "Key")?, checked(value, "Value")?))
}

fn tags(element: &Element<'_>) -> Result<Vec<(String, String)>, ApiError> {
    element.all("Tag").map(tag).collect()
}

fn s3_filter(inner: &Element<'_>) -> Result<Filter, ApiError> {
    // Everything may stand in an And, and what is alone beside it.
    let mut filter = Filter { nested: true, ..Filter::default() };
    for element in std::iter::once(inner).chain(one(inner, "And")?) {
        if let Some(prefix) = element.text_of("Prefix") {
            filter.prefix = checked(prefix, "Prefix")?;
        }
        filter.tags.extend(tags(element)?);
        filter.larger = bytes(element, "ObjectSizeGreaterThan")?.or(filter.larger);
        filter.smaller = bytes(element, "ObjectSizeLessThan")?.or(filter.smaller);
    }
    check_sizes(filter)
}

fn check_sizes(filter: Filter) -> Result<Filter, ApiError> {
    match (filter.larger, filter.smaller) {
        (Some(larger), Some(smaller)) if larger >= smaller => Err(error::INVALID_REQUEST
            .error("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")),
        _ => Ok(filter),
    }
}

fn oss_filter(
    rule: &Element<'_>,
    prefix: &str,
    inner: Option<&Element<'_>>,
) -> Result<Filter, ApiError> {
    let mut filter =
        Filter { prefix: checked(prefix, "Prefix")?, tags: tags(rule)?, ..Filter::default() };
    check_characters(&filter.tags, Dialect::Oss)?;
    let Some(inner) = inner else { return Ok(filter) };
    filter.larger = bytes(inner, "ObjectSizeGreaterThan")?;
    filter.smaller = bytes(inner, "ObjectSizeLessThan")?;
    for element in inner.all("Not") {
        let prefix = checked(element.text_of("Prefix").unwrap_or_default(), "Prefix")?;
        let tag = one(element, "Tag")?.map(tag).transpose()?;
        if !prefix.starts_with(&filter.prefix) || (prefix == filter.prefix && tag.is_none()) {
            return Err(error::INVALID_ARGUMENT.error(
                "The Prefix in a Not must begin with that of the rule, and without a Tag be longer than it.",
            ));
        }
        if let Some(tag) = &tag {
            check_characters(std::slice::from_ref(tag), Dialect::Oss)?;
        }
        filter.not.push(Not { prefix, tag });
    }
    check_sizes(filter)
}

/// The document that tells the rules.
pub(super) fn render(lifecycle: &Lifecycle, dialect: Dialect) -> Vec<u8> {
    let mut xml = root("LifecycleConfiguration", dialect);
    for rule in &lifecycle.rules {
        xml.open("Rule").text("ID", &rule.id);
        match dialect {
            Dialect::Oss => tell_oss_filter(&mut xml, &rule.filter),
            Dialect::S3 => tell_s3_filter(&mut xml, &rule.filter),
        }
        xml.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
        match rule.expiration {
            Some(Expiration::When(when)) => {
                tell_when(&mut xml, "Expiration", ("Days", dialect), when)
            }
            Some(Expiration::Marker(marker)) => {
                xml.open("Expiration").value("ExpiredObjectDeleteMarker", marker).close();
            }
            None => {}
        }
        for transition in &rule.transitions {
            tell_transition(&mut xml, ("Transition", "Days"), transition, dialect);
        }
        if let Some(Noncurrent { days, keep }) = rule.noncurrent {
            xml.open("NoncurrentVersionExpiration").value("NoncurrentDays", days);
            if let Some(keep) = keep {
                xml.value("NewerNoncurrentVersions", keep);
            }
            xml.close();
        }
        for transition in &rule.noncurrent_transitions {
            let names = ("NoncurrentVersionTransition", "NoncurrentDays");
            tell_transition(&mut xml, names, transition, dialect);
        }
        if let Some(when) = rule.abort {
            let (name, days) = match dialect {
                Dialect::Oss => ("AbortMultipartUpload", "Days"),
                Dialect::S3 => ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
            };
            tell_when(&mut xml, name, (days, dialect), when);
        }
        xml.close();
    }
    xml.finish()
}

fn tell_when(xml: &mut Writer, name: &'static str, how: (&'static str, Dialect), when: When) {
    xml.open(name);
    tell_moment(xml, how, when);
    xml.close();
}

/// S3 has no word for what was made before a moment, and is told of the moment.
fn tell_moment(xml: &mut Writer, (days, dialect): (&'static str, Dialect), when: When) {
    let date = |secs: i64| Time::from_secs(secs).iso_millis();
    match (when, dialect) {
        (When::Days(number), _) => xml.value(days, number),
        (When::CreatedBefore(secs), Dialect::Oss) => xml.text("CreatedBeforeDate", &date(secs)),
        (When::Date(secs) | When::CreatedBefore(secs), _) => xml.text("Date", &date(secs)),
    };
}

fn tell_transition(
    xml: &mut Writer,
    (name, days): (&'static str, &'static str),
    transition: &Transition,
    dialect: Dialect,
) {
    xml.open(name);
    tell_moment(xml, (days, dialect), transition.when);
    match dialect {
        Dialect::S3 => drop(xml.text("StorageClass", transition.class.s3_name())),
        Dialect::Oss => {
            xml.text("StorageClass", transition.class.as_str());
            for (name, flag) in [
                ("IsAccessTime", transition.by_access),
                ("ReturnToStdWhenVisit", transition.back_on_access),
                ("AllowSmallFile", transition.small_too),
            ] {
                if let Some(flag) = flag {
                    xml.value(name, flag);
                }
            }
        }
    }
    xml.close();
}

fn tell_tag(xml: &mut Writer, (key, value): &(String, String)) {
    xml.open("Tag").text("Key", key).text("Value", value).close();
}

fn tell_oss_filter(xml: &mut Writer, filter: &Filter) {
    xml.text("Prefix", &filter.prefix);
    filter.tags.iter().for_each(|tag| tell_tag(xml, tag));
    if filter.larger.is_none() && filter.smaller.is_none() && filter.not.is_empty() {
        return;
    }
    xml.open("Filter");
    tell_sizes(xml, filter);
    for Not { prefix, tag } in &filter.not {
        xml.open("Not").text("Prefix", prefix);
        tag.iter().for_each(|tag| tell_tag(xml, tag));
        xml.close();
    }
    xml.close();
}

fn tell_sizes(xml: &mut Writer, filter: &Filter) {
    for (name, bytes) in
        [("ObjectSizeGreaterThan", filter.larger), ("ObjectSizeLessThan", filter.smaller)]
    {
        if let Some(bytes) = bytes {
            xml.value(name, bytes);
        }
    }
}

/// What S3 cannot say (`Not`) is left out.
fn tell_s3_filter(xml: &mut Writer, filter: &Filter) {
    let sizes = usize::from(filter.larger.is_some()) + usize::from(filter.smaller.is_some());
    let parts = usize::from(!filter.prefix.is_empty()) + filter.tags.len() + sizes;
    if !filter.nested && filter.tags.is_empty() && sizes == 0 {
        xml.text("Prefix", &filter.prefix);
        return;
    }
    xml.open("Filter");
    if parts > 1 {
        xml.open("And");
    }
    if !filter.prefix.is_empty() || parts == 0 {
        xml.text("Prefix", &filter.prefix);
    }
    filter.tags.iter().for_each(|tag| tell_tag(xml, tag));
    tell_sizes(xml, filter);
    if parts > 1 {
        xml.close();
    }
    xml.close();
}
