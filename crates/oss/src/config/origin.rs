//! Origins: from where what a bucket does not have is fetched, which OSS calls mirrors. Part of the rules of a website.
//!
//! Not here: which requests a rule is about (`website`), and fetching (`http::origin`).

use base::ApiError;
use http::{HeaderName, Uri};
use serde::{Deserialize, Serialize};
use wire::object::error;
use wire::object::xml::{Element, Writer};

use super::{flag, malformed, word, words};

/// Names of headers of one kind, at most.
const HEADERS_MAX: usize = 10;
/// The longest name or value of a header, and the longest address, bytes.
const BYTES_MAX: usize = 1024;
/// Statuses whose answers are handed on, at most.
const STATUSES_MAX: usize = 20;
/// The elements that are understood.
const KNOWN: [&str; 11] = [
    "MirrorURL",
    "MirrorURLSlave",
    "MirrorURLProbe",
    "MirrorPassQueryString",
    "MirrorFollowRedirect",
    "MirrorCheckMd5",
    "MirrorHeaders",
    "MirrorSNI",
    "MirrorPassOriginalSlashes",
    "MirrorSaveOssMeta",
    CODES,
];
const CODES: &str = "TransparentMirrorResponseCodes";

/// Where what is missing is fetched, and how. Options are told back as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mirror {
    /// Begins with `http://` or `https://` and ends with a slash.
    pub(crate) url: Option<String>,
    /// Asked instead where the probe of the first is not answered with 200.
    pub(crate) slave: Option<String>,
    pub(crate) probe: Option<String>,
    /// Whether the client's parameters go along.
    pub(crate) query: Option<bool>,
    follow: Option<bool>,
    md5: Option<bool>,
    pub(crate) headers: Option<Headers>,
    /// Told back only: the name of the origin is always sent.
    sni: Option<bool>,
    slashes: Option<bool>,
    meta: Option<bool>,
    /// Statuses of the origin whose answers are handed on.
    codes: Option<Vec<u16>>,
    /// What is not done here and not asked for either: told back as `false`.
    off: Vec<String>,
}

/// Which headers the origin is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Headers {
    all: Option<bool>,
    /// In lower case when compared, as all names of headers.
    pass: Vec<String>,
    remove: Vec<String>,
    pub(crate) set: Vec<(String, String)>,
}

impl Headers {
    /// Whether a header of the client's, whose name is in lower case, goes to the origin. A cookie must be named:
    /// what comes is kept for everybody, and so is not to be what one alone may see.
    pub(crate) fn passes(&self, name: &str) -> bool {
        let has = |names: &[String]| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        has(&self.pass) || self.all == Some(true) && name != "cookie" && !has(&self.remove)
    }
}

impl Mirror {
    /// What the `Redirect` of a rule says about an origin; `None` where it says nothing.
    ///
    /// Errors: `MalformedXML`; `InvalidArgument` for addresses and headers that cannot be;
    /// `NotImplemented` for what is not done, naming it.
    pub(super) fn read(redirect: &Element<'_>) -> Result<Option<Self>, ApiError> {
        let about = |name: &str| name.starts_with("Mirror") || name == CODES;
        let told = redirect.children.iter().filter(|child| about(&child.name));
        let mut mirror = Self::default();
        for child in told {
            if KNOWN.contains(&child.name.as_str()) {
                continue;
            }
            if !child.children.is_empty() || !child.text.trim().eq_ignore_ascii_case("false") {
                let why = format!("What {} asks for is not done here.", child.name);
                return Err(error::NOT_IMPLEMENTED.error(why).field("Header", child.name.as_str()));
            }
            mirror.off.push(child.name.clone());
        }
        let address = |name| word(redirect, name)?.map(|url| check_url(name, url)).transpose();
        let folder = |name| match address(name)? {
            Some(url) if !url.ends_with('/') => Err(refused(name, "must end with a slash")),
            url => Ok(url),
        };
        let mirror = Self {
            url: folder("MirrorURL")?,
            slave: folder("MirrorURLSlave")?,
            probe: address("MirrorURLProbe")?,
            query: flag(redirect, "MirrorPassQueryString")?,
            follow: flag(redirect, "MirrorFollowRedirect")?,
            md5: flag(redirect, "MirrorCheckMd5")?,
            headers: redirect.child("MirrorHeaders").map(read_headers).transpose()?,
            sni: flag(redirect, "MirrorSNI")?,
            slashes: flag(redirect, "MirrorPassOriginalSlashes")?,
            meta: flag(redirect, "MirrorSaveOssMeta")?,
            codes: word(redirect, CODES)?.map(|codes| read_codes(&codes)).transpose()?,
            ..mirror
        };
        Ok(Some(mirror).filter(|mirror| *mirror != Self::default()))
    }

