//! Forward error correction: whether it works with others.

use indicatif::ProgressBar;

use crate::report::Report;
use crate::{Options, interop};

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("fec");
    interop::run(options, bar, &mut report);
    report
}
