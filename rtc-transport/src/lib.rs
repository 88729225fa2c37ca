#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod rng;

pub mod feedback;
pub mod pacer;
pub mod receiver;
pub mod rtcp;
pub mod schedule;
pub mod sender;
pub mod session;
pub mod srtp;
pub mod sync;
