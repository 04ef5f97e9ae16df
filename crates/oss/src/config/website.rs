//! Websites: which objects of a bucket are its pages, and which requests are sent elsewhere.
//!
//! Not here: answering (`http::website`), and from where rules fetch what is missing (`origin`).

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element, Writer};
use wire::object::{Dialect, error};

use super::origin::Mirror;
use super::{Config, flag, invalid, malformed, root, word};
use crate::ops::Document;

/// The longest text that a key is replaced with, bytes.
const INSTEAD_MAX: usize = 1024;

/// Rules of one website, at most: S3's number, OSS has fewer.
const RULES_MAX: usize = 50;
/// The status at which a mirror fetches.
const MISSING: u16 = 404;
/// The variable in OSS's replacements for the key that was asked for.
const KEY: &str = "${key}";

/// A website.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Website {
    pub(crate) index: Option<Index>,
    pub(crate) error: Option<ErrorPage>,
    /// Every request is sent to this host.
    pub(crate) all: Option<Host>,
    pub(crate) rules: Vec<Rule>,
}

/// The page of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) suffix: String,
    /// OSS: whether each folder has one of its own, and what a key means that is a folder's without the
    /// slash. S3's folders always have.
    pub(crate) folders: Option<Folders>,
    /// OSS: told back where it was told.
    pub(crate) told: bool,
}

/// What a request for a folder without its slash is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Folders {
    /// It is sent to the folder.
    Redirect,
    /// There is no such object.
    Missing,
    /// The folder's page.
    Page,
}

/// The page that stands for what is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorPage {
    pub(crate) key: String,
    /// OSS: the status that it comes with; that of the error where not told.
    pub(crate) status: Option<u16>,
}

/// Where requests are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: Option<String>,
    /// `http` or `https`.
    pub(crate) protocol: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// OSS: its place.
    pub(crate) number: Option<u32>,
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
    /// The status that would be answered.
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<Header>,
    pub(crate) redirect: Redirect,
}

/// OSS: a header that the request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) equals: Option<String>,
    pub(crate) starts: Option<String>,
    pub(crate) ends: Option<String>,
}

/// What a rule does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redirect {
    /// OSS: `External`, `AliCDN` (which is the same here), `Internal` (another object is answered) or `Mirror`
    /// (it is fetched).
    pub(crate) kind: Option<String>,
    pub(crate) host: Host,
    pub(crate) code: Option<u16>,
    /// The key instead.
    pub(crate) key: Option<String>,
    /// What stands instead of the condition's prefix.
    pub(crate) prefix: Option<String>,
    pub(crate) query: Option<bool>,
    /// OSS: told back where it was told; [`Self::prefix`] alone replaces.
    pub(crate) replaces: Option<bool>,
    /// OSS: acted upon in a `Mirror`, and told back in any.
    pub(crate) origin: Option<Box<Mirror>>,
}

impl Redirect {
    pub(crate) fn is_internal(&self) -> bool {
        self.kind.as_deref() == Some("Internal")
    }

    /// From where what is missing is fetched, where it is.
    pub(crate) fn mirror(&self) -> Option<&Mirror> {
        self.origin.as_deref().filter(|_| self.kind.as_deref() == Some("Mirror"))
    }
}

impl Rule {
    /// Whether it is about a key, for which (on the second look) that status would be answered.
    pub(crate) fn fits<'h>(
        &self,
        key: &str,
        status: Option<u16>,
        header: impl Fn(&str) -> Option<&'h str>,
    ) -> bool {
        let has = |wanted: &Header| {
            let value = header(&wanted.name.to_ascii_lowercase()).unwrap_or_default();
            !value.is_empty()
                && wanted.equals.as_ref().is_none_or(|text| value == text)
                && wanted.starts.as_ref().is_none_or(|text| value.starts_with(text.as_str()))
                && wanted.ends.as_ref().is_none_or(|text| value.ends_with(text.as_str()))
        };
        // What is there is never fetched.
        let wanted = self.status.or(self.redirect.mirror().map(|_| MISSING));
        wanted == status
            && self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
            && self.suffix.as_ref().is_none_or(|suffix| key.ends_with(suffix.as_str()))
            && self.headers.iter().all(has)
    }

    /// The key that stands instead of the one that was asked for.
    pub(crate) fn key_instead(&self, key: &str) -> String {
        match (&self.redirect.key, &self.redirect.prefix) {
            (Some(instead), _) => instead.replace(KEY, key),
            (None, Some(instead)) => {
                let prefix = self.prefix.as_deref().unwrap_or_default();
                format!("{instead}{}", key.strip_prefix(prefix).unwrap_or(key))
            }
            (None, None) => key.to_owned(),
        }
    }
}

