//! Wildcard matching of actions and resources.

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for any
/// one. `fold` ignores the case of ASCII letters.
///
/// Iterative and without allocation: on a mismatch only the last `*` takes one byte more, since an
/// earlier one could not make a difference. At most `pattern × text` steps, and one pass over the
/// text for the patterns people write.
pub fn glob(pattern: &str, text: &str, fold: bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star: the pattern behind it, and the text it has not taken.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            Some(b'?') if t < text.len() => {
                p += 1;
                t = next_char(text, t);
                continue;
            }
            Some(literal) if text.get(t).is_some_and(|byte| same(*literal, *byte, fold)) => {
                p += 1;
                t += 1;
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((behind, from)) if from < text.len() => {
                retry = Some((behind, from + 1));
                (p, t) = (behind, from + 1);
            }
            _ => return false,
        }
    }
}

fn same(one: u8, other: u8, fold: bool) -> bool {
    one == other || fold && one.eq_ignore_ascii_case(&other)
}

/// The start of the character after the one that `at` is in.
fn next_char(text: &[u8], at: usize) -> usize {
    let rest = &text[at + 1..];
    at + 1 + rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count()
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
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) relative: &'a str,
}

/// Splits an ARN at its first four colons; the relative part may hold more of them.
pub(crate) fn split(arn: &str) -> Option<Parts<'_>> {
    let mut parts = arn.splitn(5, ':');
    Some(Parts {
        scheme: parts.next()?,
        service: parts.next()?,
        region: parts.next()?,
        account: parts.next()?,
        relative: parts.next()?,
    })
}
