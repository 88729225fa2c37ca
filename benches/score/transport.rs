//! What packets cost: read, written and rewritten, encrypted, forwarded to many.

use indicatif::ProgressBar;

use crate::Options;
use crate::report::Report;

mod feedback;
mod forward;
mod packet;
mod paths;
mod payload;
mod room;
mod sockets;
mod srtp;
mod timing;

#[cfg(feature = "peers-rust")]
pub(crate) use srtp::Ours;

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("transport");
    packet::measure(options, bar, &mut report);
    payload::measure(options, bar, &mut report);
    bar.inc_length(paths::work(options));
    feedback::run(options, &mut report);
    timing::run(options, &mut report);
    paths::run(options, bar, &mut report);
    srtp::measure(options, bar, &mut report);
    forward::measure(options, bar, &mut report);
    sockets::measure(options, bar, &mut report);
    room::measure(options, bar, &mut report);
    report
}
