//! A stream over a trace into a player, in virtual time, and what came out.
//!
//! Where the audio that is heard comes from is found by its content, as players do not all tell the truth: NetEq's play-out
//! timestamp runs on while it conceals and then stands still until the media has caught up with it, so that by it a stall costs
//! no delay. The voice carries dither of a few units of 16 bits, which makes each run of 16 samples unlike any other.

use core::time::Duration;

use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::scenarios::{Delays, PTIME};
use crate::subject::{Heard, PAYLOAD_TYPE, PLAYER_RATE, Player};

const PULL: Duration = Duration::from_millis(10);
/// Samples of a packet and of a pull.
const PACKET: usize = 320;
const OUT: usize = 160;
/// Most that is added to a sample, or taken from it, to make it unlike others.
const DITHER: i16 = 8;
/// Samples that tell a place, and distance of the places that are known.
const RUN: usize = 16;
const STRIDE: usize = 4;
/// Where the timestamps begin: they wrap after a minute.
const FIRST: u32 = 0_u32.wrapping_sub(60 * 16_000);

/// What is played: packets in order of arrival, and when to pull.
pub(super) struct Stream {
    arrivals: Vec<(Instant, RtpPacket)>,
    voice: Vec<f32>,
    places: Places,
    /// The first pull.
    phase: Instant,
    end: Instant,
    /// Seconds of the receiver per second of the sender.
    rate: f64,
}

/// A pull.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull {
    pub(super) at: Instant,
    pub(super) heard: Heard,
    /// The sample of the voice that was heard first; `None` if that cannot be told.
    pub(super) place: Option<i64>,
    /// Whether what was heard is like what was said there; `None` where nothing was said or all was made up.
    pub(super) alike: Option<bool>,
}

/// The figures of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// From packet to play-out, over the fastest packet, in milliseconds: mean and 95th percentile.
    pub(super) delay: f64,
    pub(super) delay_p95: f64,
    /// Samples made up, of all.
    pub(super) concealed: f64,
    /// Of the blocks said to be real and with speech in them, those that are not like the speech they are said to be.
    pub(super) unlike: f64,
}

impl Stream {
    /// `voice` repeats; a sender's clock is `skew_ppm` too slow.
    pub(super) fn new(delays: &Delays, voice: &[i16], skew_ppm: f64, phase: Duration) -> Result<Self, ConfigError> {
        let rate = 1.0 + skew_ppm / 1e6;
        let mut dither = Rng::new(8);
        let mut dithered = |sample: &i16| {
            let noise = dither.below(2 * u64::from(DITHER.unsigned_abs()) + 1);
            sample.saturating_add(i16::try_from(noise).unwrap_or(0) - DITHER)
        };
        let samples: Vec<i16> = voice.iter().cycle().take(delays.len() * PACKET).map(&mut dithered).collect();
        let mut arrivals = Vec::with_capacity(delays.len());
        for (number, (delay, audio)) in delays.iter().zip(samples.chunks(PACKET)).enumerate() {
            let Some(delay) = delay else { continue };
            let payload: Vec<u8> = audio.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            #[expect(clippy::cast_possible_truncation, reason = "numbers wrap")]
            let (sequence, ticks) = (SeqNum(65_000_u16.wrapping_add(number as u16)), (number * PACKET) as u32);
            let timestamp = RtpTime(FIRST.wrapping_add(ticks));
            let packet =
                RtpPacket::builder(PayloadType::new(PAYLOAD_TYPE), sequence, timestamp, Ssrc(7)).build(&payload)?;
            let sent = Duration::from_secs_f64(PTIME.as_secs_f64() * number as f64 * rate);
            arrivals.push((Instant::ZERO + sent + *delay, packet));
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let last = arrivals.last().map_or(Instant::ZERO, |(at, _)| *at);
        let voice = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        Ok(Self { arrivals, voice, places: Places::of(samples), phase: Instant::ZERO + phase, end: last, rate })
    }

    /// Plays all of it; `pulled` gets what each pull filled.
    pub(super) fn play(&self, player: &mut dyn Player, mut pulled: impl FnMut(Instant, Heard, &[f32])) {
        let mut out = [0.0; OUT];
        let mut arrivals = self.arrivals.iter().peekable();
        let mut now = self.phase;
        while now <= self.end {
            while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now) {
                player.insert(*at, packet);
            }
            let heard = player.pull(now, &mut out);
            pulled(now, heard, &out);
            now += PULL;
        }
    }

    /// Plays, and compares what is heard with what was said if that `is_compared`: most of the work.
    pub(super) fn run(&self, player: &mut dyn Player, is_compared: bool) -> Vec<Pull> {
        let mut pulls = Vec::new();
        self.play(player, |at, heard, out| {
            let exact = self.places.find(out);
            let is_open = heard.concealed == 0 && (is_compared || exact.is_none());
            let told = heard.position.filter(|_| is_open);
            let told = told.and_then(|position| usize::try_from(position.0.wrapping_sub(FIRST)).ok());
            let nearby = told.and_then(|told| nearby(&self.voice, told, out));
            let alike = nearby.map(|found| found.is_some()).filter(|_| is_compared);
            pulls.push(Pull { at, heard, place: exact.or_else(|| nearby.flatten()), alike });
        });
        pulls
    }

