//! The cases of RFC 8867 §5.
//!
//! As its §4.2 and §4.3 ask: 50 ms one way, a drop-tail queue of 300 ms, no loss; a source of video of no less than 150 kb/s that begins
//! with that, follows its target in 100 ms and varies by less than 5 % of it over a second, and one of audio of 20 kb/s beside each.
//! On purpose differ:
//!
//! - Video may go up to 20 Mb/s in place of 1.5 Mb/s (§4.3): several cases have more capacity than all their flows could use then.
//! - Jitter: none, where §4.2 has at most 30 ms. Two more cases have it.
//! - Media runs to the end of the case, where the RFC stops it a second before.
//! - TCP is CUBIC (§5.6 and §5.7 name RFC 5681, and encourage others). Two more cases have that of RFC 5681.
//! - No short flow of §5.7 begins after 270 s. It asks what comes after them, but lets them run to the end.
//! - Capacity is the link's: no unresponsive flow takes it away (the first of the two ways of §4.2).
//!
//! Not run are priorities (§6.1) and two bottlenecks in a row (§6.3). Marks (§6.2) are cases of our own.

use super::Target::{AtLeast, AtMost, Between};
use super::{BASE, Control, FLOW, Figure, Jitter, Media, Scenario, Target, Tcp};

const CASE: Scenario = Scenario { min_kbps: 150, start_kbps: 150, audio: true, lag_frames: 3, ..BASE };

/// Of flows of one kind.
const FAIR: &[(Figure, Target)] = &[(Figure::Fairness, AtLeast(0.98)), (Figure::Utilization, AtLeast(95.0))];

/// §5.7, "expected behavior": while the short flows are there, media streams at least at the minimum bit rate; after they end it recovers
/// to what was before. The least rate is one of a source that may vary by 5 % in a second (§4.3). In how much time it recovers is not
/// said: here as after the pause of §5.8.
const RIDES_THROUGH: &[(Figure, Target)] = &[(Figure::Least, AtLeast(0.95 * 150.0)), (Figure::Recovery, AtMost(3.0))];

/// §5.1, table 1.
const VARIABLE: &[(u64, u64)] = &[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)];
const SINGLE: Scenario = Scenario { seconds: 100, forward: VARIABLE, rises: &[40, 80], fall: Some(60), ..CASE };

/// §5.3, tables 3 and 4.
const BIDIRECTIONAL: Scenario = Scenario {
    seconds: 100,
    forward: &[(0, 2_000), (20, 1_000), (40, 500), (60, 2_000)],
    media: &[FLOW, Media { is_backward: true, ..FLOW }],
    rises: &[60],
    fall: Some(40),
    ..CASE
};

/// §5.6.
const LONG_TCP: Scenario =
    Scenario { seconds: 120, forward: &[(0, 2_000)], media: &[LATER], tcp: &[Tcp::Long], ..CASE };

