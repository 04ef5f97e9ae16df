//! Wildcard matching of actions and resources. This runs for every request, some of them inside the
//! one write transaction, on patterns and texts that clients choose: it takes linear time.

use crate::Malformed;

/// Characters that may stand between two `*` where a `?` is among them.
///
/// With a `?` there is no linear search, but one of at most so many comparisons for each character
/// of the text. Without one, only the length of the whole document is bounded.
pub const JOKER_SEGMENT_MAX: usize = 64;

/// Refuses a pattern that could not be matched in linear time.
pub(crate) fn check(pattern: &str) -> Result<(), Malformed> {
    let (_, middle, _) = parts(pattern).unwrap_or_default();
    let too_long =
        |segment: &str| segment.contains('?') && segment.chars().count() > JOKER_SEGMENT_MAX;
    if middle.split('*').any(too_long) {
        return Err(Malformed::new(format!(
            "the pattern `{pattern}` has more than {JOKER_SEGMENT_MAX} characters with a `?` among them between two `*`"
        )));
    }
    Ok(())
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for any
/// one. `fold` ignores the case of ASCII letters.
pub fn glob(pattern: &str, text: &str, fold: bool) -> bool {
    glob_by(pattern, text, &|one, other| one == other || fold && one.eq_ignore_ascii_case(&other))
}

/// As [`glob`], with `same` to compare two characters.
///
/// What stands before the first star and behind the last is held against the two ends of the text;
/// what stands between stars is searched from left to right. The leftmost place is as good as any:
/// it leaves the most for the rest.
pub(crate) fn glob_by(pattern: &str, text: &str, same: &impl Fn(char, char) -> bool) -> bool {
    let Some((first, middle, last)) = parts(pattern) else {
        return after_start(pattern, text, same).is_some_and(str::is_empty);
    };
    let ends = after_start(first, text, same).and_then(|text| before_end(last, text, same));
    let Some(mut rest) = ends else { return false };
    for segment in middle.split('*').filter(|segment| !segment.is_empty()) {
        match after_leftmost(segment, rest, same) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    true
}

/// What stands before the first star, between it and the last, and behind that; `None` for a pattern
/// without a star.
fn parts(pattern: &str) -> Option<(&str, &str, &str)> {
    let (first, rest) = pattern.split_once('*')?;
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    Some((first, middle, last))
}

/// The text behind `segment`, where the text begins with it.
fn after_start<'t>(
    segment: &str,
    text: &'t str,
    same: &impl Fn(char, char) -> bool,
) -> Option<&'t str> {
    let mut given = text.chars();
    for wanted in segment.chars() {
        given.next().filter(|given| wanted == '?' || same(wanted, *given))?;
    }
    Some(given.as_str())
}

/// The text before `segment`, where the text ends with it.
fn before_end<'t>(
    segment: &str,
    text: &'t str,
    same: &impl Fn(char, char) -> bool,
) -> Option<&'t str> {
    let mut given = text.chars();
    for wanted in segment.chars().rev() {
        given.next_back().filter(|given| wanted == '?' || same(wanted, *given))?;
    }
    Some(given.as_str())
}

/// The text behind the leftmost place where `segment` stands in it. The segment is not empty.
fn after_leftmost<'t>(
    segment: &str,
    text: &'t str,
    same: &impl Fn(char, char) -> bool,
) -> Option<&'t str> {
    if segment.contains('?') {
        return text.char_indices().find_map(|(at, _)| after_start(segment, &text[at..], same));
    }
    // Knuth, Morris and Pratt: no character of the text is read again after a mismatch.
    let wanted: Vec<char> = segment.chars().collect();
    let borders = borders(&wanted, same);
    let mut matched = 0;
    for (at, given) in text.char_indices() {
        matched = advance(&wanted, &borders, matched, given, same);
        if matched == wanted.len() {
            return Some(&text[at + given.len_utf8()..]);
        }
    }
    None
}

/// For each beginning of `wanted`: the length of the longest shorter one that it ends with.
fn borders(wanted: &[char], same: &impl Fn(char, char) -> bool) -> Vec<usize> {
    let mut borders = vec![0; wanted.len()];
    for at in 1..wanted.len() {
        borders[at] = advance(wanted, &borders, borders[at - 1], wanted[at], same);
    }
    borders
}

/// How much of `wanted` is matched after one more character, where `matched` was before.
fn advance(
    wanted: &[char],
    borders: &[usize],
    mut matched: usize,
    given: char,
    same: &impl Fn(char, char) -> bool,
) -> usize {
    loop {
        if same(wanted[matched], given) {
            return matched + 1;
        }
        if matched == 0 {
            return 0;
        }
        matched = borders[matched - 1];
    }
}

/// Whether the resource pattern of a policy covers a resource.
///
/// Both are `acs:service:region:account:relative`. An empty region or account in the pattern covers
/// any; a resource that stands in no region (empty or `*` there) is covered whatever region the
/// pattern names. A pattern of fewer parts is matched as plain text.
pub fn resource(pattern: &str, arn: &str) -> bool {
    let (Some(wanted), Some(given)) = (split(pattern), split(arn)) else {
        return glob(pattern, arn, false);
    };
    glob(wanted.scheme, given.scheme, false)
        && glob(wanted.service, given.service, false)
        && (matches!(wanted.region, "" | "*")
            || matches!(given.region, "" | "*")
            || glob(wanted.region, given.region, false))
        && (wanted.account.is_empty() || glob(wanted.account, given.account, false))
        && glob(wanted.relative, given.relative, false)
}

/// The parts of an ARN.
pub struct Parts<'a> {
    /// `acs`.
    pub scheme: &'a str,
    /// The product, as `oss`.
    pub service: &'a str,
    /// The region; empty or `*` where it stands in none.
    pub region: &'a str,
    /// The account that owns it.
    pub account: &'a str,
    /// Its name within the account, as `box/key`.
    pub relative: &'a str,
}

/// Splits an ARN at its first four colons; the relative part may hold more of them.
pub fn split(arn: &str) -> Option<Parts<'_>> {
    let mut parts = arn.splitn(5, ':');
    Some(Parts {
        scheme: parts.next()?,
        service: parts.next()?,
        region: parts.next()?,
        account: parts.next()?,
        relative: parts.next()?,
    })
}
