//! The paths and flows estimators are measured on, as data to be compared with RFC 8867.
//!
//! Rates are in kb/s on the wire, times in seconds if nothing else is said.

use rtc_core::Bitrate;
use rtc_core::testkit::tcp::CongestionControl as Control;

use crate::report::Target;
use crate::subject::Limits;

mod own;
mod rfc8867;

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) input: &'static str,
    pub(crate) seconds: u64,
    /// Capacity from which second on.
    pub(crate) forward: &'static [(u64, u64)],
    /// The same of the way back, which is not a bottleneck if empty.
    pub(crate) backward: &'static [(u64, u64)],
    pub(crate) queue_ms: u64,
    pub(crate) queue: Queue,
    /// How far the pacer of a sender may run ahead, in milliseconds; zero for one packet at a time.
    pub(crate) burst_ms: u64,
    /// Rate in kb/s and burst, as time at that rate in milliseconds, of a policer before the queue.
    pub(crate) policer: Option<(u64, u64)>,
    /// Fraction lost at random before the bottleneck, and on the way back.
    pub(crate) loss: f64,
    pub(crate) feedback_loss: f64,
    pub(crate) jitter: Jitter,
    /// From which second on the path is how many milliseconds longer, each way.
    pub(crate) detours: &'static [(u64, u64)],
    pub(crate) media: &'static [Media],
    /// The least rate of an estimator, and the one it begins at.
    pub(crate) min_kbps: u64,
    pub(crate) start_kbps: u64,
    /// How many frames a new target takes to show in what the encoder makes.
    pub(crate) lag_frames: usize,
    /// Whether 20 kb/s of audio, which no estimator steers or sees, go beside each flow (RFC 8867 §4.3).
    pub(crate) audio: bool,
    pub(crate) tcp: &'static [Tcp],
    /// When TCP begins no more transfers.
    pub(crate) tcp_until: Option<u64>,
    pub(crate) control: Control,
    /// When capacity rises: how long it takes to use it is measured after each, three at most.
    pub(crate) rises: &'static [u64],
    /// When capacity falls: how much too much is sent, and how long the queue it makes stays, is measured.
    pub(crate) fall: Option<u64>,
    pub(crate) targets: &'static [(Figure, Target)],
}

/// What is measured of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Utilization,
    QueueP50,
    QueueP95,
    QueueP99,
    Loss,
    Padding,
    Fairness,
    /// After which of the rises.
    Reach(usize),
    Overshoot,
    Settle,
    Share,
    Least,
    Held,
    Recovery,
    Return,
    TcpRate,
    TcpVariation,
    TcpLoss,
    TransferP50,
    TransferP95,
}

/// What manages the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    DropTail,
    /// RFC 8289, with marks for who can be marked.
    CoDel,
    /// RFC 9332.
    DualPi2,
}

/// What the path adds to the delay forward, without changing the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jitter {
    None,
    Uniform {
        max_ms: u64,
    },
    /// Around `bound_ms` more than the least delay.
    Normal {
        deviation_ms: u64,
        bound_ms: u64,
    },
}

/// A media flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Media {
    pub(crate) start: u64,
    /// Of media, and of the feedback on it.
    pub(crate) one_way_ms: u64,
    pub(crate) back_ms: u64,
    /// Seconds without any packet.
    pub(crate) pause: Option<(u64, u64)>,
    /// Runs against the others.
    pub(crate) is_backward: bool,
}

/// A user of TCP over the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// Sends as much as it can, all the time.
    Long,
    /// On each connection a file of 30 to 50 kB, evenly spread, all begun at once; when all are there a pause of 10 s on average
    /// (RFC 8868 §5.1).
    Short {
        connections: usize,
        /// Whether files come first, not a pause.
        begins: bool,
    },
}

impl Scenario {
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        rfc8867::SCENARIOS.iter().chain(own::SCENARIOS)
    }

    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|scenario| scenario.name == name)
    }

    /// What the path carries in b/s at `seconds`.
    pub(crate) fn capacity(&self, seconds: f64) -> f64 {
        let step = self.forward.iter().rfind(|(from, _)| *from as f64 <= seconds + 1e-9);
        let link = step.map_or(f64::INFINITY, |(_, kbps)| *kbps as f64);
        1e3 * self.policer.map_or(link, |(kbps, _)| link.min(kbps as f64))
    }

    /// What all estimators are told.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            min: Bitrate::from_kbps(self.min_kbps),
            start: Bitrate::from_kbps(self.start_kbps),
            max: Bitrate::from_kbps(20_000),
        }
    }

    /// When the first media flow begins.
    pub(crate) fn first_start(&self) -> u64 {
        self.media.iter().map(|media| media.start).min().unwrap_or(0)
    }
}

const FLOW: Media = Media { start: 0, one_way_ms: 50, back_ms: 50, pause: None, is_backward: false };
const BASE: Scenario = Scenario {
    name: "",
    input: "",
    seconds: 60,
    forward: &[],
    backward: &[],
    queue_ms: 300,
    queue: Queue::DropTail,
    burst_ms: 5,
    policer: None,
    loss: 0.0,
    feedback_loss: 0.0,
    jitter: Jitter::None,
    detours: &[],
    media: &[FLOW],
    min_kbps: 50,
    start_kbps: 300,
    lag_frames: 0,
    audio: false,
    tcp: &[],
    tcp_until: None,
    control: Control::Cubic,
    rises: &[],
    fall: None,
    targets: &[],
};