    /// Checks what acts.
    ///
    /// Errors: `InvalidArgument` without an address, or with one that is never asked.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        match (&self.url, &self.slave, &self.probe) {
            (None, ..) => Err(refused("MirrorURL", "is missing")),
            (_, Some(_), None) => Err(refused("MirrorURLProbe", "is missing")),
            _ => Ok(()),
        }
    }

    pub(super) fn push(&self, xml: &mut Writer) {
        let mut text = |name, text: &Option<String>| {
            xml.text_opt(name, text.as_deref());
        };
        text("MirrorURL", &self.url);
        text("MirrorURLSlave", &self.slave);
        text("MirrorURLProbe", &self.probe);
        let mut flag = |name, flag: Option<bool>| {
            xml.text_opt(name, flag.map(|flag| if flag { "true" } else { "false" }));
        };
        flag("MirrorPassQueryString", self.query);
        flag("MirrorFollowRedirect", self.follow);
        flag("MirrorCheckMd5", self.md5);
        flag("MirrorSNI", self.sni);
        flag("MirrorPassOriginalSlashes", self.slashes);
        flag("MirrorSaveOssMeta", self.meta);
        self.off.iter().for_each(|name| flag(name, Some(false)));
        if let Some(codes) = &self.codes {
            let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
            xml.text(CODES, &codes.join(","));
        }
        if let Some(headers) = &self.headers {
            headers.push(xml);
        }
    }

    /// The address of a key at an origin. Runs of slashes in it become one, unless told otherwise.
    pub(crate) fn address(&self, origin: &str, key: &str) -> String {
        let mut path = base::text::percent_encode_keeping(key, b"/");
        if self.slashes != Some(true) {
            // The origin ends with one.
            let mut before = '/';
            path.retain(|c| std::mem::replace(&mut before, c) != '/' || c != '/');
        }
        format!("{origin}{path}")
    }

    /// Whether the origin may send on to another address; else the client is.
    pub(crate) fn follows(&self) -> bool {
        self.follow != Some(false)
    }

    /// Whether the origin's `Content-MD5` is to be compared with what came.
    pub(crate) fn checks_md5(&self) -> bool {
        self.md5 == Some(true)
    }

    /// Whether the origin's `x-oss-meta-` headers are kept with the object.
    pub(crate) fn keeps_meta(&self) -> bool {
        self.meta == Some(true)
    }

    /// Whether the origin's answer of that status is the client's.
    pub(crate) fn hands_on(&self, status: u16) -> bool {
        self.codes.as_ref().is_some_and(|codes| codes.contains(&status))
    }
}

impl Headers {
    fn push(&self, xml: &mut Writer) {
        xml.open("MirrorHeaders");
        xml.text_opt("PassAll", self.all.map(|all| if all { "true" } else { "false" }));
        for (kind, names) in [("Pass", &self.pass), ("Remove", &self.remove)] {
            for name in names {
                xml.text(kind, name);
            }
        }
        for (name, value) in &self.set {
            xml.open("Set").text("Key", name).text("Value", value).close();
        }
        xml.close();
    }
}

fn refused(name: &str, why: &str) -> ApiError {
    error::INVALID_ARGUMENT.error(format!("{name} {why}.")).field("ArgumentName", name)
}

fn check_url(name: &str, url: String) -> Result<String, ApiError> {
    let wrong = || refused(name, "is no address that begins with http:// or https://");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https"));
    let named = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let bare = uri.query().is_none() && !url.contains('#') && url.len() <= BYTES_MAX;
    if plain && named && bare { Ok(url) } else { Err(wrong()) }
}

