#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod feedback;
pub mod pacer;
pub mod rtcp;
