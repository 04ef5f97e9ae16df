//! The shape of source files: how long files and functions are, and reminders without an owner.
//! Rust is scanned, not parsed: strings and comments are masked, then braces are matched.

use std::ops::Range;

use super::Finding;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const LANGUAGES: [&str; 7] = ["rs", "py", "go", "js", "mjs", "ts", "sql"];

/// Words that leave work for later; split so that this file does not find itself.
const REMINDERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Findings in one file.
pub(super) fn check(path: &str, content: &str) -> Vec<Finding> {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut findings = Vec::new();
    if !LANGUAGES.contains(&extension) {
        return findings;
    }
    let lines = content.lines().count();
    if lines > FILE_LINES_MAX {
        let message = format!("{lines} lines are more than {FILE_LINES_MAX}");
        findings.push(Finding::new("file-length", path, message));
    }
    for (at, line) in content.lines().enumerate() {
        if has_ownerless_reminder(line) {
            let message = format!("line {}: name who is to do this, as in `(alice)`", at + 1);
            findings.push(Finding::new("owner", path, message));
        }
    }
    if extension == "rs" {
        for function in functions(content) {
            if function.lines > FUNCTION_LINES_MAX {
                let message =
                    format!("{} lines are more than {FUNCTION_LINES_MAX}", function.lines);
                let place = format!("{path}:{}", function.name);
                findings.push(Finding::new("function-length", place, message));
            }
        }
    }
    findings
}

fn has_ownerless_reminder(line: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    REMINDERS.iter().any(|word| {
        line.match_indices(word).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            let owned = after.strip_prefix('(').is_some_and(|rest| rest.starts_with(is_word));
            whole && !owned
        })
    })
}

/// A function with a body.
struct Function {
    name: String,
    lines: usize,
}

fn functions(source: &str) -> Vec<Function> {
    let masked = mask(source);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = masked[from..].find("fn ").map(|at| from + at) {
        from = at + 3;
        let name: String =
            masked[from..].trim_start().chars().take_while(|c| is_ident(*c)).collect();
        // `fn(` is a type, `fn $name` a macro's pattern, `often ` no keyword at all.
        if name.is_empty() || masked[..at].ends_with(is_ident) {
            continue;
        }
        if let Some(body) = body(&masked, from) {
            let lines = masked[at..body.end].lines().count();
            found.push(Function { name, lines });
        }
    }
    found
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the body is of the function whose signature goes on at `from`; none for a declaration.
fn body(masked: &str, from: usize) -> Option<Range<usize>> {
    let mut depth = 0_i32;
    let mut start = None;
    for (at, c) in masked[from..].char_indices().map(|(at, c)| (from + at, c)) {
        match c {
            '(' | '[' if start.is_none() => depth += 1,
            ')' | ']' if start.is_none() => depth -= 1,
            // The `;` of `[u8; 4]` is inside brackets.
            ';' if start.is_none() && depth == 0 => return None,
            '{' if depth == 0 && start.is_none() => {
                start = Some(at);
                depth = 1;
            }
            '{' if start.is_some() => depth += 1,
            '}' if start.is_some() => {
                depth -= 1;
                if depth == 0 {
                    return start.map(|start| start..at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The source with what is inside strings, characters and comments turned to spaces. Line ends stay.
pub(super) fn mask(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = opaque_end(&chars, at).unwrap_or(at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the string, character or comment ends that begins at `at`; none if none does.
fn opaque_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => Some(find(chars, at, |c| c == '\n')),
        '/' if next == Some('*') => Some(block_comment_end(chars, at)),
        '"' => Some(quoted_end(chars, at, '"')),
        'r' if matches!(next, Some('"' | '#')) && !follows_ident(chars, at) => {
            raw_string_end(chars, at)
        }
        '\'' if next == Some('\\') || chars.get(at + 2) == Some(&'\'') => {
            Some(quoted_end(chars, at, '\''))
        }
        _ => None,
    }
}

/// Whether the `r` at `at` ends a name such as `for`; the `b` or `c` of `br"…"` is no such name.
fn follows_ident(chars: &[char], at: usize) -> bool {
    let ident = |back: usize| at.checked_sub(back).is_some_and(|at| is_ident(chars[at]));
    let prefix = at > 0 && matches!(chars[at - 1], 'b' | 'c');
    if prefix { ident(2) } else { ident(1) }
}

fn find(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| stop(*c)).map_or(chars.len(), |n| from + n)
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut at = at;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(chars.len())
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// None for a raw identifier such as `r#type`.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let open = find(chars, at + 1, |c| c != '#');
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let hashes = open - at - 1;
    let mut at = open + 1;
    loop {
        at = find(chars, at, |c| c == '"') + 1;
        let closed = (0..hashes).all(|n| chars.get(at + n) == Some(&'#'));
        if at > chars.len() || closed {
            return Some((at + hashes).min(chars.len()));
        }
    }
}

#[cfg(test)]
mod tests;
