//! The little XML that object storage answers with, as a tree of elements. It knows no attributes,
//! no name spaces and no mixed content: the two protocols use none that matters to a client.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Answers nest four deep; a document that nests deeper is not one of theirs.
const DEPTH_MAX: usize = 16;

/// One element: its local name, its text (entities resolved), and what it holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The name without a prefix.
    pub name: String,
    /// The text directly in it.
    pub text: String,
    children: Vec<Element>,
}

impl Element {
    /// The text of the first child of that name, or nothing.
    pub fn text_of(&self, name: &str) -> &str {
        self.children(name).next().map_or("", |child| child.text.as_str())
    }

    /// The children of that name.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document; `None` where it is not well formed.
pub fn parse(bytes: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_reader(bytes);
    // The stack starts with a holder for the root element.
    let mut stack = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if stack.len() > DEPTH_MAX {
                    return None;
                }
                stack.push(named(start.local_name().as_ref()));
            }
            Event::Empty(empty) => stack.last_mut()?.children.push(named(empty.local_name().as_ref())),
            Event::End(_) => {
                let done = stack.pop()?;
                stack.last_mut()?.children.push(done);
            }
            Event::Text(text) => stack.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::CData(text) => stack.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(entity) => {
                let resolved = match entity.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&entity.decode().ok()?)?.to_owned(),
                };
                stack.last_mut()?.text.push_str(&resolved);
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let mut holder = stack.pop().filter(|_| stack.is_empty())?;
    (holder.children.len() == 1).then(|| holder.children.remove(0))
}

fn named(name: &[u8]) -> Element {
    Element { name: String::from_utf8_lossy(name).into_owned(), ..Element::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_listing_is_read_with_its_entities() {
        let text = br#"<?xml version="1.0"?><ListBucketResult xmlns="urn:x"><Name>b</Name><Empty/>
            <Contents><Key>a&amp;b&#x2F;c</Key></Contents><Contents><Key><![CDATA[<x>]]></Key></Contents></ListBucketResult>"#;
        let root = parse(text).unwrap();
        assert_eq!((root.name.as_str(), root.text_of("Name"), root.text_of("Empty")), ("ListBucketResult", "b", ""));
        let keys: Vec<_> = root.children("Contents").map(|entry| entry.text_of("Key")).collect();
        assert_eq!(keys, ["a&b/c", "<x>"]);
    }

    #[test]
    fn what_is_not_one_whole_document_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in ["", "plain", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", &deep] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(bytes: Vec<u8>, text in "(<[a-c]/?>|</[a-c]>|&amp;|&#[0-9]{1,8};|x){0,20}") {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }
    }
}
