use std::collections::HashMap;

use rtc_core::testkit::netem::NetemStats;
use rtc_core::time::Instant;
use rtc_core::video::VideoBuffer;
use rtc_core::{Bitrate, ConfigError, PayloadType, RtpPacket, RtpTime};
use rtc_jitter::Pulled;
use rtc_transport::rtcp::is_rtcp;
use serde::Serialize;

use super::clapper::{Clapper, Ear};
use super::picture::{data_uri, psnr};
use super::receiver::Shown;
use super::report::{SEPARATE, SYNC, Summary};
use super::simulate::{Setup, timestamp_of};
use super::{AV1, AV1_REPAIR, AV1_RTX, Endpoint, LOOK_AHEAD, OPUS, SOUND};

/// Seconds from one value of the timeline to the next.
pub(super) const STEP: f64 = 0.1;
/// Pictures that are kept for people.
const KEPT: u64 = 6;
/// Farthest a click is looked for from its flash: half the time between two.
const PAIR: f64 = 0.25;

/// What came of a call: what the far end saw and heard of the near one.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The whole call in a few numbers.
    pub summary: Summary,
    /// The call in steps.
    pub timeline: Timeline,
    /// What became of each picture, in the order they were taken.
    pub fates: Vec<Fate>,
    /// Pictures as they were taken and as they were seen, for a page: when, and their addresses.
    pub strip: Vec<(f64, String, Option<String>)>,
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was never sent: the rate had no room for it.
    LeftOut,
    /// It was sent and never seen for itself.
    Unseen,
    /// It was seen, but not in step with the sound.
    OutOfStep,
    /// It was seen in step with the sound.
    InStep,
}

/// The call in steps of a tenth of a second.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// What the network carries, kb/s, where it has a limit.
    pub capacity_kbps: Vec<Option<f64>>,
    /// What the sender believes it carries.
    pub target_kbps: Vec<Option<f64>>,
    /// What was sent, over the last second; and of that the packets of pictures as they were first sent.
    pub sent_kbps: Vec<Option<f64>>,
    /// See `sent_kbps`.
    pub video_kbps: Vec<Option<f64>>,
    /// From camera to screen, the latest of the pictures of the step.
    pub latency_ms: Vec<Option<f64>>,
    /// How long the picture stood still, the longest that ended in the step.
    pub still_ms: Vec<Option<f64>>,
    /// How much sound is early, by the media times of what is seen and heard.
    pub sync_ms: Vec<Option<f64>>,
    /// The same, measured on a clap that was seen and heard.
    pub clap_ms: Vec<Option<f64>>,
    /// Likeness of what was seen to what was taken, decibels.
    pub psnr_db: Vec<Option<f64>>,
}

/// A picture that was shown.
#[derive(Debug, Clone, Copy)]
struct View {
    at: f64,
    number: u64,
    taken: f64,
    psnr: f64,
    flash: bool,
}

/// Looks on at both ends.
#[derive(Debug)]
pub(super) struct Recorder {
    clapper: Clapper,
    seconds: f64,
    /// When each picture was taken, and its number.
    taken: HashMap<u32, (f64, u64)>,
    /// When the first packet of each left.
    left: HashMap<u32, f64>,
    views: Vec<View>,
    /// When sound of which media time was heard.
    pulls: Vec<(f64, RtpTime)>,
    /// Samples made up while there was something to hear, and all of these.
    played: (usize, usize),
    ear: Ear,
    clicks: Vec<f64>,
    /// When how many bytes were sent, and what they were.
    datagrams: Vec<(f64, usize, Option<PayloadType>)>,
    rates: Vec<(Option<Bitrate>, Bitrate)>,
    kept: Vec<(u64, Option<VideoBuffer>)>,
}

