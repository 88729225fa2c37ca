//! Several ways to one remote party: probed, compared, and left for a better one before or as soon as they fail.
//!
//! A [`PathManager`] keeps candidates (direct, through a relay, by another interface; or the nodes of a service, of which the
//! nearest is wanted). Each is probed for round trip, jitter and loss in either direction; media go over the one that costs
//! least, and over two while it is uncertain which one works. A [`RouteMap`] does the same for the way between the nodes of a
//! relay network, from what they measure of each other.
//!
//! # Probes
//!
//! A probe is an RTCP APP packet (RFC 3550 §6.7) of its own datagram (RFC 5506), so that it passes where RTP and RTCP pass,
//! is told apart by the rules for one port (RFC 5761 §4), and is encrypted and authenticated where SRTCP is:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P| subtype |    PT=204     |           length=5            |
//! |                             SSRC                              |
//! |                         name = "PATH"                         |
//! |                                                               |
//! |                    nonce (of the request)                     |
//! |          count: requests that reached the answerer            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Subtype 0 asks (count is zero), 1 answers at once, to where the request came from and as long as it: nothing is amplified.
//! From the count the sender knows which direction loses.

mod config;
mod manager;
mod monitor;
mod probe;
mod quality;
mod route;

pub use config::PathManagerConfig;
pub use manager::{
    Candidate, Copies, Handled, Outgoing, PathChange, PathId, PathManager, PathView, Route, Routes, Why,
};
pub use monitor::{Health, PathStats};
pub use quality::{CostWeights, Quality};
pub use route::{NodeId, NodeRoute, RouteMap, RouteMapConfig};