    /// How long after it could have arrived at best the audio of a pull was heard, in milliseconds.
    pub(super) fn delay(&self, pull: &Pull) -> Option<f64> {
        let said = pull.place? as f64 / f64::from(PLAYER_RATE.as_hz()) * self.rate;
        Some((pull.at.as_secs_f64() - said) * 1e3)
    }

    /// Seconds from the end of a stall until the delay is for good within 20 ms of what it was before, or seconds to the end if it never
    /// is; and milliseconds concealed after the stall.
    pub(super) fn recovery(&self, pulls: &[Pull], stall: [Duration; 2]) -> [f64; 2] {
        let [begin, end] = stall.map(|at| Instant::ZERO + at);
        let before = pulls.iter().rev().filter(|pull| pull.at < begin).find_map(|pull| self.delay(pull));
        // Two pulls may be under way when the first packet comes.
        let after = || pulls.iter().filter(|pull| pull.at > end + 2 * PULL);
        // A player that was not heard before is never back.
        let limit = before.unwrap_or(f64::NEG_INFINITY) + 20.0;
        let mut late = after().filter(|pull| self.delay(pull).is_some_and(|delay| delay > limit));
        let last = late.next_back().map_or(0.0, |pull| (pull.at - end).as_secs_f64());
        let concealed: usize = after().map(|pull| pull.heard.concealed).sum();
        [last, concealed as f64 * 1e3 / f64::from(PLAYER_RATE.as_hz())]
    }

    pub(super) fn outcome(&self, pulls: &[Pull]) -> Outcome {
        let begun = pulls.iter().position(|pull| pull.heard.position.is_some()).unwrap_or(pulls.len());
        let pulls = &pulls[begun..];
        let mut delays: Vec<f64> = pulls.iter().filter_map(|pull| self.delay(pull)).collect();
        // A player may make up more at once than it plays.
        let concealed: usize = pulls.iter().map(|pull| pull.heard.concealed).sum();
        let compared: Vec<bool> = pulls.iter().filter_map(|pull| pull.alike).collect();
        let unlike = compared.iter().filter(|alike| !**alike).count();
        Outcome {
            delay: mean(&delays),
            delay_p95: percentile(&mut delays, 95.0),
            concealed: concealed as f64 / (pulls.len() * OUT).max(1) as f64,
            unlike: unlike as f64 / compared.len().max(1) as f64,
        }
    }
}

/// Where each run of samples is.
struct Places {
    voice: Vec<i16>,
    /// Places of runs that begin at a multiple of [`STRIDE`], by a hash of their samples.
    table: Vec<u32>,
}

impl Places {
    fn of(voice: Vec<i16>) -> Self {
        let mut places = Self { table: vec![u32::MAX; (voice.len() / STRIDE * 2 + 2).next_power_of_two()], voice };
        for start in (0..places.voice.len().saturating_sub(RUN)).step_by(STRIDE) {
            let mut slot = places.slot(&places.voice[start..start + RUN]);
            while places.table[slot] != u32::MAX {
                slot = (slot + 1) % places.table.len();
            }
            places.table[slot] = u32::try_from(start).unwrap_or(u32::MAX);
        }
        places
    }

    fn slot(&self, run: &[i16]) -> usize {
        // FNV-1a.
        let hash = run.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, sample| {
            (hash ^ u64::from(sample.cast_unsigned())).wrapping_mul(0x0100_0000_01b3)
        });
        usize::try_from((hash ^ (hash >> 32)) % self.table.len() as u64).unwrap_or(0)
    }

    /// The place the first run found in `heard` says its first sample comes from.
    fn find(&self, heard: &[f32]) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "no sample is beyond full scale by as much")]
        let exact = |sample: &f32| (sample * 32_768.0).round() as i16;
        let heard: Vec<i16> = heard.iter().map(exact).collect();
        let found = |run: &[i16]| {
            let mut slot = self.slot(run);
            while let Some(start) = self.table.get(slot).filter(|start| **start != u32::MAX) {
                let start = *start as usize;
                if self.voice.get(start..start + RUN) == Some(run) {
                    return Some(start);
                }
                slot = (slot + 1) % self.table.len();
            }
            None
        };
        heard.windows(RUN).enumerate().find_map(|(offset, run)| Some(found(run)? as i64 - offset as i64))
    }
}

