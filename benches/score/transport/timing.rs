//! What RTCP takes of a session's bandwidth, whatever the number of members.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};
use rtc_transport::schedule::{Membership, Profile, RtcpScheduler, SchedulerConfig};

use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

const COUNTS: [u32; 5] = [1, 3, 10, 100, 1_000];
/// A report of 128 bytes, headers below included.
const SIZE: DataSize = DataSize::from_bytes(128);
const RTCP: Bitrate = Bitrate::from_kbps(100);
/// Measured after all have sent some reports.
const FROM: Instant = Instant::from_millis(60_000);
const TO: Instant = Instant::from_millis(200_000);

pub(super) fn run(options: &Options, report: &mut Report) {
    if !options.wants_scenario("rtcp-timing") || !options.wants_subject("ours") {
        return;
    }
    let words = "RTP/AVPF without minimum, a tenth of the members send media, RTCP has 5 % of 2 Mb/s, virtual time";
    for count in COUNTS {
        let setting = Setting { scenario: format!("rtcp-timing {count}"), input: words.into(), seeds: 1 };
        report.add_targeted(&setting, Metric("RTCP", "% of session"), share(count), Target::Between(4.5, 5.5));
    }
}

/// In percent; members know of each other from the beginning.
fn share(count: u32) -> f64 {
    let senders = count.div_ceil(10);
    let membership = |index| Membership { members: count, senders, we_sent: index < senders };
    let mut members = Vec::new();
    let mut events = BinaryHeap::new();
    for index in 0..count {
        let mut config = SchedulerConfig::default();
        config.bandwidth = RTCP;
        config.profile = Profile::Avpf { report_interval: Duration::ZERO, point_to_point: false };
        config.first_size = SIZE;
        config.seed = u64::from(index) + 1;
        let scheduler = RtcpScheduler::new(Instant::ZERO, config, membership(index)).expect("settings are good");
        events.extend(scheduler.poll_timeout().map(|at| Reverse((at, index))));
        members.push(scheduler);
    }
    let mut sent = DataSize::ZERO;
    while let Some(Reverse((now, index))) = events.pop().filter(|event| event.0.0 <= TO) {
        let Some(member) = members.get_mut(index as usize) else { break };
        if member.handle_timeout(now, membership(index)).is_some() {
            member.on_sent(now, SIZE, membership(index));
            sent += if now >= FROM { SIZE } else { DataSize::ZERO };
        }
        events.extend(member.poll_timeout().map(|at| Reverse((at, index))));
    }
    let session = RTCP.as_bps_f64() / 0.05;
    100.0 * sent.per(TO - FROM).as_bps_f64() / session
}