impl Website {
    /// The first rule that is about a request: at first (`None`) those that do not ask what would be
    /// answered, then those for that status.
    pub(crate) fn rule<'h>(
        &self,
        key: &str,
        status: Option<u16>,
        header: impl Fn(&str) -> Option<&'h str> + Copy,
    ) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.fits(key, status, header))
    }
}

impl Config for Website {
    const DOCUMENT: Document = Document::Website;

    /// Errors: `MalformedXML`, `InvalidArgument`/`InvalidRequest`; `NotImplemented` for scripts, and for what is
    /// not done of mirrors.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let all = xml::read(body, "WebsiteConfiguration", SMALL_BYTES_MAX)?;
        check_no_script(&all)?;
        let mut rules = match all.child("RoutingRules") {
            Some(rules) => {
                rules.all("RoutingRule").map(|one| rule(one, dialect)).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        if rules.len() > RULES_MAX {
            return Err(malformed(format!("There are more than {RULES_MAX} rules.")));
        }
        rules.sort_by_key(|rule: &Rule| rule.number);
        let website = Self {
            index: all.child("IndexDocument").map(|one| index(one, dialect)).transpose()?,
            error: all.child("ErrorDocument").map(error_page).transpose()?,
            all: all.child("RedirectAllRequestsTo").map(host).transpose()?,
            rules,
        };
        let alone = website.index.is_none() && website.error.is_none() && website.rules.is_empty();
        match (&website.all, alone) {
            (Some(_), false) => Err(malformed("RedirectAllRequestsTo stands alone.")),
            (Some(all), true) if all.name.is_none() => Err(malformed("The HostName is missing.")),
            (None, _) if website.index.is_none() && (dialect == Dialect::S3 || alone) => {
                Err(invalid(dialect, "A website needs an index document."))
            }
            _ => Ok(website),
        }
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("WebsiteConfiguration", dialect);
        if let Some(all) = &self.all {
            xml.open("RedirectAllRequestsTo");
            push_host(&mut xml, all);
            xml.close();
        }
        if let Some(index) = &self.index {
            xml.open("IndexDocument").text("Suffix", &index.suffix);
            if dialect == Dialect::Oss && index.told {
                let kind = match index.folders {
                    None | Some(Folders::Redirect) => 0,
                    Some(Folders::Missing) => 1,
                    Some(Folders::Page) => 2,
                };
                xml.value("SupportSubDir", index.folders.is_some()).value("Type", kind);
            }
            xml.close();
        }
        if let Some(page) = &self.error {
            xml.open("ErrorDocument").text("Key", &page.key);
            if let Some(status) = page.status.filter(|_| dialect == Dialect::Oss) {
                xml.value("HttpStatus", status);
            }
            xml.close();
        }
        if !self.rules.is_empty() {
            xml.open("RoutingRules");
            self.rules.iter().for_each(|rule| push_rule(&mut xml, rule, dialect));
            xml.close();
        }
        xml.finish()
    }
}

fn index(element: &Element<'_>, dialect: Dialect) -> Result<Index, ApiError> {
    let suffix = word(element, "Suffix")?.ok_or_else(|| malformed("The Suffix is missing."))?;
    if suffix.contains('/') {
        return Err(invalid(dialect, "The Suffix must have no slash."));
    }
    let folders = flag(element, "SupportSubDir")?;
    let kind = match element.word_of("Type") {
        None | Some("0") => Folders::Redirect,
        Some("1") => Folders::Missing,
        Some("2") => Folders::Page,
        Some(_) => return Err(malformed("There is no such Type.")),
    };
    Ok(Index {
        suffix,
        folders: (dialect == Dialect::S3 || folders == Some(true)).then_some(kind),
        told: folders.is_some() || element.child("Type").is_some(),
    })
}

fn error_page(element: &Element<'_>) -> Result<ErrorPage, ApiError> {
    let key = word(element, "Key")?.ok_or_else(|| malformed("The Key is missing."))?;
    let status = status(element, "HttpStatus")?;
    Ok(ErrorPage { key, status })
}

fn host(element: &Element<'_>) -> Result<Host, ApiError> {
    let name = word(element, "HostName")?;
    let wrong = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '@' | '\\');
    if name.as_ref().is_some_and(|name| name.contains(wrong)) {
        return Err(malformed("The HostName is not valid."));
    }
    let protocol = word(element, "Protocol")?;
    if protocol.as_ref().is_some_and(|word| word != "http" && word != "https") {
        return Err(malformed("The Protocol is neither http nor https."));
    }
    Ok(Host { name, protocol })
}

