//! What every implementation of a role must do, as functions its author calls from a test.
//!
//! A law takes a way to make fresh instances, runs them through situations the trait's documentation speaks of, and panics with
//! the sentence that was broken. Laws say nothing of quality: an implementation that passes can be used in the place of any
//! other, not with the same result.
//!
//! ```
//! use core::time::Duration;
//! use rtc_core::testkit::{laws, naive::FixedDelay};
//! use rtc_core::{Frequency, RtpPacket};
//!
//! let make = || FixedDelay::new(Frequency::KHZ_48, 960, Duration::from_millis(60));
//! laws::jitter_buffer(make, &laws::Stream::audio(), RtpPacket::timestamp);
//! ```

use core::fmt;

mod audio;
mod bwe;
mod codec;
mod fec;
mod jitter;
mod mix;
mod pacing;
mod sound;
mod stream;
mod svc;
mod video;

pub use audio::{audio_latency, audio_processor, echo_canceller};
pub use bwe::bandwidth_estimator;
pub use codec::audio_codec;
pub use fec::fec;
pub use jitter::jitter_buffer;
pub use mix::mixer;
pub use pacing::pacer;
pub use stream::Stream;
pub use svc::layer_selector;
pub use video::video_codec;

/// Both runs gave the same; if not, names the law and the first difference.
#[track_caller]
fn assert_same<T: PartialEq + fmt::Debug>(left: &[T], right: &[T], law: &str) {
    let same = left.iter().zip(right).take_while(|(l, r)| l == r).count();
    if same < left.len().max(right.len()) {
        let [left, right] = [left, right].map(|run| format!("{:?}", run.get(same)));
        panic!("{law}: at {same} {left:.200} became {right:.200}");
    }
}
