//! The paths and flows estimators are measured on, as data to be compared with RFC 8867.
//!
//! Where the RFC leaves a choice: 50 ms one way, a drop-tail queue of 300 ms, no jitter (its §4 has all three), and the
//! schedules of its §5. Where it says nothing, as of queue management, the case is ours. Rates are in kb/s on the wire, times in seconds.

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
    pub(crate) queue: Queue,
    /// How far the pacer of a sender may run ahead, in milliseconds; zero for one packet at a time.
    pub(crate) burst_ms: u64,
    /// Rate in kb/s and burst, as time at that rate in milliseconds, of a policer before the queue.
    pub(crate) policer: Option<(u64, u64)>,
    /// Fraction lost at random before the bottleneck, and on the way back.
    pub(crate) loss: f64,
    pub(crate) feedback_loss: f64,
    pub(crate) jitter_ms: u64,
    /// From which second on the path is how many milliseconds longer, each way.
    pub(crate) detours: &'static [(u64, u64)],
    pub(crate) media: &'static [Media],
    pub(crate) tcp: &'static [Tcp],
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
    Held,
    Return,
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

impl Scenario {
    /// What the path carries in b/s at `seconds`.
    pub(crate) fn capacity(&self, seconds: f64) -> f64 {
        let step = self.forward.iter().rfind(|(from, _)| *from as f64 <= seconds + 1e-9);
        let link = step.map_or(f64::INFINITY, |(_, kbps)| *kbps as f64);
        1e3 * self.policer.map_or(link, |(kbps, _)| link.min(kbps as f64))
    }
}

const FLOW: Media = Media { start: 0, one_way_ms: 50, pause: None, is_backward: false };
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
    jitter_ms: 0,
    detours: &[],
    media: &[FLOW],
    tcp: &[],
    rises: &[],
    fall: None,
    targets: &[],
};

