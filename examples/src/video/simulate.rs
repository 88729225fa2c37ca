use core::time::Duration;

use bytes::Bytes;
use rtc_core::audio::AudioBuffer;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::SkewedClock;
use rtc_core::testkit::netem::Duplex;
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize, RtpTime};

use super::clapper::Clapper;
use super::endpoint::Endpoint;
use super::recorder::{Recorder, Seen};
use super::{PICTURE, SOUND, Streams, VideoCallConfig};
use crate::network::Network;

/// The sound card's frame.
const FRAME: Duration = Duration::from_millis(10);
const FRAME_LEN: usize = 480;
/// Finer than any timer of a real endpoint.
const MOMENT: Duration = Duration::from_micros(50);
/// After the last picture, the time given to what is still on its way.
const DRAIN: Duration = Duration::from_secs(1);

/// What a simulated call is made of: the near end shows a clapper, both ends are heard.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Both ends' settings.
    pub config: VideoCallConfig,
    /// The network between them.
    pub network: Network,
    /// Seed of every random choice.
    pub seed: u64,
    /// How long they talk.
    pub length: Duration,
}

/// Runs a call in virtual time; `progress` is told the seconds done. The same for the same setup.
///
/// # Errors
/// [`ConfigError`] if an endpoint or the network cannot be built as asked.
pub fn run(setup: &Setup, mut progress: impl FnMut(f64)) -> Result<Seen, ConfigError> {
    let [there, back] = setup.network.ways.clone();
    let mut call = Call {
        network: Duplex::new(there, back, setup.seed)?,
        ends: [End::new(setup, 0)?, End::new(setup, 1)?],
        clapper: Clapper::new(setup.config.size, setup.config.fps),
        recorder: Recorder::new(setup),
        until: Instant::ZERO + setup.length,
        pictures: 0,
    };
    let end = call.until + DRAIN;
    let mut now = Instant::ZERO;
    while now <= end {
        call.step(now)?;
        progress((now.min(call.until) - Instant::ZERO).as_secs_f64());
        // Everything due at `now` is done; what comes within the next moment is done together.
        now = call.next().max(now + MOMENT);
    }
    let [near, far] = &call.ends;
    let first = near.endpoint.first_timestamp();
    Ok(call.recorder.finish(first, &near.endpoint, &far.endpoint, call.network.forward.stats()))
}

/// The media time of a picture.
pub(super) fn timestamp_of(clapper: &Clapper, number: u64) -> RtpTime {
    // Anything but zero will do as a beginning.
    #[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
    let ticks = PICTURE.ticks_in(clapper.time_of(number)) as u32;
    RtpTime(0xffff_0000) + ticks
}

struct Call {
    network: Duplex<Bytes>,
    ends: [End; 2],
    clapper: Clapper,
    recorder: Recorder,
    until: Instant,
    /// Pictures taken.
    pictures: u64,
}

/// One endpoint with its sound card and its clock.
struct End {
    endpoint: Endpoint,
    clock: SkewedClock,
    sound: AudioBuffer,
    /// Sound card frames done.
    frames: u64,
}

impl End {
    fn new(setup: &Setup, index: usize) -> Result<Self, ConfigError> {
        let streams = [0, 1].map(|end| Streams::random(setup.seed.wrapping_mul(2).wrapping_add(end)));
        let streams = if index == 0 { streams } else { [streams[1], streams[0]] };
        // Two machines never agree on the time.
        let clock = SkewedClock::new(Duration::from_secs(100 + 900 * index as u64), 0.0)?;
        let seed = setup.seed.wrapping_add(1_000 + index as u64);
        Ok(Self {
            endpoint: Endpoint::new(clock.local(Instant::ZERO), setup.config, streams, seed)?,
            clock,
            sound: AudioBuffer::new(1, FRAME_LEN, SOUND)?,
            frames: 0,
        })
    }

    /// When the sound card has the next frame: at the end of it.
    fn next_frame(&self) -> Instant {
        Instant::ZERO + FRAME * u32::try_from(self.frames + 1).unwrap_or(u32::MAX)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|local| self.clock.true_time(local));
        earliest([Some(self.next_frame()), endpoint])
    }
}

impl Call {
    /// Does everything that is due at `now`.
    fn step(&mut self, now: Instant) -> Result<(), ConfigError> {
        let [near, far] = &mut self.ends;
        while let Some(delivery) = self.network.forward.poll(now) {
            far.endpoint.receive(far.clock.local(now), delivery.item);
        }
        while let Some(delivery) = self.network.reverse.poll(now) {
            near.endpoint.receive(near.clock.local(now), delivery.item);
        }
        self.sound(now);
        self.pictures(now)?;
        let [near, far] = &mut self.ends;
        for end in [&mut *near, &mut *far] {
            end.endpoint.handle_timeout(end.clock.local(now));
        }
        while let Some(datagram) = near.endpoint.poll_transmit(near.clock.local(now)) {
            self.recorder.sent(now, &datagram);
            self.network.forward.send(now, DataSize::of(&datagram), Ecn::NotEct, datagram);
        }
        while let Some(datagram) = far.endpoint.poll_transmit(far.clock.local(now)) {
            self.network.reverse.send(now, DataSize::of(&datagram), Ecn::NotEct, datagram);
        }
        self.recorder.rates(now, self.network.forward.capacity(now), near.endpoint.target());
        Ok(())
    }

    /// Lets the sound cards do their part.
    fn sound(&mut self, now: Instant) {
        for (index, end) in self.ends.iter_mut().enumerate() {
            while end.next_frame() <= now {
                let local = end.clock.local(now);
                let pulled = end.endpoint.play(local, end.sound.as_mut());
                if index == 1 {
                    self.recorder.heard(now, &pulled, end.sound.as_ref().plane(0));
                }
                if now <= self.until {
                    self.clapper.sound(FRAME * u32::try_from(end.frames).unwrap_or(u32::MAX), end.sound.as_mut());
                    end.endpoint.capture_sound(local, end.sound.as_ref());
                }
                end.frames += 1;
            }
        }
    }

    /// Takes the pictures whose time has come, and shows those that are due.
    fn pictures(&mut self, now: Instant) -> Result<(), ConfigError> {
        while now < self.until && self.next_picture() <= now {
            let near = &mut self.ends[0];
            let timestamp = timestamp_of(&self.clapper, self.pictures);
            let picture = self.clapper.picture(self.pictures, timestamp)?;
            near.endpoint.capture_picture(near.clock.local(now), picture.as_frame());
            self.recorder.taken(now, timestamp);
            self.pictures += 1;
        }
        let far = &mut self.ends[1];
        while let Some(shown) = far.endpoint.poll_picture(far.clock.local(now)) {
            self.recorder.shown(far.clock.true_time(shown.at), &shown)?;
        }
        Ok(())
    }

    fn next_picture(&self) -> Instant {
        Instant::ZERO + self.clapper.time_of(self.pictures)
    }

    fn next(&self) -> Instant {
        let [near, far] = &self.ends;
        let picture = Some(self.next_picture()).filter(|at| *at < self.until);
        let ends = earliest([near.poll_timeout(), far.poll_timeout()]);
        earliest([picture, ends, self.network.poll_timeout()]).unwrap_or(Instant::MAX)
    }
}
