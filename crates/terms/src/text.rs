//! Text that people read in public, whoever wrote it: what is on the screen must be what is there.

/// Whether a character deceives who reads it: control characters but the line feed, those that turn the
/// direction of text (UAX 9), and those that break lines or are invisible (zero width, joiners, fillers,
/// the byte order mark).
pub fn deceives(c: char) -> bool {
    let hidden = matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    hidden || c.is_control() && c != '\n'
}

/// Whether a text is one honest line: not empty, no line feed, and nothing that [`deceives`].
pub fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(|c| c == '\n' || deceives(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_hides_or_breaks_text_deceives_and_nothing_else() {
        let bad = [
            '\0', '\t', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{61c}', '\u{200b}', '\u{200d}',
            '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2060}', '\u{2066}',
            '\u{2069}', '\u{feff}',
        ];
        for c in bad {
            assert!(deceives(c) && !is_line(&format!("a{c}b")), "{c:?}");
        }
        for c in ['\n', ' ', 'a', 'é', '–', '“', '\u{2027}', '\u{202f}', '中'] {
            assert!(!deceives(c), "{c:?}");
        }
        for (line, good) in [("Tiket 17", true), ("", false), ("  ", false), ("a\nb", false)] {
            assert_eq!(is_line(line), good, "{line:?}");
        }
    }
}