impl Recorder {
    pub(super) fn new(setup: &Setup) -> Self {
        let clapper = Clapper::new(setup.config.size, setup.config.fps);
        let seconds = setup.length.as_secs_f64();
        let pictures = (0..).take_while(|number| clapper.time_of(*number) < setup.length).count() as u64;
        // One in a clap each, spread over the call.
        let period = u64::from(setup.config.fps / 2).max(1);
        let kept =
            (1..=KEPT).map(|part| part * pictures / (KEPT + 1) / period * period + part % 2 * 5).map(|at| (at, None));
        Self {
            clapper,
            seconds,
            taken: HashMap::new(),
            left: HashMap::new(),
            views: Vec::new(),
            pulls: Vec::new(),
            played: (0, 0),
            ear: Ear::default(),
            clicks: Vec::new(),
            datagrams: Vec::new(),
            rates: Vec::new(),
            kept: kept.collect(),
        }
    }

    /// A picture was taken.
    pub(super) fn taken(&mut self, now: Instant, timestamp: RtpTime) {
        let number = self.taken.len() as u64;
        self.taken.insert(timestamp.0, (now.as_secs_f64(), number));
    }

    /// A datagram left the near end.
    pub(super) fn sent(&mut self, now: Instant, datagram: &bytes::Bytes) {
        let packet = RtpPacket::parse(datagram.clone()).ok().filter(|_| !is_rtcp(datagram));
        if let Some(packet) = packet.as_ref().filter(|packet| packet.payload_type() == AV1) {
            self.left.entry(packet.timestamp().0).or_insert(now.as_secs_f64());
        }
        // With the headers below.
        let kind = packet.as_ref().map(RtpPacket::payload_type);
        self.datagrams.push((now.as_secs_f64(), datagram.len() + 28, kind));
    }

    /// What the path carries, and is believed to.
    pub(super) fn rates(&mut self, now: Instant, capacity: Option<Bitrate>, target: Bitrate) {
        while (self.rates.len() as f64) * STEP <= now.as_secs_f64() && self.rates.len() < self.steps() {
            self.rates.push((capacity, target));
        }
    }

    /// The far end heard this.
    pub(super) fn heard(&mut self, now: Instant, pulled: &Pulled, samples: &[f32]) {
        if pulled.timestamp.is_some() && now.as_secs_f64() < self.seconds {
            self.played.0 += pulled.concealed;
            self.played.1 += samples.len();
        }
        self.pulls.extend(pulled.timestamp.map(|timestamp| (now.as_secs_f64(), timestamp)));
        let frame = SOUND.duration_of(samples.len() as u64);
        // The first frame is played when the first one was captured.
        self.clicks.extend(self.ear.listen(samples).map(|at| (at + frame).as_secs_f64()));
    }

    /// The far end saw this.
    pub(super) fn shown(&mut self, at: Instant, shown: &Shown) -> Result<(), ConfigError> {
        let Some((taken, number)) = self.taken.get(&shown.picture.timestamp.0).copied() else { return Ok(()) };
        let sent = self.clapper.picture(number, shown.picture.timestamp)?;
        let seen = shown.picture.as_frame();
        let (psnr, flash) = (psnr(sent.as_frame(), seen), self.clapper.is_flash(seen));
        self.views.push(View { at: at.as_secs_f64(), number, taken, psnr, flash });
        if let Some((_, kept)) = self.kept.iter_mut().find(|(at, _)| *at == number) {
            *kept = Some(shown.picture.clone());
        }
        Ok(())
    }

