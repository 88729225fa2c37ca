#![forbid(unsafe_code)]
//! Compositions of the rtc crates that people copy: the two-party voice call, and sound over RTP to and from other programs.
//!
//! [`voice`] is the composition itself, sans-IO like the crates it is made of. [`simulate`] runs two of its endpoints in
//! virtual time, [`live`] one over a UDP socket. [`paths`] sends audio over several paths of which one fails. [`rtp`] is the
//! plainest composition there is: one stream, one way. [`forward`] is a camera and its viewers, each with its own rate.
//! `video` is a call with a picture that is played in step with the sound.

pub mod chart;
pub mod cli;
pub mod forward;
pub mod guard;
pub mod live;
mod microphone;
pub mod network;
pub mod output;
pub mod paths;
pub mod progress;
pub mod report;
pub mod rtp;
pub mod simulate;
#[cfg(feature = "video")]
pub mod video;
pub mod voice;
pub mod wav;

/// Compiles and runs the code of the guide.
#[doc = include_str!("../../docs/composing.md")]
#[cfg(doctest)]
pub struct Composing;

/// Compiles and runs the code of the front page.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct FrontPage;
