//! A call in virtual time: two endpoints, two directions of network, nothing that looks at a clock.

use bytes::Bytes;
use core::time::Duration;

use rtc_core::audio::AudioBuffer;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::SkewedClock;
use rtc_core::testkit::netem::{Duplex, Netem, Sent};
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize};

use crate::microphone::Microphone;
use crate::network::Network;
use crate::report::{Summary, Timeline};
use crate::voice::{Endpoint, VoiceConfig};
use crate::wav::RATE;

mod recorder;

use recorder::Recorder;

/// The sound card's frame.
const FRAME: Duration = Duration::from_millis(10);
/// After the last word, the time given to what is still on its way, beside the delay of that way.
const DRAIN: Duration = Duration::from_secs(2);

/// What a simulated call is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What the near and the far end say, over and over.
    pub says: [AudioBuffer; 2],
    /// Both ends' voice settings.
    pub voice: VoiceConfig,
    /// The network between them.
    pub network: Network,
    /// Seed of every random choice.
    pub seed: u64,
    /// How long they talk.
    pub length: Duration,
    /// How much faster the far end's clock runs, parts per million.
    pub skew: f64,
}

impl Setup {
    fn drain(&self) -> Duration {
        let [there, back] = &self.network.ways;
        DRAIN + there.delay.max(back.delay)
    }
}

/// What came of it, for each listener: what the far end heard first.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The sound that came out of the loudspeaker, from the beginning of the call.
    pub sound: AudioBuffer,
    /// The whole call in a few numbers.
    pub summary: Summary,
    /// The call in steps.
    pub timeline: Timeline,
}

/// Runs a call; `progress` is told the seconds done. The same for the same setup.
///
/// # Errors
/// [`ConfigError`] if an endpoint or the network cannot be built as asked.
pub fn run(setup: &Setup, mut progress: impl FnMut(f64)) -> Result<[Heard; 2], ConfigError> {
    let [there, back] = setup.network.ways.clone();
    let ends = [End::new(setup, 0)?, End::new(setup, 1)?];
    let [near, far] = &ends;
    let ways = [Recorder::new(setup, near.clock, &near.endpoint)?, Recorder::new(setup, far.clock, &far.endpoint)?];
    let network = Duplex::new(there, back, setup.seed)?;
    let mut call = Call { network, ends, ways, until: Instant::ZERO + setup.length };
    let end = call.until + setup.drain();
    let mut now = Instant::ZERO;
    while now <= end {
        call.step(now);
        progress((now.min(call.until) - Instant::ZERO).as_secs_f64());
        // Everything due at `now` is done, so what comes next lies later.
        now = call.next().max(now + Duration::from_nanos(1));
    }
    let Call { network, ends: [near, far], ways: [to_far, to_near], .. } = call;
    let (there, back) = (network.forward.stats(), network.reverse.stats());
    Ok([to_far.finish(&near.endpoint, &far.endpoint, there), to_near.finish(&far.endpoint, &near.endpoint, back)])
}

struct Call {
    network: Duplex<Bytes>,
    ends: [End; 2],
    /// Near to far, and far to near.
    ways: [Recorder; 2],
    until: Instant,
}

/// One endpoint with its sound card and its clock.
struct End {
    endpoint: Endpoint,
    clock: SkewedClock,
    microphone: Microphone,
    microphone_open: bool,
    speaker: AudioBuffer,
    /// Sound card frames done.
    frames: u64,
}

impl End {
    fn new(setup: &Setup, index: usize) -> Result<Self, ConfigError> {
        let seed = setup.seed.wrapping_mul(2).wrapping_add(index as u64);
        let skew = if index == 1 { setup.skew } else { 0.0 };
        let frame = frame_len();
        // Two machines never agree on the time.
        let clock = SkewedClock::new(Duration::from_secs(100 + 900 * index as u64), skew)?;
        Ok(Self {
            endpoint: Endpoint::new(clock.local(Instant::ZERO), setup.voice, seed)?,
            clock,
            microphone: Microphone::new(
                setup.says[index].clone(),
                AudioBuffer::new(setup.voice.channels, frame, RATE)?,
            ),
            microphone_open: true,
            speaker: AudioBuffer::new(setup.voice.channels, frame, RATE)?,
            frames: 0,
        })
    }

    /// When the sound card has the next frame, on the endpoint's clock.
    fn next_frame(&self) -> Instant {
        self.clock.local(Instant::ZERO) + RATE.duration_of(self.frames * frame_len() as u64)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest([Some(self.next_frame()), self.endpoint.poll_timeout()]).map(|local| self.clock.true_time(local))
    }
}

impl Call {
    /// Does everything that is due at `now`.
    fn step(&mut self, now: Instant) {
        while let Some(delivery) = self.network.forward.poll(now) {
            receive(&mut self.ends[1], &mut self.ways[0], now, delivery.item);
        }
        while let Some(delivery) = self.network.reverse.poll(now) {
            receive(&mut self.ends[0], &mut self.ways[1], now, delivery.item);
        }
        for (index, end) in self.ends.iter_mut().enumerate() {
            let local = end.clock.local(now);
            while end.next_frame() <= local {
                // The way this end talks, and the way it listens.
                let [talks, listens] = if index == 0 { [0, 1] } else { [1, 0] };
                let pulled = end.endpoint.play(local, end.speaker.as_mut());
                self.ways[listens].played(now, pulled, end.speaker.as_ref(), &end.endpoint);
                if now >= self.until && end.microphone_open {
                    end.endpoint.close_microphone(local);
                    end.microphone_open = false;
                }
                if now < self.until {
                    let frame = end.microphone.next_frame();
                    self.ways[talks].said(frame);
                    end.endpoint.capture(local, frame);
                    while let Some(spoken) = end.endpoint.poll_spoken() {
                        self.ways[talks].spoken(spoken, &end.endpoint.protection());
                    }
                }
                end.frames += 1;
            }
            end.endpoint.handle_timeout(local);
        }
        let [near, far] = &mut self.ends;
        transmit(near, &mut self.network.forward, &mut self.ways[0], now);
        transmit(far, &mut self.network.reverse, &mut self.ways[1], now);
    }

    fn next(&self) -> Instant {
        let ends = self.ends.iter().map(End::poll_timeout);
        earliest(ends.chain([self.network.poll_timeout()])).unwrap_or(Instant::MAX)
    }
}

fn receive(end: &mut End, way: &mut Recorder, now: Instant, datagram: Bytes) {
    end.endpoint.receive(end.clock.local(now), datagram);
    while let Some(arrival) = end.endpoint.poll_arrival() {
        way.arrived(arrival);
    }
}

fn transmit(end: &mut End, network: &mut Netem<Bytes>, way: &mut Recorder, now: Instant) {
    let local = end.clock.local(now);
    while let Some(datagram) = end.endpoint.poll_transmit(local) {
        let size = DataSize::of(&datagram);
        let fate = network.send(now, size, Ecn::NotEct, datagram);
        way.sent(now, size, fate == Sent::Queued);
    }
    way.rates(now, network.capacity(now), end.endpoint.target());
}

/// Samples in a frame of the sound card.
fn frame_len() -> usize {
    usize::try_from(RATE.ticks_in(FRAME)).unwrap_or(480)
}
