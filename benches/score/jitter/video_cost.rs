//! What putting pictures together costs: packets of VP8 in, pictures out.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{VideoCodec, VideoConfig, VideoJitterBuffer};

use super::cost::{idle, least, timed};
use crate::report::{Metric, Report, Setting, Target};
use crate::{Options, memory};

const ROUNDS: usize = 5;
/// A minute of 30 pictures a second; after the first ten seconds everything has its size.
const PICTURES: u32 = 1_800;
const WARM: Instant = Instant::from_millis(10_000);

/// Adds the row of video.
pub(super) fn score(options: &Options, bar: &ProgressBar, report: &mut Report) -> Result<(), ConfigError> {
    if !options.wants_scenario("cost-video") || !options.wants_subject("ours") {
        return Ok(());
    }
    bar.set_message("cost-video");
    let input = "a minute of VP8 at 2.5 Mb/s, packets of 1000 bytes, up to 30 ms late, so out of order";
    let setting = Setting { scenario: "cost-video".into(), input: input.into(), seeds: 1 };
    let arrivals = arrivals()?;
    let (mut inserts, mut polls, mut allocations, mut pictures) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let (mut these_inserts, mut these_polls) = (Vec::with_capacity(arrivals.len()), Vec::with_capacity(60_000));
        let mut buffer = VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8))?;
        let packets = arrivals.to_vec();
        let mut packets = packets.into_iter().peekable();
        (allocations, pictures) = (0, 0);
        let mut now = Instant::ZERO;
        while packets.peek().is_some() {
            let before = memory::allocations();
            while let Some((at, packet)) = packets.next_if(|(at, _)| *at <= now) {
                these_inserts.push(timed(|| buffer.insert(at, packet)));
            }
            let mut shown = false;
            these_polls.push(timed(|| shown = matches!(buffer.poll(now), Playout::Ready(_))));
            pictures += u32::from(shown);
            allocations += if now > WARM { memory::allocations() - before } else { 0 };
            now += Duration::from_millis(1);
        }
        least(&mut inserts, these_inserts);
        least(&mut polls, these_polls);
    }
    let idle = idle();
    inserts.iter_mut().chain(&mut polls).for_each(|time| *time = (*time - idle).max(0.0));
    let per_picture = polls.iter().sum::<f64>() / f64::from(pictures.max(1));
    report.add(&setting, "ours", Metric("insert mean", "ns"), mean(&inserts));
    report.add(&setting, "ours", Metric("insert p99", "ns"), percentile(&mut inserts, 99.0));
    report.add(&setting, "ours", Metric("all polls", "ns a picture"), per_picture);
    report.add_targeted(&setting, Metric("allocations", "after 10 s"), allocations as f64, Target::AtMost(0.0));
    report.add(&setting, "ours", Metric("pictures", "of 1800"), f64::from(pictures));
    Ok(())
}

fn arrivals() -> Result<Vec<(Instant, RtpPacket)>, ConfigError> {
    let mut rng = Rng::new(3);
    let (mut arrivals, mut seq) = (Vec::new(), SeqNum(65_000));
    for picture in 0..PICTURES {
        let key = picture % 300 == 0;
        let count = if key { 40 } else { 10 };
        for piece in 0..count {
            let mut payload = [0x5a; 1_000];
            payload[..2].copy_from_slice(&[if piece == 0 { 0x10 } else { 0x00 }, u8::from(!key)]);
            let packet = RtpPacket::builder(PayloadType::new(96), seq, RtpTime(picture * 3_000), Ssrc(3))
                .marker(piece + 1 == count)
                .build(&payload)?;
            seq = seq.next();
            let late = Duration::from_micros(rng.below(30_000));
            arrivals.push((Instant::from_millis(u64::from(picture) * 33) + late, packet));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    Ok(arrivals)
}
