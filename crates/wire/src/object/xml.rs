//! XML, as far as the two protocols need it: a writer, and a reader that makes a small tree of a
//! request's body under limits. No document types, no entities but the predefined ones, no
//! name-space logic: names are compared by their local part. What a body means is in `body.rs`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base::ApiError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::error;

/// How deep elements may be nested.
pub const DEPTH_MAX: usize = 16;
/// How many elements a body may have: ten thousand parts with their checksums, and some air.
pub const ELEMENTS_MAX: usize = 100_000;

/// Writes a document into memory.
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// A document whose root is not open yet.
    pub fn new() -> Self {
        Self { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), open: Vec::new() }
    }

    /// Opens an element.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        self.open.push(name);
        self
    }

    /// Opens an element in a name space, as the root elements of S3 are.
    pub fn open_in(&mut self, name: &'static str, xmlns: &str) -> &mut Self {
        self.open_with(name, &[("xmlns", xmlns)])
    }

    /// Opens an element with attributes.
    pub fn open_with(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            push_escaped(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
        self.open.push(name);
        self
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.end(name);
        }
        self
    }

    /// A whole element that holds text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.start(name);
        push_escaped(&mut self.out, value);
        self.end(name);
        self
    }

    /// A whole element that holds a number, a boolean or another value that needs no escape.
    pub fn value(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.start(name);
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
        self.end(name);
        self
    }

    /// As [`Writer::text`], or nothing where there is no text.
    pub fn text_opt(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// The document, with all that is still open closed.
    pub fn finish(mut self) -> Vec<u8> {
        while let Some(name) = self.open.pop() {
            self.end(name);
        }
        self.out.into_bytes()
    }

    fn start(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// Control characters become character references, as S3 writes them. XML 1.0 has no form for most of
/// them, so that strict readers refuse such a document: better than reading another key than was
/// written. Clients that store such keys ask for `encoding-type=url`.
fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) =
        rest.find(|c: char| matches!(c, '<' | '>' | '&' | '"' | '\'') || c.is_ascii_control())
    {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('&') => out.push_str("&amp;"),
            Some('"') => out.push_str("&quot;"),
            Some('\'') => out.push_str("&#39;"),
            Some('\n') => out.push('\n'),
            // Nothing can stand for NUL, not even a reference.
            Some('\0') => out.push('\u{FFFD}'),
            Some(c) => {
                let _ = write!(out, "&#x{:X};", u32::from(c));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// An element of a body that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element<'a> {
    /// The local name.
    pub name: String,
    /// All text directly inside, white space included.
    pub text: Cow<'a, str>,
    /// The elements directly inside.
    pub children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of that name.
    pub fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of that name, exactly as it stands (keys may begin with a space).
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_ref())
    }

    /// As [`Element::text_of`], without the white space around it, or `None` where nothing is left.
    pub fn word_of(&self, name: &str) -> Option<&str> {
        self.text_of(name).map(str::trim).filter(|word| !word.is_empty())
    }

    /// The text of the first child of that name.
    ///
    /// Errors: `MalformedXML` where there is none.
    pub fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.text_of(name).ok_or_else(|| malformed(format!("The element {name} is missing.")))
    }
}

pub(super) fn malformed(message: impl Into<String>) -> ApiError {
    error::MALFORMED_XML.error(message)
}

/// Reads a body whose root element must be called `root`.
///
/// Errors: `MalformedXML` for anything that is not such a document, is longer than `bytes_max`, deeper
/// than [`DEPTH_MAX`] or has more than [`ELEMENTS_MAX`] elements.
pub fn read<'a>(body: &'a [u8], root: &str, bytes_max: usize) -> Result<Element<'a>, ApiError> {
    if body.len() > bytes_max {
        return Err(malformed(format!("The body is longer than {bytes_max} bytes.")));
    }
    let text = std::str::from_utf8(body).map_err(|_| malformed("The body is not UTF-8."))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(|error| malformed(error.to_string()))? {
            Event::Start(start) => tree.start(&start)?,
            Event::Empty(start) => {
                tree.start(&start)?;
                tree.end()?;
            }
            Event::End(_) => tree.end()?,
            Event::Text(text) => {
                tree.text(text.xml10_content().map_err(|error| malformed(error.to_string()))?)?
            }
            Event::CData(text) => {
                tree.text(text.xml10_content().map_err(|error| malformed(error.to_string()))?)?
            }
            Event::GeneralRef(reference) => {
                tree.text(Cow::Owned(resolve(&reference)?.to_string()))?
            }
            Event::DocType(_) => return Err(malformed("Document types are not allowed.")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    let element = tree
        .root
        .filter(|_| tree.open.is_empty())
        .ok_or_else(|| malformed("The body is not complete."))?;
    if element.name == root {
        Ok(element)
    } else {
        Err(malformed(format!("The root element must be {root}.")))
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, ApiError> {
    if let Some(c) = reference.resolve_char_ref().map_err(|error| malformed(error.to_string()))? {
        return Ok(c);
    }
    match &**reference {
        b"amp" => Ok('&'),
        b"lt" => Ok('<'),
        b"gt" => Ok('>'),
        b"quot" => Ok('"'),
        b"apos" => Ok('\''),
        _ => Err(malformed("An entity is not known.")),
    }
}

#[derive(Default)]
struct Tree<'a> {
    root: Option<Element<'a>>,
    open: Vec<Element<'a>>,
    elements: usize,
}

impl<'a> Tree<'a> {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), ApiError> {
        self.elements += 1;
        if self.open.len() == DEPTH_MAX || self.elements > ELEMENTS_MAX || self.root.is_some() {
            return Err(malformed("The body has too many elements, or they are nested too deep."));
        }
        let name = start.local_name();
        let name =
            std::str::from_utf8(name.as_ref()).map_err(|_| malformed("A name is not UTF-8."))?;
        self.open.push(Element { name: name.to_owned(), ..Element::default() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ApiError> {
        let element =
            self.open.pop().ok_or_else(|| malformed("An element is closed that is not open."))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: Cow<'a, str>) -> Result<(), ApiError> {
        match self.open.last_mut() {
            Some(element) if element.text.is_empty() => element.text = text,
            Some(element) => element.text.to_mut().push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err(malformed("There is text outside the root element.")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