/// A status of three digits.
fn status(element: &Element<'_>, name: &str) -> Result<Option<u16>, ApiError> {
    let read = |word: &str| {
        let status = word.parse::<u16>().ok().filter(|status| (200..600).contains(status));
        status.ok_or_else(|| malformed(format!("The element {name} is no HTTP status.")))
    };
    element.word_of(name).map(read).transpose()
}

fn check_no_script(element: &Element<'_>) -> Result<(), ApiError> {
    if element.child("LuaConfig").is_none() {
        return Ok(());
    }
    Err(error::NOT_IMPLEMENTED
        .error("LuaConfig: scripts are not run here.")
        .field("Header", "LuaConfig"))
}

fn rule(element: &Element<'_>, dialect: Dialect) -> Result<Rule, ApiError> {
    check_no_script(element)?;
    let number = element
        .word_of("RuleNumber")
        .map(|word| word.parse::<u32>().map_err(|_| malformed("The RuleNumber is not a number.")));
    let mut rule = Rule { number: number.transpose()?, ..Rule::default() };
    if let Some(condition) = element.child("Condition") {
        rule.prefix = word(condition, "KeyPrefixEquals")?;
        rule.suffix = word(condition, "KeySuffixEquals")?;
        rule.status = status(condition, "HttpErrorCodeReturnedEquals")?;
        rule.headers = condition.all("IncludeHeader").map(header).collect::<Result<_, _>>()?;
    }
    let redirect = element.child("Redirect");
    rule.redirect = read_redirect(redirect.ok_or_else(|| malformed("The Redirect is missing."))?)?;
    if dialect == Dialect::S3 && rule.redirect == Redirect::default() {
        return Err(malformed("The Redirect is empty."));
    }
    if rule.redirect.mirror().is_some() && rule.status.is_some_and(|status| status != MISSING) {
        return Err(invalid(dialect, "Only what is missing (404) is fetched from a mirror."));
    }
    Ok(rule)
}

fn header(element: &Element<'_>) -> Result<Header, ApiError> {
    let name = word(element, "Key")?.ok_or_else(|| malformed("The Key is missing."))?;
    let (equals, starts) = (word(element, "Equals")?, word(element, "StartsWith")?);
    Ok(Header { name, equals, starts, ends: word(element, "EndsWith")? })
}

fn read_redirect(element: &Element<'_>) -> Result<Redirect, ApiError> {
    let kind = word(element, "RedirectType")?;
    let mut origin = Mirror::read(element)?.map(Box::new);
    match kind.as_deref() {
        Some("Mirror") => origin.get_or_insert_default().check()?,
        None | Some("External" | "Internal" | "AliCDN") => {}
        _ => return Err(malformed("There is no such Redirect.")),
    }
    let code = status(element, "HttpRedirectCode")?;
    if code.is_some_and(|code| !matches!(code, 301..=308) || code == 304) {
        return Err(malformed("The HttpRedirectCode sends nobody elsewhere."));
    }
    let mut redirect = Redirect {
        kind,
        host: host(element)?,
        code,
        key: word(element, "ReplaceKeyWith")?,
        prefix: word(element, "ReplaceKeyPrefixWith")?,
        query: flag(element, "PassQueryString")?,
        replaces: flag(element, "EnableReplacePrefix")?,
        origin,
    };
    // A mirror has a word of its own for it, which stands before the other.
    redirect.query = redirect.mirror().and_then(|mirror| mirror.query).or(redirect.query);
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > INSTEAD_MAX);
    if long(&redirect.key) || long(&redirect.prefix) {
        return Err(malformed("What replaces the key is too long."));
    }
    if redirect.key.is_some() && redirect.prefix.is_some() {
        return Err(malformed("Either the key is replaced or its prefix."));
    }
    Ok(redirect)
}

