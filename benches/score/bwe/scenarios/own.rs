//! Paths RFC 8867 has no case for.

use super::Target::{AtLeast, AtMost};
use super::{BASE, FLOW, Figure, Media, Queue, Scenario, Tcp};

pub(super) const SCENARIOS: &[Scenario] = &[
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