    /// What came of it. `first` is the timestamp of the first sound.
    pub(super) fn finish(mut self, first: RtpTime, near: &Endpoint, far: &Endpoint, network: NetemStats) -> Seen {
        self.views.sort_by(|a, b| a.at.total_cmp(&b.at));
        let offsets: Vec<_> = self.views.iter().map(|view| (view.at, self.offset(first, view))).collect();
        let claps = self.claps();
        let fates = self.fates(&offsets);
        let mut timeline = Timeline::default();
        self.fill_rates(&mut timeline);
        let steps = self.steps();
        timeline.latency_ms = latest(steps, self.views.iter().map(|view| (view.at, 1e3 * (view.at - view.taken))));
        timeline.psnr_db = latest(steps, self.views.iter().map(|view| (view.at, view.psnr)));
        timeline.still_ms = latest(steps, self.views.windows(2).map(|two| (two[1].at, 1e3 * (two[1].at - two[0].at))));
        timeline.sync_ms = latest(steps, offsets.iter().filter_map(|(at, offset)| Some((*at, (*offset)?))));
        timeline.clap_ms = latest(steps, claps.iter().copied());
        let lags = self.left.iter().filter_map(|(timestamp, left)| Some(1e3 * (left - self.taken.get(timestamp)?.0)));
        let summary = Summary::of(&Measured {
            seconds: self.seconds,
            taken: self.taken.len(),
            sent: self.left.keys().filter_map(|timestamp| Some(self.taken.get(timestamp)?.0)).collect(),
            latencies: self.views.iter().map(|view| 1e3 * (view.at - view.taken)).collect(),
            moments: self.views.iter().map(|view| (view.at, view.taken)).collect(),
            psnr: self.views.iter().map(|view| view.psnr).collect(),
            lags: lags.collect(),
            offsets: offsets.into_iter().filter_map(|(at, offset)| Some((at, offset?))).collect(),
            claps,
            bytes: self.bytes(),
            near: near.stats(),
            far: far.stats(),
            network,
            played: self.played,
        });
        Seen { summary, timeline, fates, strip: self.strip() }
    }

    /// How much sound is early when this picture is seen, milliseconds.
    fn offset(&self, first: RtpTime, view: &View) -> Option<f64> {
        let after = self.pulls.partition_point(|(at, _)| *at <= view.at);
        let (at, timestamp) = self.pulls[after.checked_sub(1)?];
        let ticks = f64::from(timestamp.distance_from(first));
        let spoken = ticks / f64::from(SOUND.as_hz()) - LOOK_AHEAD.as_secs_f64() + (view.at - at);
        // What is heard now was spoken later than what is seen now was taken: then sound is early.
        Some(1e3 * (spoken - view.taken))
    }

    /// What became of each picture; `offsets` are those of the views.
    fn fates(&self, offsets: &[(f64, Option<f64>)]) -> Vec<Fate> {
        let mut fates = vec![Fate::LeftOut; self.taken.len()];
        let mut set = |number: u64, fate| {
            if let Some(slot) = usize::try_from(number).ok().and_then(|number| fates.get_mut(number)) {
                *slot = fate;
            }
        };
        self.left
            .keys()
            .filter_map(|timestamp| self.taken.get(timestamp))
            .for_each(|(_, number)| set(*number, Fate::Unseen));
        for (at, (view, (_, offset))) in self.views.iter().zip(offsets).enumerate() {
            let next = self.views.get(at + 1);
            if next.is_none_or(|next| next.at - view.at >= SEPARATE) {
                let is_in_step = offset.is_some_and(|offset| SYNC.contains(&offset));
                set(view.number, if is_in_step { Fate::InStep } else { Fate::OutOfStep });
            }
        }
        fates
    }

