//! Which names a sync takes: `--exclude` and `--include` patterns. `*` and `?` stay within one
//! segment, `**` crosses slashes, and a pattern without a slash is about the last segment.

/// The patterns of one run.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names that are left alone.
    pub exclude: Vec<String>,
    /// Names that are taken although they are excluded; alone, the only ones that are taken.
    pub include: Vec<String>,
}

impl Filter {
    /// True where the name takes part.
    pub fn takes(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        match (self.exclude.is_empty(), self.include.is_empty()) {
            (true, true) => true,
            (true, false) => any(&self.include),
            _ => any(&self.include) || !any(&self.exclude),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Anything,
    WithinSegment,
    One,
    Exactly(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        out.push(match char {
            '*' if chars.next_if_eq(&'*').is_some() => Token::Anything,
            '*' => Token::WithinSegment,
            '?' => Token::One,
            char => Token::Exactly(char),
        });
    }
    out
}

/// Whether the pattern is about this name.
pub fn matches(pattern: &str, name: &str) -> bool {
    let name = match pattern.contains('/') {
        true => name,
        false => name.rsplit('/').next().unwrap_or(name),
    };
    let tokens = tokens(pattern);
    // All positions of the pattern at once, so that no pattern takes longer than length by length.
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_stars(&tokens, &mut reached);
    for char in name.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match token {
                Token::Anything => next[at] = true,
                Token::WithinSegment => next[at] |= char != '/',
                Token::One => next[at + 1] |= char != '/',
                Token::Exactly(wanted) => next[at + 1] |= char == *wanted,
            }
        }
        skip_stars(&tokens, &mut next);
        reached = next;
    }
    reached[tokens.len()]
}

/// A star may stand for nothing.
fn skip_stars(tokens: &[Token], reached: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        if matches!(token, Token::Anything | Token::WithinSegment) {
            reached[at + 1] |= reached[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_stay_in_a_segment_unless_doubled() {
        for (pattern, name, is) in [
            ("*.json", "a/b/c.json", true),
            ("*.json", "c.json.gz", false),
            ("a/*.json", "a/c.json", true),
            ("a/*.json", "a/b/c.json", false),
            ("a/**", "a/b/c.json", true),
            ("a/**.json", "a/b/c.json", true),
            ("?", "é", true),
            ("a?b", "a/b", false),
            ("", "", true),
            ("*", "", true),
            ("[x]", "[x]", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn an_include_wins_over_an_exclude_and_alone_is_all() {
        let filter = |exclude: &[&str], include: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect();
            Filter { exclude: owned(exclude), include: owned(include) }
        };
        assert!(filter(&[], &[]).takes("x"));
        assert!(!filter(&["*"], &[]).takes("x"));
        assert!(filter(&["*"], &["x"]).takes("x"));
        assert!(!filter(&[], &["y"]).takes("x"));
        assert!(filter(&["y"], &["z"]).takes("x"));
    }

    /// The definition, by trying everything.
    fn oracle(pattern: &[Token], name: &[char]) -> bool {
        match (pattern, name) {
            ([], name) => name.is_empty(),
            ([Token::Anything, rest @ ..], _) => (0..=name.len()).any(|n| oracle(rest, &name[n..])),
            ([Token::WithinSegment, rest @ ..], _) => (0..=name.len())
                .take_while(|n| !name[..*n].contains(&'/'))
                .any(|n| oracle(rest, &name[n..])),
            ([Token::One, rest @ ..], [first, more @ ..]) => *first != '/' && oracle(rest, more),
            ([Token::Exactly(c), rest @ ..], [first, more @ ..]) => {
                c == first && oracle(rest, more)
            }
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_match_is_what_trying_everything_says(pattern in "/[ab/*?]{0,8}", name in "/?[ab/]{0,8}") {
            let chars: Vec<char> = name.chars().collect();
            prop_assert_eq!(matches(&pattern, &name), oracle(&tokens(&pattern), &chars));
        }
    }
}