/// §5.7.
const SHORT_TCP: Scenario = Scenario {
    seconds: 300,
    forward: &[(0, 2_000)],
    media: &[LATER, LATER],
    tcp: &[ON, ON, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF],
    tcp_until: Some(270),
    targets: RIDES_THROUGH,
    ..CASE
};
const LATER: Media = Media { start: 5, ..FLOW };
const ON: Tcp = Tcp::Short { connections: 1, begins: true };
const OFF: Tcp = Tcp::Short { connections: 1, begins: false };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "rfc8867-5.1",
        input: "variable capacity, 1 flow: 1 Mb/s, 2.5 at 40 s, 0.6 at 60 s, 1 at 80 s",
        targets: &[
            (Figure::Utilization, AtLeast(95.0)),
            (Figure::QueueP95, AtMost(40.0)),
            (Figure::QueueP99, AtMost(150.0)),
            (Figure::Reach(0), AtMost(2.0)),
        ],
        ..SINGLE
    },
    Scenario {
        name: "rfc8867-5.1-delay100",
        input: "as 5.1, 100 ms forward",
        media: &[Media { one_way_ms: 100, ..FLOW }],
        ..SINGLE
    },
    Scenario {
        name: "rfc8867-5.1-jitter",
        input: "as 5.1, with jitter as in RFC 8868 4.5: normal, 5 ms of deviation, cut at 15 ms to both sides, in order",
        jitter: Jitter::Normal { deviation_ms: 5, bound_ms: 15 },
        ..SINGLE
    },
    Scenario {
        name: "rfc8867-5.1-jitter30",
        input: "as 5.1, with any jitter up to 30 ms, in order",
        jitter: Jitter::Uniform { max_ms: 30 },
        ..SINGLE
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
        ..CASE
    },
    Scenario {
        name: "rfc8867-5.3",
        input: "congested feedback: 2 Mb/s, 1 at 20 s, 0.5 at 40 s, 2 at 60 s; back 2 Mb/s, 0.8 at 35 s, 2 at 70 s, a flow each way",
        backward: &[(0, 2_000), (35, 800), (70, 2_000)],
        targets: &[(Figure::Utilization, AtLeast(90.0))],
        ..BIDIRECTIONAL
    },
    Scenario { name: "rfc8867-5.3-reference", input: "as 5.3, with a way back that is no bottleneck", ..BIDIRECTIONAL },
    Scenario {
        name: "rfc8867-5.4",
        input: "same algorithm: 3.5 Mb/s, 3 flows from 0, 20 and 40 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[FLOW, Media { start: 20, ..FLOW }, Media { start: 40, ..FLOW }],
        targets: FAIR,
        ..CASE
    },
    Scenario {
        name: "rfc8867-5.5",
        input: "round-trip fairness: 4 Mb/s, 5 flows 10, 25, 50, 100, 150 ms one way, from 0, 10, 20, 30, 40 s",
        seconds: 300,
        forward: &[(0, 4_000)],
        media: &[
            Media { one_way_ms: 10, back_ms: 10, ..FLOW },
            Media { start: 10, one_way_ms: 25, back_ms: 25, ..FLOW },
            Media { start: 20, ..FLOW },
            Media { start: 30, one_way_ms: 100, back_ms: 100, ..FLOW },
            Media { start: 40, one_way_ms: 150, back_ms: 150, ..FLOW },
        ],
        targets: FAIR,
        ..CASE
    },
    Scenario {
        name: "rfc8867-5.6-queue300",
        input: "a long TCP Cubic flow: 2 Mb/s, queue 300 ms, media from 5 s",
        targets: &[(Figure::Share, Between(35.0, 65.0))],
        ..LONG_TCP
    },
    Scenario {
        name: "rfc8867-5.6-queue1000",
        input: "a long TCP Cubic flow: 2 Mb/s, queue 1 s, media from 5 s",
        queue_ms: 1_000,
        targets: &[(Figure::Share, Between(35.0, 65.0))],
        ..LONG_TCP
    },
    Scenario {
        name: "rfc8867-5.6-reno",
        input: "a long TCP flow of RFC 5681: 2 Mb/s, queue 300 ms, media from 5 s",
        control: Control::Reno,
        ..LONG_TCP
    },
    Scenario {
        name: "rfc8867-5.7",
        input: "10 short TCP Cubic flows until 270 s, 2 of them from the start: 2 Mb/s, 2 media flows from 5 s",
        ..SHORT_TCP
    },
    Scenario { name: "rfc8867-5.7-reno", input: "the same with TCP of RFC 5681", control: Control::Reno, ..SHORT_TCP },
    Scenario {
        name: "rfc8867-5.7-pages",
        input: "30 short TCP Cubic flows at once, again and again after a pause, until 270 s: 2 Mb/s, 2 media flows from 5 s",
        tcp: &[Tcp::Short { connections: 30, begins: false }],
        // Of 32 flows the equal share, 62 kb/s, is below the least rate of video.
        targets: &[(Figure::Recovery, AtMost(3.0))],
        ..SHORT_TCP
    },
    Scenario {
        name: "rfc8867-5.8",
        input: "pause and resume: 3.5 Mb/s, 3 flows, the first silent from 40 to 60 s",
        seconds: 120,
        forward: &[(0, 3_500)],
        media: &[Media { pause: Some((40, 60)), ..FLOW }, FLOW, FLOW],
        targets: &[(Figure::Return, AtMost(3.0))],
        ..CASE
    },
];