    /// When each clap was seen that was heard as well, and how much earlier it was heard, milliseconds.
    fn claps(&self) -> Vec<(f64, f64)> {
        let flashes = self.views.windows(2).filter(|two| two[1].flash && !two[0].flash).map(|two| two[1].at);
        let nearest = |flash: f64| {
            let offsets = self.clicks.iter().map(|click| flash - click);
            offsets.min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|offset| offset.abs() < PAIR)
        };
        flashes.filter_map(|flash| Some((flash, 1e3 * nearest(flash)?))).collect()
    }

    fn fill_rates(&self, timeline: &mut Timeline) {
        let kbps = |rate: Bitrate| rate.as_bps_f64() / 1e3;
        timeline.capacity_kbps = self.rates.iter().map(|(capacity, _)| capacity.map(kbps)).collect();
        timeline.target_kbps = self.rates.iter().map(|(_, target)| Some(kbps(*target))).collect();
        for step in 0..self.steps() {
            let until = (step + 1) as f64 * STEP;
            let from = (until - 1.0).max(0.0);
            let range = |at: f64| self.datagrams.partition_point(|(sent, _, _)| *sent < at);
            let recent = &self.datagrams[range(from)..range(until)];
            let rate = |bytes: usize| Some(8e-3 * bytes as f64 / (until - from));
            timeline.sent_kbps.push(rate(recent.iter().map(|(_, bytes, _)| bytes).sum()));
            timeline
                .video_kbps
                .push(rate(recent.iter().filter(|(_, _, kind)| *kind == Some(AV1)).map(|(_, bytes, _)| bytes).sum()));
        }
    }

    /// Bytes sent of pictures and their repair, of the voice and its repair, of RTCP.
    fn bytes(&self) -> [usize; 5] {
        let mut bytes = [0; 5];
        for (_, len, kind) in &self.datagrams {
            let place = match *kind {
                Some(AV1) => 0,
                Some(OPUS) => 2,
                Some(kind) if [AV1_RTX.rtx, AV1_REPAIR].contains(&kind) => 1,
                Some(_) => 3,
                None => 4,
            };
            bytes[place] += len;
        }
        bytes
    }

    fn strip(&self) -> Vec<(f64, String, Option<String>)> {
        let pairs = self.kept.iter().filter_map(|(number, seen)| {
            let taken = self.clapper.picture(*number, timestamp_of(&self.clapper, *number)).ok()?;
            let seen = seen.as_ref().map(|seen| data_uri(seen.as_frame()));
            Some((self.clapper.time_of(*number).as_secs_f64(), data_uri(taken.as_frame()), seen))
        });
        pairs.collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
    fn steps(&self) -> usize {
        (self.seconds / STEP).ceil() as usize
    }
}

/// What the summary is made of; times in seconds, differences of them in milliseconds.
pub(super) struct Measured {
    pub(super) seconds: f64,
    pub(super) taken: usize,
    /// When each picture that was sent was taken.
    pub(super) sent: Vec<f64>,
    pub(super) latencies: Vec<f64>,
    /// When each picture that was decoded was to be seen, and taken.
    pub(super) moments: Vec<(f64, f64)>,
    pub(super) psnr: Vec<f64>,
    pub(super) lags: Vec<f64>,
    pub(super) offsets: Vec<(f64, f64)>,
    pub(super) claps: Vec<(f64, f64)>,
    /// Bytes sent: of pictures and their repair, of the voice and its repair, of RTCP.
    pub(super) bytes: [usize; 5],
    pub(super) near: super::EndpointStats,
    pub(super) far: super::EndpointStats,
    pub(super) network: NetemStats,
    /// Samples made up, and all.
    pub(super) played: (usize, usize),
}

/// The largest value of each step.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
fn latest(steps: usize, values: impl Iterator<Item = (f64, f64)>) -> Vec<Option<f64>> {
    let mut out: Vec<Option<f64>> = vec![None; steps];
    for (at, value) in values {
        if let Some(slot) = out.get_mut((at / STEP) as usize) {
            *slot = Some(slot.map_or(value, |largest| if value.abs() > largest.abs() { value } else { largest }));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn a_step_has_its_largest_value() {
        let values = [(0.05, 1.0), (0.06, -3.0), (0.31, 2.0), (9.0, 7.0)];
        assert_eq!(latest(4, values.into_iter()), [Some(-3.0), None, None, Some(2.0)]);
    }

    #[test]
    fn an_ear_hears_each_click_once() {
        let clapper = Clapper::new((16, 16), 10);
        let mut ear = Ear::default();
        let mut sound = rtc_core::audio::AudioBuffer::new(1, 480, SOUND).unwrap();
        let mut heard = Vec::new();
        for frame in 0..150 {
            clapper.sound(Duration::from_millis(10) * frame, sound.as_mut());
            heard.extend(ear.listen(sound.as_ref().plane(0)).map(|at| at.as_secs_f64()));
        }
        let expected = [0.0, 0.5, 1.0];
        assert!(heard.len() == 3 && heard.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{heard:?}");
    }
}
