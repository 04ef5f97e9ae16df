#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;

use super::*;

fn refused(body: &str) -> String {
    read(body.as_bytes(), "A", 1000).unwrap_err().code().to_owned()
}

#[test]
fn a_body_becomes_a_tree() {
    let body = "\u{FEFF}<?xml version=\"1.0\"?><!-- c --><x:A xmlns:x=\"u\"> <B> k&amp;&#x41;<![CDATA[<&>]]> </B>\n<C/><B>2</B></x:A>\n";
    let root = read(body.as_bytes(), "A", 1000).unwrap();
    assert_eq!(root.need("B").unwrap(), " k&A<&> ");
    assert_eq!(root.word_of("B"), Some("k&A<&>"));
    assert_eq!(root.all("B").count(), 2);
    assert_eq!((root.text_of("C"), root.word_of("C"), root.text_of("D")), (Some(""), None, None));
    assert_eq!(root.need("D").unwrap_err().code(), "MalformedXML");
}

#[test]
fn line_ends_are_those_of_xml_1_0() {
    let root = read("<A>\r\n\r\u{85}\u{2028}</A>".as_bytes(), "A", 1000).unwrap();
    assert_eq!(root.text, "\n\n\u{85}\u{2028}");
}

#[test]
fn other_bodies_are_refused() {
    for body in [
        "",
        "text",
        "<A>",
        "<A></B>",
        "</A>",
        "<A/><A/>",
        "<A/>text",
        "text<A/>",
        "<B/>",
        "<A>&who;</A>",
        "<A>&#0;</A>",
        "<!DOCTYPE a [<!ENTITY who \"x\">]><A>&who;</A>",
        "<A",
        "<A><![CDATA[x</A>",
        "<A>&amp</A>",
    ] {
        assert_eq!(refused(body), "MalformedXML", "{body}");
    }
    assert!(read(b"<A>\xff</A>", "A", 1000).is_err());
    assert!(read(b"<A></A>", "A", 7).is_ok());
    assert!(read(b"<A></A>", "A", 6).is_err());
}

#[test]
fn depth_and_number_of_elements_are_limited() {
    let nested = |depth: usize| format!("{}{}", "<A>".repeat(depth), "</A>".repeat(depth));
    assert!(read(nested(DEPTH_MAX).as_bytes(), "A", usize::MAX).is_ok());
    assert!(read(nested(DEPTH_MAX + 1).as_bytes(), "A", usize::MAX).is_err());
    let wide = |count: usize| format!("<A>{}</A>", "<B/>".repeat(count));
    assert!(read(wide(ELEMENTS_MAX - 1).as_bytes(), "A", usize::MAX).is_ok());
    assert!(read(wide(ELEMENTS_MAX).as_bytes(), "A", usize::MAX).is_err());
}

#[test]
fn the_writer_closes_what_is_open() {
    let mut xml = Writer::new();
    xml.open_in("A", "http://x/?a&b").value("N", 7).open("B").text("T", "a<b").close();
    xml.text_opt("O", None).text_opt("P", Some("\u{1}\r\n")).open("C");
    assert_eq!(
        String::from_utf8(xml.finish()).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"http://x/?a&amp;b\"><N>7</N><B><T>a&lt;b</T></B>\
         <P>&#x1;&#xD;\n</P><C></C></A>"
    );
}

proptest! {
    #[test]
    fn what_was_written_is_read(texts in prop::collection::vec("[^\\x00]{0,20}", 0..8)) {
        let mut xml = Writer::new();
        xml.open("A");
        for text in &texts {
            xml.open("B").text("T", text).close();
        }
        let body = xml.finish();
        let root = read(&body, "A", usize::MAX).unwrap();
        let read: Vec<&str> = root.all("B").map(|b| b.need("T").unwrap()).collect();
        prop_assert_eq!(read, texts);
    }

    #[test]
    fn any_bytes_are_taken_without_panic(body: Vec<u8>, text in "(</?A|>|&|;|#x?|<!\\[CDATA\\[|\\]\\]>|<!|[a-f0-9]){0,20}") {
        let _ = read(&body, "A", usize::MAX);
        let _ = read(text.as_bytes(), "A", usize::MAX);
    }
}
