//! The losses, streams and codes recovery is measured on.

use rtc_fec::ulpfec::Pattern;

/// How long after it was sent a packet is of use: what a conversation can wait.
pub(super) const DEADLINE_MS: u64 = 300;
/// Length of a stream in seconds.
pub(super) const SECONDS: u64 = 120;
/// Round-trip times in milliseconds. The way back loses as much as the way forward.
pub(super) const ROUND_TRIPS: [u64; 3] = [20, 40, 100];
/// Of packets that are not there at the deadline: what the bounds are computed for.
pub(super) const RESIDUAL: f64 = 0.01;

/// Loss: percent, and packets in a row on average; 1 for each by itself, else Gilbert's model.
pub(super) const LOSSES: [(u64, u64); 11] =
    [(5, 1), (10, 1), (20, 1), (30, 1), (50, 1), (70, 1), (80, 1), (5, 4), (10, 4), (30, 4), (50, 8)];

/// A stream of packets of equal size at equal distances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) name: &'static str,
    pub(super) interval_ms: u64,
    pub(super) payload: usize,
}

/// Opus at 32 kb/s.
pub(super) const AUDIO: Stream = Stream { name: "audio of 80 B each 20 ms", interval_ms: 20, payload: 80 };
/// Video of about 1 Mb/s, whose packets leave one after the other.
pub(super) const VIDEO: Stream = Stream { name: "video of 1200 B each 10 ms", interval_ms: 10, payload: 1_200 };

/// What is done about loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    /// RED with so many copies.
    Red(usize),
    /// Requests and retransmissions.
    Nack,
    /// Repair packets per packet of media; ours in this pattern, peers in their own.
    Ulpfec(f64, Pattern),
}

pub(super) const METHODS: [(&str, Stream, Method); 8] = [
    ("red-1", AUDIO, Method::Red(1)),
    ("red-2", AUDIO, Method::Red(2)),
    ("red-5", AUDIO, Method::Red(5)),
    ("nack-audio", AUDIO, Method::Nack),
    ("nack-video", VIDEO, Method::Nack),
    ("ulpfec-50", VIDEO, Method::Ulpfec(0.5, Pattern::Interleaved)),
    ("ulpfec-50-crossed", VIDEO, Method::Ulpfec(0.5, Pattern::Crossed)),
    ("ulpfec-100", VIDEO, Method::Ulpfec(1.0, Pattern::Interleaved)),
];

/// Blocks of a code: source and repair packets of 1200 bytes, of which as many as there are source packets arrive.
pub(super) const BLOCKS: [(usize, usize); 3] = [(10, 10), (20, 20), (48, 48)];
pub(super) const BLOCK_PACKET: usize = 1_200;