/// Of flows of one kind.
const FAIR: &[(Figure, Target)] = &[(Figure::Fairness, AtLeast(0.98)), (Figure::Utilization, AtLeast(95.0))];

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "rfc8867-5.1",
        input: "variable capacity, 1 flow: 1 Mb/s, 2.5 at 40 s, 0.6 at 60 s, 1 at 80 s",
        seconds: 100,
        forward: &[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)],
        rises: &[40, 80],
        fall: Some(60),
        targets: &[
            (Figure::Utilization, AtLeast(95.0)),
            (Figure::QueueP95, AtMost(40.0)),
            (Figure::QueueP99, AtMost(150.0)),
            (Figure::Reach(0), AtMost(2.0)),
        ],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.1-jitter30",
        input: "as 5.1, with up to 30 ms of jitter, in order",
        seconds: 100,
        forward: &[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)],
        jitter_ms: 30,
        rises: &[40, 80],
        fall: Some(60),
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.2",
        input: "variable capacity, 2 flows: 4 Mb/s, 2 at 25 s, 3.5 at 50 s, 1 at 75 s, 2 at 100 s",
        seconds: 125,
        forward: &[(0, 4_000), (25, 2_000), (50, 3_500), (75, 1_000), (100, 2_000)],
        media: &[FLOW, FLOW],
        rises: &[50, 100],
        fall: Some(75),
        targets: FAIR,
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.3",
        input: "congested feedback: 2 Mb/s, 1 at 20 s, 0.5 at 40 s, 2 at 60 s; back 2 Mb/s, 0.8 at 35 s, 2 at 70 s, a flow each way",
        seconds: 100,
        forward: &[(0, 2_000), (20, 1_000), (40, 500), (60, 2_000)],
        backward: &[(0, 2_000), (35, 800), (70, 2_000)],
        media: &[FLOW, Media { is_backward: true, ..FLOW }],
        rises: &[60],
        fall: Some(40),
        targets: &[(Figure::Utilization, AtLeast(90.0))],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.4",
        input: "same algorithm: 3.5 Mb/s, 3 flows from 0, 20 and 40 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[FLOW, Media { start: 20, ..FLOW }, Media { start: 40, ..FLOW }],
        targets: FAIR,
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
        targets: FAIR,
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
        targets: &[(Figure::Held, AtLeast(95.0))],
        ..BASE
    },
    Scenario {
        name: "rfc8867-5.8",
        input: "pause and resume: 3.5 Mb/s, 3 flows, the first silent from 40 to 60 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[Media { pause: Some((40, 60)), ..FLOW }, FLOW, FLOW],
        targets: &[(Figure::Return, AtMost(3.0))],
        ..BASE
    },
    Scenario {
        name: "step-4-0.8-4",
        input: "4 Mb/s, 0.8 at 30 s, 4 at 60 s",
        seconds: 90,
        forward: &[(0, 4_000), (30, 800), (60, 4_000)],
        rises: &[60],
        fall: Some(30),
        targets: &[(Figure::Reach(0), AtMost(3.0))],
        ..BASE
    },
    Scenario {
        name: "step-1-2.5",
        input: "1 Mb/s, 2.5 at 30 s",
        forward: &[(0, 1_000), (30, 2_500)],
        rises: &[30],
        targets: &[(Figure::Reach(0), AtMost(2.0))],
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
    Scenario {
        name: "shallow",
        input: "3 Mb/s, queue of 30 ms",
        forward: &[(0, 3_000)],
        queue_ms: 30,
        targets: &[(Figure::Utilization, AtLeast(90.0)), (Figure::Loss, AtMost(1.0))],
        ..BASE
    },
    Scenario {
        name: "bloated",
        input: "2 Mb/s, queue of 2 s",
        forward: &[(0, 2_000)],
        queue_ms: 2_000,
        targets: &[(Figure::QueueP95, AtMost(40.0))],
        ..BASE
    },
    Scenario {
        name: "steady-10",
        input: "10 Mb/s",
        forward: &[(0, 10_000)],
        rises: &[0],
        targets: &[(Figure::Utilization, AtLeast(95.0)), (Figure::QueueP95, AtMost(15.0))],
        ..BASE
    },
    Scenario {
        name: "policer",
        input: "10 Mb/s behind a policer of 2 Mb/s with tokens for 100 ms, which drops and never queues",
        forward: &[(0, 10_000)],
        policer: Some((2_000, 100)),
        ..BASE
    },
    Scenario {
        name: "codel",
        input: "3 Mb/s, CoDel with its default of 5 ms in 100 ms, that marks who sends ECN",
        forward: &[(0, 3_000)],
        queue: Queue::CoDel,
        ..BASE
    },
    Scenario {
        name: "l4s",
        input: "10 Mb/s, DualPI2 with its defaults (classic target 15 ms, L4S step 1 ms), packets paced one by one",
        forward: &[(0, 10_000)],
        queue_ms: 250,
        queue: Queue::DualPi2,
        burst_ms: 0,
        rises: &[0],
        targets: &[(Figure::QueueP99, AtMost(10.0)), (Figure::Utilization, AtLeast(90.0))],
        ..BASE
    },
    Scenario {
        name: "l4s-cubic",
        input: "the same beside a long TCP Cubic flow without ECN, media from 5 s",
        seconds: 120,
        forward: &[(0, 10_000)],
        queue_ms: 250,
        queue: Queue::DualPi2,
        burst_ms: 0,
        media: &[Media { start: 5, ..FLOW }],
        tcp: &[Tcp::Long],
        ..BASE
    },
    Scenario {
        name: "feedback-loss",
        input: "2 Mb/s, half of the feedback lost at random",
        forward: &[(0, 2_000)],
        feedback_loss: 0.5,
        ..BASE
    },
    Scenario {
        name: "detour",
        input: "2 Mb/s, the path 60 ms longer each way from 20 s to 40 s",
        forward: &[(0, 2_000)],
        detours: &[(20, 60), (40, 0)],
        ..BASE
    },
];
