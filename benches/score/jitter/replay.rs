//! A stream over a trace into a player, in virtual time, and what came out.

use core::time::Duration;

use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::scenarios::{Delays, PTIME};
use crate::subject::{Heard, PAYLOAD_TYPE, PLAYER_RATE, Player};

const PULL: Duration = Duration::from_millis(10);
/// Samples of a packet and of a pull.
const PACKET: usize = 320;
const OUT: usize = 160;
/// Where the timestamps begin: they wrap after a minute.
const FIRST: u32 = 0_u32.wrapping_sub(60 * 16_000);

/// What is played: packets in order of arrival, and when to pull.
pub(super) struct Stream {
    arrivals: Vec<(Instant, RtpPacket)>,
    pub(super) voice: Vec<f32>,
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
        let samples: Vec<i16> = voice.iter().copied().cycle().take(delays.len() * PACKET).collect();
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
        Ok(Self { arrivals, voice, phase: Instant::ZERO + phase, end: last, rate })
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
            let is_open = is_compared && heard.concealed == 0;
            let place = heard.position.filter(|_| is_open).map(|position| position.0.wrapping_sub(FIRST));
            let alike = place.and_then(|place| alike(&self.voice, usize::try_from(place).ok()?, out));
            pulls.push(Pull { at, heard, alike });
        });
        pulls
    }

    /// How long after it could have arrived at best the audio of a pull was heard, in milliseconds.
    pub(super) fn delay(&self, pull: &Pull) -> Option<f64> {
        let position = pull.heard.position?.0.wrapping_sub(FIRST).cast_signed();
        let said = f64::from(position) / f64::from(PLAYER_RATE.as_hz()) * self.rate;
        Some((pull.at.as_secs_f64() - said) * 1e3)
    }

    pub(super) fn outcome(&self, pulls: &[Pull]) -> Outcome {
        let begun = pulls.iter().position(|pull| pull.heard.position.is_some()).unwrap_or(pulls.len());
        let pulls = &pulls[begun..];
        let real = pulls.iter().filter(|pull| pull.heard.concealed < OUT);
        let mut delays: Vec<f64> = real.filter_map(|pull| self.delay(pull)).collect();
        let concealed: usize = pulls.iter().map(|pull| pull.heard.concealed.min(OUT)).sum();
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

/// Whether `heard` is in `said` within 25 ms of `place`: with a normalized correlation of 0.7 at some shift. `None` where
/// nothing is said.
fn alike(said: &[f32], place: usize, heard: &[f32]) -> Option<bool> {
    const REACH: usize = 400;
    const LIKE: f32 = 0.7;
    /// -50 dBFS of mean power.
    const SPEECH: f32 = 1e-5;
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let around = said.get(place.saturating_sub(REACH)..(place + heard.len() + REACH).min(said.len()))?;
    let here = said.get(place..place + heard.len())?;
    if power(here) < SPEECH * heard.len() as f32 {
        return None;
    }
    let level = power(heard);
    let mut windows = around.windows(heard.len());
    Some(windows.any(|window| {
        let product: f32 = window.iter().zip(heard).map(|(a, b)| a * b).sum();
        product > 0.0 && product * product > LIKE * LIKE * level * power(window)
    }))
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

    /// A sender 1000 ppm too slow falls 10 ms behind in 10 s of a receiver that goes by its own clock.
    #[test]
    fn skew_is_taken_out_of_the_delay() {
        let outcome = play(&vec![Some(Duration::ZERO); 500], 1_000.0, false);
        assert!((outcome.delay - 55.0).abs() < 0.5, "{outcome:?}");
    }
}