fn read_headers(element: &Element<'_>) -> Result<Headers, ApiError> {
    let names = |kind: &str| {
        let names = words(element, kind)?;
        names.iter().try_for_each(|name| check_name(name))?;
        Ok::<_, ApiError>(names)
    };
    let set = element.all("Set").map(read_set).collect::<Result<Vec<_>, _>>()?;
    let (pass, remove) = (names("Pass")?, names("Remove")?);
    if [pass.len(), remove.len(), set.len()].iter().any(|count| *count > HEADERS_MAX) {
        return Err(refused("MirrorHeaders", "names too many headers"));
    }
    Ok(Headers { all: flag(element, "PassAll")?, pass, remove, set })
}

fn read_set(element: &Element<'_>) -> Result<(String, String), ApiError> {
    let part =
        |name| word(element, name)?.ok_or_else(|| malformed("A header to set is not whole."));
    let (name, value) = (part("Key")?, part("Value")?);
    check_name(&name)?;
    if value.len() > BYTES_MAX || frames(&name.to_ascii_lowercase()) {
        return Err(refused("MirrorHeaders", "sets what cannot be set"));
    }
    Ok((name, value))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if plain && name.len() <= BYTES_MAX && HeaderName::from_bytes(name.as_bytes()).is_ok() {
        return Ok(());
    }
    Err(refused("MirrorHeaders", "names what is no header"))
}

/// Whether a header, whose name is in lower case, says how a message is framed or who is on the connection.
pub(crate) fn frames(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "expect"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("proxy-")
}