/// Where `heard` is in `said` within 25 ms of `told`: with a normalized correlation of 0.7, at the shift of the greatest.
/// `None` where nothing is said.
fn nearby(said: &[f32], told: usize, heard: &[f32]) -> Option<Option<i64>> {
    const REACH: usize = 400;
    const LIKE: f32 = 0.7;
    /// -50 dBFS of mean power.
    const SPEECH: f32 = 1e-5;
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let first = told.saturating_sub(REACH);
    let around = said.get(first..(told + heard.len() + REACH).min(said.len()))?;
    let here = said.get(told..told + heard.len())?;
    if power(here) < SPEECH * heard.len() as f32 {
        return None;
    }
    let level = power(heard);
    let likeness = |window: &[f32]| {
        let product: f32 = window.iter().zip(heard).map(|(a, b)| a * b).sum();
        product / (level * power(window)).sqrt().max(f32::MIN_POSITIVE)
    };
    let windows = around.windows(heard.len()).map(likeness).enumerate();
    let best = windows.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, likeness)| *likeness > LIKE);
    Some(best.map(|(shift, _)| (first + shift) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays what arrived a fixed time after it could have, and says so.
    struct Fixed {
        delay: Duration,
        packets: std::collections::BTreeMap<u32, RtpPacket>,
        lies: bool,
    }

    impl Player for Fixed {
        fn insert(&mut self, _: Instant, packet: &RtpPacket) {
            self.packets.insert(packet.timestamp().0.wrapping_sub(FIRST), packet.clone());
        }

        fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
            out.fill(0.0);
            let Some(media) = (now - Instant::ZERO).checked_sub(self.delay) else { return Heard::default() };
            let place = u32::try_from(PLAYER_RATE.ticks_in(media)).unwrap();
            let position = Some(RtpTime(FIRST.wrapping_add(place)));
            let offset = place % 320;
            let Some(packet) = self.packets.get(&(place - offset)) else {
                return Heard { position, concealed: if self.lies { 0 } else { out.len() } };
            };
            let samples = packet.payload().chunks(2).skip(offset as usize);
            for (to, from) in out.iter_mut().zip(samples) {
                *to = f32::from(i16::from_be_bytes([from[0], from[1]])) / 32_768.0;
            }
            Heard { position, concealed: 0 }
        }
    }

    fn play(delays: &Delays, skew: f64, lies: bool) -> Outcome {
        let voice: Vec<i16> = super::super::speech(1, 3);
        let stream = Stream::new(delays, &voice, skew, Duration::ZERO).unwrap();
        let mut player = Fixed { delay: Duration::from_millis(60), packets: Default::default(), lies };
        stream.outcome(&stream.run(&mut player, true))
    }

    #[test]
    fn a_fixed_delay_is_measured_as_it_is() {
        let outcome = play(&vec![Some(Duration::ZERO); 500], 0.0, false);
        assert!((outcome.delay - 60.0).abs() < 1e-6 && (outcome.delay_p95 - 60.0).abs() < 1e-6);
        assert_eq!((outcome.concealed, outcome.unlike), (0.0, 0.0));
    }

    #[test]
    fn what_is_missing_is_concealed_and_lying_about_it_shows() {
        let mut delays: Delays = vec![Some(Duration::ZERO); 500];
        delays.iter_mut().skip(20).step_by(5).for_each(|delay| *delay = None);
        delays.iter_mut().skip(21).step_by(5).for_each(|delay| *delay = Some(Duration::from_millis(90)));
        let honest = play(&delays, 0.0, false);
        assert!((honest.concealed - 0.384).abs() < 0.01, "{honest:?}");
        assert_eq!(honest.unlike, 0.0);
        let lying = play(&delays, 0.0, true);
        assert_eq!(lying.concealed, 0.0);
        assert!(lying.unlike > 0.3, "{lying:?}");
    }

    #[test]
    fn a_delay_that_never_comes_down_is_not_back() {
        let late = |number: usize| Some(Duration::from_millis(if number < 100 { 0 } else { 100 }));
        let delays: Delays = (0..500).map(late).collect();
        let voice: Vec<i16> = super::super::speech(1, 3);
        let stream = Stream::new(&delays, &voice, 0.0, Duration::ZERO).unwrap();
        let player = |delay| Fixed { delay: Duration::from_millis(delay), packets: Default::default(), lies: false };
        let stall = [2_000, 2_100].map(Duration::from_millis);
        let [back, concealed] = stream.recovery(&stream.run(&mut player(160), false), stall);
        assert_eq!((back, concealed), (0.0, 0.0), "was as late before");
        let [_, concealed] = stream.recovery(&stream.run(&mut player(60), false), stall);
        assert!(concealed > 7_000.0, "{concealed}");
    }

    /// A sender 1000 ppm too slow falls 10 ms behind in 10 s of a receiver that goes by its own clock.
    #[test]
    fn skew_is_taken_out_of_the_delay() {
        let outcome = play(&vec![Some(Duration::ZERO); 500], 1_000.0, false);
        assert!((outcome.delay - 55.0).abs() < 0.5, "{outcome:?}");
    }
}
