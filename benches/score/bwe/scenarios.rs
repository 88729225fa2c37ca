//! The paths and flows estimators are measured on, as data to be compared with RFC 8867.
//!
//! Where the RFC leaves a choice: 50 ms one way, a drop-tail queue of 300 ms, no jitter (its §4 has all three), and the
//! schedules of its §5. Rates are in kb/s on the wire, times in seconds.

use crate::report::Target::{self, AtLeast, AtMost, Between};

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
    /// Fraction lost at random before the bottleneck.
    pub(crate) loss: f64,
    pub(crate) jitter_ms: u64,
    pub(crate) media: &'static [Media],
    pub(crate) tcp: &'static [Tcp],
    /// When capacity rises: how long it takes to use it is measured.
    pub(crate) rise: Option<u64>,
    /// When capacity falls: how much too much is sent is measured.
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
    Reach,
    Overshoot,
    Share,
}

/// A media flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Media {
    pub(crate) start: u64,
    pub(crate) one_way_ms: u64,
    /// Seconds without any packet.
    pub(crate) pause: Option<(u64, u64)>,
    /// Runs against the others.
    pub(crate) is_backward: bool,
}

/// A TCP flow over the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// Sends as much as it can, all the time.
    Long,
    /// Files of 30 to 50 kB, evenly spread, with pauses of 10 s on average between them; first a file.
    ShortOn,
    /// The same, first a pause.
    ShortOff,
}

const FLOW: Media = Media { start: 0, one_way_ms: 50, pause: None, is_backward: false };
const BASE: Scenario = Scenario {
    name: "",
    input: "",
    seconds: 60,
    forward: &[],
    backward: &[],
    queue_ms: 300,
    loss: 0.0,
    jitter_ms: 0,
    media: &[FLOW],
    tcp: &[],
    rise: None,
    fall: None,
    targets: &[],
};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "rfc8867-5.1",
        input: "variable capacity, 1 flow: 1 Mb/s, 2.5 at 40 s, 0.6 at 60 s, 1 at 80 s",
        seconds: 100,
        forward: &[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)],
        rise: Some(40),
        fall: Some(60),
        targets: &[
            (Figure::Utilization, AtLeast(95.0)),
            (Figure::QueueP95, AtMost(40.0)),
            (Figure::QueueP99, AtMost(150.0)),
            (Figure::Reach, AtMost(2.0)),
        ],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.1-jitter30",
        input: "as 5.1, with up to 30 ms of jitter, in order",
        seconds: 100,
        forward: &[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)],
        jitter_ms: 30,
        rise: Some(40),
        fall: Some(60),
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.2",
        input: "variable capacity, 2 flows: 4 Mb/s, 2 at 25 s, 3.5 at 50 s, 1 at 75 s, 2 at 100 s",
        seconds: 125,
        forward: &[(0, 4_000), (25, 2_000), (50, 3_500), (75, 1_000), (100, 2_000)],
        media: &[FLOW, FLOW],
        rise: Some(50),
        fall: Some(75),
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.3",
        input: "congested feedback: 2 Mb/s, 1 at 20 s, 0.5 at 40 s, 2 at 60 s; back 2 Mb/s, 0.8 at 35 s, 2 at 70 s, a flow each way",
        seconds: 100,
        forward: &[(0, 2_000), (20, 1_000), (40, 500), (60, 2_000)],
        backward: &[(0, 2_000), (35, 800), (70, 2_000)],
        media: &[FLOW, Media { is_backward: true, ..FLOW }],
        rise: Some(60),
        fall: Some(40),
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.4",
        input: "same algorithm: 3.5 Mb/s, 3 flows from 0, 20 and 40 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[FLOW, Media { start: 20, ..FLOW }, Media { start: 40, ..FLOW }],
        targets: &[
            (Figure::Fairness, AtLeast(0.99)),
            (Figure::Utilization, AtLeast(95.0)),
            (Figure::QueueP95, AtMost(40.0)),
        ],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.5",
        input: "round-trip fairness: 4 Mb/s, 5 flows 10, 25, 50, 100, 150 ms one way, from 0, 10, 20, 30, 40 s",
        seconds: 300,
        forward: &[(0, 4_000)],
        media: &[
            Media { one_way_ms: 10, ..FLOW },
            Media { start: 10, one_way_ms: 25, ..FLOW },
            Media { start: 20, ..FLOW },
            Media { start: 30, one_way_ms: 100, ..FLOW },
            Media { start: 40, one_way_ms: 150, ..FLOW },
        ],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.6-queue300",
        input: "a long TCP Cubic flow: 2 Mb/s, queue 300 ms, media from 5 s",
        seconds: 120,
        forward: &[(0, 2_000)],
        media: &[Media { start: 5, ..FLOW }],
        tcp: &[Tcp::Long],
        targets: &[(Figure::Share, Between(35.0, 65.0))],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.6-queue1000",
        input: "a long TCP Cubic flow: 2 Mb/s, queue 1 s, media from 5 s",
        seconds: 120,
        forward: &[(0, 2_000)],
        queue_ms: 1_000,
        media: &[Media { start: 5, ..FLOW }],
        tcp: &[Tcp::Long],
        targets: &[(Figure::Share, Between(35.0, 65.0))],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.7",
        input: "10 short TCP Cubic flows, 2 of them from the start: 2 Mb/s, 2 media flows from 5 s",
        seconds: 300,
        forward: &[(0, 2_000)],
        media: &[Media { start: 5, ..FLOW }, Media { start: 5, ..FLOW }],
        tcp: &[
            Tcp::ShortOn,
            Tcp::ShortOn,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
            Tcp::ShortOff,
        ],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.8",
        input: "pause and resume: 3.5 Mb/s, 3 flows, the first silent from 40 to 60 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[Media { pause: Some((40, 60)), ..FLOW }, FLOW, FLOW],
        ..BASE
    },
    Scenario {
        name: "step-4-0.8-4",
        input: "4 Mb/s, 0.8 at 30 s, 4 at 60 s",
        seconds: 90,
        forward: &[(0, 4_000), (30, 800), (60, 4_000)],
        rise: Some(60),
        fall: Some(30),
        targets: &[(Figure::Reach, AtMost(3.0))],
        ..BASE
    },
    Scenario {
        name: "step-1-2.5",
        input: "1 Mb/s, 2.5 at 30 s",
        forward: &[(0, 1_000), (30, 2_500)],
        rise: Some(30),
        targets: &[(Figure::Reach, AtMost(2.0))],
        ..BASE
    },
    Scenario { name: "loss-2", input: "3 Mb/s, 2 % lost at random", forward: &[(0, 3_000)], loss: 0.02, ..BASE },
    Scenario {
        name: "loss-10",
        input: "3 Mb/s, 10 % lost at random",
        forward: &[(0, 3_000)],
        loss: 0.1,
        targets: &[(Figure::Utilization, AtLeast(85.0)), (Figure::QueueP95, AtMost(30.0))],
        ..BASE
    },
    Scenario { name: "shallow", input: "3 Mb/s, queue of 30 ms", forward: &[(0, 3_000)], queue_ms: 30, ..BASE },
    Scenario { name: "bloated", input: "2 Mb/s, queue of 2 s", forward: &[(0, 2_000)], queue_ms: 2_000, ..BASE },
    Scenario {
        name: "steady-10",
        input: "10 Mb/s",
        forward: &[(0, 10_000)],
        rise: Some(0),
        targets: &[(Figure::Utilization, AtLeast(95.0)), (Figure::QueueP95, AtMost(15.0))],
        ..BASE
    },
];