fn push_host(xml: &mut Writer, host: &Host) {
    xml.text_opt("HostName", host.name.as_deref()).text_opt("Protocol", host.protocol.as_deref());
}

fn push_rule(xml: &mut Writer, rule: &Rule, dialect: Dialect) {
    let number = |number: Option<u16>| number.map(|number| number.to_string());
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    let oss = dialect == Dialect::Oss;
    xml.open("RoutingRule");
    if oss {
        xml.text_opt("RuleNumber", rule.number.map(|number| number.to_string()).as_deref());
    }
    let status = number(rule.status);
    if oss || rule.prefix.is_some() || status.is_some() {
        xml.open("Condition").text_opt("KeyPrefixEquals", rule.prefix.as_deref());
        xml.text_opt("KeySuffixEquals", rule.suffix.as_deref());
        xml.text_opt("HttpErrorCodeReturnedEquals", status.as_deref());
        for header in &rule.headers {
            xml.open("IncludeHeader").text("Key", &header.name);
            xml.text_opt("Equals", header.equals.as_deref());
            xml.text_opt("StartsWith", header.starts.as_deref());
            xml.text_opt("EndsWith", header.ends.as_deref()).close();
        }
        xml.close();
    }
    let redirect = &rule.redirect;
    xml.open("Redirect");
    if oss {
        xml.text_opt("RedirectType", redirect.kind.as_deref());
        xml.text_opt("PassQueryString", flag(redirect.query).as_deref());
        xml.text_opt("EnableReplacePrefix", flag(redirect.replaces).as_deref());
    }
    push_host(xml, &redirect.host);
    xml.text_opt("HttpRedirectCode", number(redirect.code).as_deref());
    xml.text_opt("ReplaceKeyWith", redirect.key.as_deref());
    xml.text_opt("ReplaceKeyPrefixWith", redirect.prefix.as_deref());
    if let Some(origin) = redirect.origin.as_deref().filter(|_| oss) {
        origin.push(xml);
    }
    xml.close().close();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn parse(inner: &str, dialect: Dialect) -> Result<Website, ApiError> {
        let body = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
        Website::parse(body.as_bytes(), dialect)
    }

    const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

    fn ruled(rule: &str) -> String {
        format!("{INDEX}<RoutingRules><RoutingRule>{rule}</RoutingRule></RoutingRules>")
    }

    #[test]
    fn rules_say_which_requests_go_where() {
        let rule = "<Condition><KeyPrefixEquals>old/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404\
            </HttpErrorCodeReturnedEquals><IncludeHeader><Key>X-From</Key><StartsWith>a</StartsWith>\
            </IncludeHeader></Condition><Redirect><ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith></Redirect>";
        let website = parse(&ruled(rule), Dialect::Oss).unwrap();
        let from = |value: &'static str| move |_: &str| Some(value);
        let found = website.rule("old/x", Some(404), from("ab")).unwrap();
        assert_eq!(found.key_instead("old/x"), "new/x");
        assert_eq!(website.rule("old/x", Some(404), from("b")), None);
        assert_eq!(website.rule("old/x", None, from("ab")), None);
        assert_eq!(website.rule("x", Some(404), from("ab")), None);
        let all = "<Redirect><ReplaceKeyWith>p/${key}.x</ReplaceKeyWith></Redirect>";
        let website = parse(&ruled(all), Dialect::Oss).unwrap();
        let found = website.rule("k", None, |_| None).unwrap();
        assert_eq!(found.key_instead("k"), "p/k.x");
    }

    #[test]
    fn what_is_not_done_is_refused() {
        let mirror = ruled(
            "<Redirect><RedirectType>Mirror</RedirectType><MirrorAuth><A>1</A></MirrorAuth></Redirect>",
        );
        let script = ruled("<Redirect><HostName>a.b</HostName></Redirect><LuaConfig/>");
        let forbidden = ruled(
            "<Condition><HttpErrorCodeReturnedEquals>403</HttpErrorCodeReturnedEquals></Condition><Redirect>\
             <RedirectType>Mirror</RedirectType><MirrorURL>http://a.b/</MirrorURL></Redirect>",
        );
        let code = ruled("<Redirect><HttpRedirectCode>200</HttpRedirectCode></Redirect>");
        let two = ruled(
            "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>",
        );
        let host = ruled("<Redirect><HostName>a.b/c</HostName></Redirect>");
        let both = format!(
            "{INDEX}<RedirectAllRequestsTo><HostName>a.b</HostName></RedirectAllRequestsTo>"
        );
        for (inner, code) in [
            (mirror.as_str(), &error::NOT_IMPLEMENTED),
            (&script, &error::NOT_IMPLEMENTED),
            (&forbidden, &error::INVALID_REQUEST),
            (&code, &error::MALFORMED_XML),
            (&two, &error::MALFORMED_XML),
            (&host, &error::MALFORMED_XML),
            (&both, &error::MALFORMED_XML),
            ("<IndexDocument/>", &error::MALFORMED_XML),
            ("", &error::INVALID_REQUEST),
            ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", &error::INVALID_REQUEST),
        ] {
            let refused = parse(inner, Dialect::S3).unwrap_err();
            assert!(refused.is(code), "{inner}: {}", refused.code());
        }
    }

    #[test]
    fn what_is_missing_is_fetched_and_nothing_else() {
        let mirror = "<Redirect><RedirectType>Mirror</RedirectType><MirrorURL>http://a.b/</MirrorURL></Redirect>";
        let website = parse(&ruled(mirror), Dialect::Oss).unwrap();
        assert_eq!(website.rule("k", None, |_| None), None);
        assert_eq!(website.rule("k", Some(403), |_| None), None);
        assert!(website.rule("k", Some(404), |_| None).unwrap().redirect.mirror().is_some());
        // What is said of mirrors in another redirect has no effect, and is told back.
        let other = ruled(
            "<Redirect><RedirectType>AliCDN</RedirectType><HostName>a.b</HostName><MirrorHeaders><PassAll>true\
             </PassAll></MirrorHeaders></Redirect>",
        );
        let website = parse(&other, Dialect::Oss).unwrap();
        assert!(website.rule("k", None, |_| None).unwrap().redirect.mirror().is_none());
        assert_eq!(Website::parse(&website.render(Dialect::Oss), Dialect::Oss).unwrap(), website);
    }

    proptest! {
        #[test]
        fn what_is_told_reads_as_what_was_set(
            body in ".{0,200}", suffix in "[a-z.]{1,9}", prefix in proptest::option::of("[!-~]{1,9}"), status in proptest::option::of(400_u16..600), code in proptest::option::of(301_u16..304), query: Option<bool>, number in 0_u32..9
        ) {
            let _ = Website::parse(body.as_bytes(), Dialect::Oss);
            let redirect = Redirect { kind: Some("External".to_owned()), code, query, prefix: prefix.clone(), ..Redirect::default() };
            let header = Header { name: "a".to_owned(), ends: Some("b".to_owned()), ..Header::default() };
            let rule = Rule { number: Some(number), prefix, suffix: Some("x".to_owned()), status, headers: vec![header], redirect };
            let index = Index { suffix, folders: Some(Folders::Page), told: true };
            let page = ErrorPage { key: "e".to_owned(), status };
            let website = Website { index: Some(index), error: Some(page), all: None, rules: vec![rule] };
            prop_assert_eq!(Website::parse(&website.render(Dialect::Oss), Dialect::Oss).unwrap(), website);
        }
    }
}
