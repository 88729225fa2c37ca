//! How far a long run is: a bar on a terminal, a few plain lines elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Tells how far a run is.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: f64,
    bar: Option<ProgressBar>,
    quarters: f64,
}

impl Progress {
    /// A run of `total` seconds.
    #[must_use]
    pub fn new(what: &'static str, total: f64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(tenths(total));
            let style = ProgressStyle::with_template("{msg}  {bar:40} {percent:>3} %  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.with_message(what)
        });
        Self { what, total, bar, quarters: 0.0 }
    }

    /// `second` seconds are done.
    pub fn set(&mut self, second: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position(tenths(second));
            return;
        }
        let quarters = (4.0 * second / self.total).floor();
        if quarters > self.quarters {
            self.quarters = quarters;
            eprintln!("{}: {:.0} %", self.what, 25.0 * quarters);
        }
    }

    /// All is done; a bar disappears.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Whole tenths of a second; casts saturate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is what is wanted")]
fn tenths(seconds: f64) -> u64 {
    (seconds * 10.0) as u64
}
