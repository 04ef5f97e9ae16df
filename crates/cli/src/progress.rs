//! How far a long job is: a bar where a person watches, a line now and then where none does.
//! It only shows; what is counted is the caller's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Without a terminal, one line per this much time keeps a log readable.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A job of a known number of items, shared by the threads that work on it.
pub struct Progress {
    title: &'static str,
    unit: &'static str,
    total: u64,
    done: AtomicU64,
    bytes: AtomicU64,
    start: Instant,
    next_line_secs: AtomicU64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to show `title`; `unit` is what is counted ("files").
    pub fn new(title: &'static str, unit: &'static str, total: u64) -> Self {
        let bar = output::watched().then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(style(unit));
            bar.set_message(title);
            bar
        });
        Self {
            title,
            unit,
            total,
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            start: Instant::now(),
            next_line_secs: AtomicU64::new(LINE_EVERY.as_secs()),
            bar,
        }
    }

    /// One more item of `bytes` bytes is done.
    pub fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => self.line_if_due(done),
        }
    }

    fn line_if_due(&self, done: u64) {
        let secs = self.start.elapsed().as_secs();
        let due = self.next_line_secs.load(Ordering::Relaxed);
        let next = secs + LINE_EVERY.as_secs();
        // Whoever wins the exchange writes the line; the others go on with their work.
        if secs >= due
            && self
                .next_line_secs
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let (done, total) = (output::count(done), output::count(self.total));
            output::talk(format_args!("{}: {done} of {total} {}", self.title, self.unit));
        }
    }

    /// Takes the bar away and says what was done, how fast.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        output::talk(summary(
            self.title,
            self.unit,
            self.done.into_inner(),
            self.bytes.into_inner(),
            self.start.elapsed(),
        ));
    }
}

fn style(unit: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!(
        "{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit} ({{per_sec}}, {{eta}} left)"
    ))
    .expect("the template is written here and is well formed")
    .progress_chars("=> ")
}

fn summary(title: &str, unit: &str, items: u64, bytes: u64, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    let rate = u128::from(items) * 1000 / millis;
    format!(
        "{title}: {} {unit}, {} in {:.1} s ({} {unit}/s)",
        output::count(items),
        output::size(bytes),
        took.as_secs_f64(),
        output::count(rate),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_gives_amount_size_time_and_rate() {
        let text = summary("upload", "files", 91_879, 107_781_930, Duration::from_secs(30));
        assert_eq!(text, "upload: 91,879 files, 102.8 MiB in 30.0 s (3,062 files/s)");
        assert_eq!(
            summary("x", "files", 0, 0, Duration::ZERO),
            "x: 0 files, 0 B in 0.0 s (0 files/s)"
        );
    }

    #[test]
    fn the_bar_template_is_taken() {
        style("files");
    }
}
