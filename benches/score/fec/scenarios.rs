//! The losses, streams and codes recovery is measured on.

use rtc_fec::repair::RepairConfig;
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
    /// Repair packets for the rows and columns of so many by so many packets (RFC 8627).
    Flexfec(usize, usize),
}

pub(super) const METHODS: [(&str, Stream, Method); 9] = [
    ("red-1", AUDIO, Method::Red(1)),
    ("red-2", AUDIO, Method::Red(2)),
    ("red-5", AUDIO, Method::Red(5)),
    ("nack-audio", AUDIO, Method::Nack),
    ("nack-video", VIDEO, Method::Nack),
    ("ulpfec-50", VIDEO, Method::Ulpfec(0.5, Pattern::Interleaved)),
    ("ulpfec-50-crossed", VIDEO, Method::Ulpfec(0.5, Pattern::Crossed)),
    ("ulpfec-100", VIDEO, Method::Ulpfec(1.0, Pattern::Interleaved)),
    ("flexfec-5x4", VIDEO, Method::Flexfec(5, 4)),
];

/// Blocks of a code: source and repair packets of 1200 bytes, of which as many as there are source packets arrive.
pub(super) const BLOCKS: [(usize, usize); 3] = [(10, 10), (20, 20), (48, 48)];
pub(super) const BLOCK_PACKET: usize = 1_200;

/// A stream of groups of packets, each of which is of use as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouped {
    pub(super) name: &'static str,
    pub(super) interval_ms: u64,
    pub(super) packets: usize,
    pub(super) payload: usize,
}

/// Opus at 32 kb/s.
pub(super) const VOICE: Grouped =
    Grouped { name: "audio of 80 B each 20 ms", interval_ms: 20, packets: 1, payload: 80 };
/// Video of frames of 20 packets.
pub(super) const FRAMES: Grouped =
    Grouped { name: "video of 20 packets of 1200 B each 33 ms", interval_ms: 33, packets: 20, payload: 1_200 };

/// Repair for voice: each packet is a group, and what repairs several is shared.
pub(super) fn voice_repair() -> RepairConfig {
    RepairConfig::default()
}

/// Repair for video: a frame has packets enough to share repair among them.
pub(super) fn video_repair() -> RepairConfig {
    let mut config = RepairConfig::default();
    config.pool = 1;
    (config.max_packets, config.burst) = (2_048, 200.0);
    // As much as the packets of a frame.
    config.first_premium = 20.0;
    config
}

/// Repair driven by the sender, and what it may cost.
pub(super) struct Closed {
    pub(super) name: &'static str,
    pub(super) flow: Grouped,
    pub(super) repair: fn() -> RepairConfig,
    /// Percent, at random, both ways.
    pub(super) loss: u64,
    /// Milliseconds.
    pub(super) round_trip: u64,
    /// Milliseconds between feedback packets.
    pub(super) feedback: u64,
    /// Most overhead, percent of the media's payload.
    pub(super) overhead: f64,
}

/// The closed loop's rows. Feedback is sent more often where more of it is lost.
pub(super) const CLOSED: [Closed; 4] = [
    closed("closed-audio random30 rtt40", VOICE, voice_repair, (30, 40, 10), 55.0),
    closed("closed-audio random70 rtt40", VOICE, voice_repair, (70, 40, 5), 290.0),
    closed("closed-audio random70 rtt100", VOICE, voice_repair, (70, 100, 5), 330.0),
    closed("closed-video random50 rtt40", FRAMES, video_repair, (50, 40, 10), 135.0),
];

const fn closed(
    name: &'static str,
    flow: Grouped,
    repair: fn() -> RepairConfig,
    (loss, round_trip, feedback): (u64, u64, u64),
    overhead: f64,
) -> Closed {
    Closed { name, flow, repair, loss, round_trip, feedback, overhead }
}

/// Percent lost both ways, and for how many seconds, before nothing is.
pub(super) const LOSS_END: (u64, u64) = (50, 30);

/// A bottleneck that is the only cause of loss.
pub(super) struct Congestion {
    pub(super) name: &'static str,
    pub(super) kbps: u64,
    pub(super) queue_ms: u64,
    /// What others send for a second out of five.
    pub(super) cross_kbps: u64,
}

/// Queues that overflow before the delay says much, and ones that tell in time.
pub(super) const CONGESTION: [Congestion; 4] = [
    Congestion { name: "congestion 1Mbps queue50", kbps: 1_000, queue_ms: 50, cross_kbps: 0 },
    Congestion { name: "congestion 1Mbps queue300", kbps: 1_000, queue_ms: 300, cross_kbps: 0 },
    Congestion { name: "congestion 1Mbps queue50 cross", kbps: 1_000, queue_ms: 50, cross_kbps: 800 },
    Congestion { name: "congestion 1Mbps queue300 cross", kbps: 1_000, queue_ms: 300, cross_kbps: 800 },
];
