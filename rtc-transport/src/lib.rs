#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod rng;

#[cfg(feature = "capture")]
pub mod capture;
pub mod fanout;
pub mod feedback;
#[cfg(feature = "udp")]
pub mod io;
pub mod pacer;
pub mod path;
pub mod payload;
pub mod receiver;
pub mod rtcp;
pub mod schedule;
pub mod sender;
pub mod session;
pub mod srtp;
pub mod sync;
