//! The command line, taken apart word by word. Knows no command's options: each takes its own and
//! then calls [`Args::finish`], which refuses what is left.

use std::collections::VecDeque;
use std::env;

use crate::Result;

/// The words not yet taken.
pub(crate) struct Args {
    words: VecDeque<String>,
    after_dashes: Vec<String>,
}

impl Args {
    /// The words after the program's name.
    pub(crate) fn from_env() -> Self {
        Self::new(env::args().skip(1))
    }

    /// Words that follow a lone `--` are kept apart, to be handed on unread.
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: VecDeque<String> = words.into_iter().collect();
        let after_dashes = match words.iter().position(|word| word == "--") {
            Some(at) => words.drain(at..).skip(1).collect(),
            None => Vec::new(),
        };
        Self { words, after_dashes }
    }

    /// The next word, whatever it is.
    pub(crate) fn word(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    /// Whether `name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.words.iter().position(|word| word == name);
        at.and_then(|at| self.words.remove(at)).is_some()
    }

    /// The value of `--name value` or `--name=value`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>> {
        if let Some(at) = self.words.iter().position(|word| word == name) {
            self.words.remove(at);
            let value = self.words.remove(at);
            return value.map(Some).ok_or_else(|| format!("`{name}` needs a value"));
        }
        let prefix = format!("{name}=");
        let at = self.words.iter().position(|word| word.starts_with(&prefix));
        Ok(at.and_then(|at| self.words.remove(at)).map(|word| word[prefix.len()..].to_owned()))
    }

    /// The value of an option that must be one of `choices`.
    pub(crate) fn choice(&mut self, name: &str, choices: &[&str]) -> Result<Option<String>> {
        match self.value(name)? {
            Some(value) if !choices.contains(&value.as_str()) => {
                Err(format!("`{name} {value}` is not known; it is one of {}", choices.join(", ")))
            }
            other => Ok(other),
        }
    }

    /// The words after `--`.
    pub(crate) fn after_dashes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.after_dashes)
    }

    /// Refuses words that no option took.
    pub(crate) fn finish(self) -> Result<()> {
        match self.words.front().or(self.after_dashes.first()) {
            Some(word) => Err(format!("`{word}` is not understood; try `--help`")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