fn read_codes(text: &str) -> Result<Vec<u16>, ApiError> {
    let read = |word: &str| word.trim().parse().ok().filter(|code| (400..600).contains(code));
    let codes: Option<Vec<u16>> = text.split(',').map(read).collect();
    let codes = codes.filter(|codes| codes.len() <= STATUSES_MAX);
    codes.ok_or_else(|| refused(CODES, "has what is no status of an error"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use wire::object::xml;

    use super::*;

    fn read(inner: &str) -> Result<Option<Mirror>, ApiError> {
        let body = format!("<Redirect>{inner}</Redirect>");
        Mirror::read(&xml::read(body.as_bytes(), "Redirect", 1 << 16).unwrap())
    }

    fn told(mirror: &Mirror) -> String {
        let mut xml = Writer::new();
        xml.open("Redirect");
        mirror.push(&mut xml);
        xml.close();
        let all = String::from_utf8(xml.finish()).unwrap();
        let (_, inner) = all.split_once("<Redirect>").unwrap();
        inner.strip_suffix("</Redirect>").unwrap().to_owned()
    }

    #[test]
    fn an_origin_is_told_as_it_was_set() {
        let whole = "<MirrorURL>http://a.id/x/</MirrorURL><MirrorURLSlave>https://b.id/</MirrorURLSlave>\
            <MirrorURLProbe>http://a.id/p.html</MirrorURLProbe><MirrorPassQueryString>false</MirrorPassQueryString>\
            <MirrorFollowRedirect>true</MirrorFollowRedirect><MirrorCheckMd5>true</MirrorCheckMd5>\
            <MirrorSNI>true</MirrorSNI><MirrorPassOriginalSlashes>true</MirrorPassOriginalSlashes>\
            <MirrorSaveOssMeta>true</MirrorSaveOssMeta><MirrorProxyPass>false</MirrorProxyPass>\
            <TransparentMirrorResponseCodes>404,500</TransparentMirrorResponseCodes><MirrorHeaders>\
            <PassAll>true</PassAll><Pass>a</Pass><Remove>b</Remove><Set><Key>c</Key><Value>d e</Value></Set>\
            </MirrorHeaders>";
        let mirror = read(whole).unwrap().unwrap();
        mirror.check().unwrap();
        assert_eq!(told(&mirror), whole);
        assert_eq!(read("<HostName>a.id</HostName>").unwrap(), None);
    }

    #[test]
    fn what_is_not_done_is_refused_by_its_name() {
        for name in
            ["MirrorAuth", "MirrorRole", "MirrorMultiAlternates", "MirrorAsyncStatus", "MirrorNew"]
        {
            let refused = read(&format!("<{name}><A>1</A></{name}>")).unwrap_err();
            assert!(refused.is(&error::NOT_IMPLEMENTED), "{name}");
            assert!(refused.text().contains(name), "{}", refused.text());
        }
        let on = read("<MirrorIsExpressTunnel>true</MirrorIsExpressTunnel>").unwrap_err();
        assert!(on.is(&error::NOT_IMPLEMENTED));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for wrong in [
            "<MirrorURL>a.id/</MirrorURL>",
            "<MirrorURL>ftp://a.id/</MirrorURL>",
            "<MirrorURL>http://a.id</MirrorURL>",
            "<MirrorURL>http://u:p@a.id/</MirrorURL>",
            "<MirrorURL>http://a.id/?q/</MirrorURL>",
            "<MirrorURL>http://a.id/</MirrorURL><MirrorURLSlave>http://b.id/</MirrorURLSlave>",
            "<MirrorPassQueryString>true</MirrorPassQueryString>",
            "<MirrorURL>http://a.id/</MirrorURL><MirrorHeaders><Pass>a b</Pass></MirrorHeaders>",
            "<MirrorURL>http://a.id/</MirrorURL><MirrorHeaders><Set><Key>TE</Key><Value>v</Value></Set></MirrorHeaders>",
            "<MirrorURL>http://a.id/</MirrorURL><TransparentMirrorResponseCodes>200</TransparentMirrorResponseCodes>",
        ] {
            let checked = read(wrong).and_then(|mirror| mirror.unwrap().check());
            assert!(checked.unwrap_err().is(&error::INVALID_ARGUMENT), "{wrong}");
        }
        let many = "<Pass>a</Pass>".repeat(HEADERS_MAX + 1);
        assert!(read(&format!("<MirrorHeaders>{many}</MirrorHeaders>")).is_err());
    }

    #[test]
    fn a_key_is_asked_for_below_the_origin() {
        let mut mirror = Mirror::default();
        assert_eq!(mirror.address("http://a.id/", "x//y///z w?"), "http://a.id/x/y/z%20w%3F");
        mirror.slashes = Some(true);
        assert_eq!(mirror.address("http://a.id/", "x//y"), "http://a.id/x//y");
    }

    #[test]
    fn headers_pass_as_the_rule_says() {
        let headers = |all, pass: &[&str], remove: &[&str]| Headers {
            all,
            pass: pass.iter().map(|name| (*name).to_owned()).collect(),
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
            set: Vec::new(),
        };
        assert!(!headers(None, &[], &[]).passes("a"));
        assert!(headers(None, &["A"], &[]).passes("a"));
        assert!(headers(Some(true), &[], &["B"]).passes("a"));
        assert!(!headers(Some(true), &[], &["A"]).passes("a"));
        assert!(!headers(Some(true), &[], &[]).passes("cookie"));
        assert!(headers(Some(true), &["Cookie"], &[]).passes("cookie"));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_told_the_same(
            url in "[!-;=?-~]{0,30}", name in "[A-Za-z-]{1,12}", value in "[!-%'-;=?-~]{1,12}", codes in "[0-9,]{0,12}", flag: bool, known in 0_usize..KNOWN.len()
        ) {
            let inner = format!(
                "<MirrorURL>http://{url}/</MirrorURL><MirrorHeaders><Pass>{name}</Pass><Set><Key>{name}</Key>\
                 <Value>{value}</Value></Set></MirrorHeaders>"
            );
            for inner in [
                inner.replace('&', "&amp;"),
                format!("<{CODES}>{codes}</{CODES}>"),
                format!("<{0}>{flag}</{0}>", KNOWN[known]),
            ] {
                if let Ok(Some(mirror)) = read(&inner) {
                    prop_assert_eq!(read(&told(&mirror)).unwrap(), Some(mirror));
                }
            }
        }
    }
}
