use core::time::Duration;
use std::collections::HashMap;

use rtc_core::rtp::extension::AudioLevel;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, RtpPacket, RtpTime, SeqNum, Ssrc};

#[cfg(test)]
mod tests;

/// Packets of who took a slot over whose order is looked at: later no packet from before comes any more.
const WATCHED: u32 = 1 << 10;

/// Settings of [`Loudest`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoudestConfig {
    /// How many microphones are heard. Default 5: more are hard to follow, and two who speak at a time are common.
    pub slots: usize,
    /// The SSRC of the first slot; those of the others follow it. Default 1; they must not be those of microphones.
    pub first: Ssrc,
    /// The extension element of the audio level (RFC 6464). Default 1.
    pub level_id: u8,
    /// The clock of the timestamps. Default 48 kHz, that of Opus.
    pub clock: Frequency,
    /// How much louder, in dB, a microphone must be than the quietest of those heard to take its place. Default 6: twice the
    /// amplitude, so that two of a loudness do not take turns.
    pub margin: f32,
    /// How far back the mean of the level goes. Default 160 ms: less than a word, more than a cough.
    pub smoothing: Duration,
    /// How long a microphone that sends nothing keeps its slot. Default 2 s: pauses within a speech are shorter.
    pub hold: Duration,
    /// The most microphones that are known. Default 1024, which bounds memory.
    pub max_microphones: usize,
}

impl Default for LoudestConfig {
    fn default() -> Self {
        Self {
            slots: 5,
            first: Ssrc(1),
            level_id: 1,
            clock: Frequency::KHZ_48,
            margin: 6.0,
            smoothing: Duration::from_millis(160),
            hold: Duration::from_secs(2),
            max_microphones: 1_024,
        }
    }
}

/// What became of packets of microphones. `offered` = `heard` + `quiet` + `unjudged` + `late` + `refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoudestStats {
    /// Packets that came.
    pub offered: u64,
    /// Packets that are to be heard.
    pub heard: u64,
    /// Packets of microphones that are not among the loudest.
    pub quiet: u64,
    /// Packets without an audio level.
    pub unjudged: u64,
    /// Packets from before their microphone got its slot, that came after.
    pub late: u64,
    /// Packets of microphones there was no room to know.
    pub refused: u64,
    /// Times a slot went from one microphone to another.
    pub switches: u64,
}

/// Chooses the loudest of many microphones by the audio levels they send (RFC 6464), and gives each a slot: one stream that goes
/// on without a gap whoever is in it, to be routed like any other.
///
/// Sound itself is not looked at, so that it may stay encrypted from end to end.
#[derive(Debug)]
pub struct Loudest {
    config: LoudestConfig,
    microphones: HashMap<Ssrc, Microphone>,
    slots: Vec<Slot>,
    stats: LoudestStats,
}

#[derive(Debug, Clone, Copy)]
struct Microphone {
    /// Smoothed, in dB below the loudest there can be.
    level: f32,
    /// When a packet came last.
    at: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    microphone: Option<Ssrc>,
    /// What the numbers of the microphone differ by from those of the slot.
    seq_offset: u16,
    time_offset: u32,
    /// The microphone's first packet here, and how many of it were heard since.
    first: SeqNum,
    heard: u32,
    /// The newest packet of the slot, and when it came.
    newest: Option<(SeqNum, RtpTime, Instant)>,
}

impl Loudest {
    /// Nobody is heard yet.
    ///
    /// # Errors
    /// [`ConfigError`] if there are no slots, more slots than microphones, or the margin is negative or not a number.
    pub fn new(config: LoudestConfig) -> Result<Self, ConfigError> {
        if config.slots == 0 || config.slots > config.max_microphones {
            return Err(ConfigError::new("slots", "must be from one to max_microphones"));
        }
        if !(0.0..=127.0).contains(&config.margin) {
            return Err(ConfigError::new("margin", "must be from 0 to 127 dB"));
        }
        let slots = vec![Slot::default(); config.slots];
        Ok(Self { config, microphones: HashMap::new(), slots, stats: LoudestStats::default() })
    }

    /// Takes a packet of a microphone. If it is to be heard it becomes one of a slot's stream, under whose SSRC and numbers it
    /// then goes, with the marker where another begins to speak (RFC 3551 §4.1), and the slot is returned.
    pub fn select(&mut self, now: Instant, packet: &mut RtpPacket) -> Option<usize> {
        self.stats.offered += 1;
        let Some(Ok(level)) = packet.read::<AudioLevel>(self.config.level_id) else {
            self.stats.unjudged += 1;
            return None;
        };
        if !self.listen(now, packet.ssrc(), level.level()) {
            self.stats.refused += 1;
            return None;
        }
        let Some((place, is_new)) = self.place_of(now, packet.ssrc()) else {
            self.stats.quiet += 1;
            return None;
        };
        let ssrc = self.ssrc(place);
        let slot = &mut self.slots[place];
        if is_new {
            self.stats.switches += u64::from(slot.newest.is_some());
            slot.hand_over(now, packet, self.config.clock);
        } else if slot.heard < WATCHED && packet.seq().distance_from(slot.first) < 0 {
            self.stats.late += 1;
            return None;
        }
        let (seq, timestamp) = slot.number(now, packet);
        packet.rewrite(|header| {
            header.set_ssrc(ssrc);
            header.set_seq(seq);
            header.set_timestamp(timestamp);
            if is_new {
                header.set_marker(true);
            }
        });
        self.stats.heard += 1;
        Some(place)
    }

    /// The SSRC of a slot's stream.
    #[must_use]
    pub fn ssrc(&self, slot: usize) -> Ssrc {
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        Ssrc(self.config.first.0.wrapping_add(slot))
    }

    /// Who is heard, slot by slot.
    #[must_use]
    pub fn speakers(&self) -> impl ExactSizeIterator<Item = Option<Ssrc>> + '_ {
        self.slots.iter().map(|slot| slot.microphone)
    }

    /// Forgets a microphone, such as of who left: its slot is free.
    pub fn remove(&mut self, microphone: Ssrc) {
        self.microphones.remove(&microphone);
        for slot in self.slots.iter_mut().filter(|slot| slot.microphone == Some(microphone)) {
            slot.microphone = None;
        }
    }

    /// Counters since the beginning.
    #[must_use]
    pub const fn stats(&self) -> LoudestStats {
        self.stats
    }

    /// Takes note of a level; false if there is no room for another microphone.
    fn listen(&mut self, now: Instant, ssrc: Ssrc, level: u8) -> bool {
        let level = f32::from(level);
        if let Some(known) = self.microphones.get_mut(&ssrc) {
            let smoothing = self.config.smoothing.max(Duration::from_nanos(1));
            let weight = ((now - known.at).as_secs_f32() / smoothing.as_secs_f32()).min(1.0);
            known.level += (level - known.level) * weight;
            known.at = known.at.max(now);
            return true;
        }
        if self.microphones.len() >= self.config.max_microphones {
            let hold = self.config.hold;
            self.microphones.retain(|_, known| now - known.at <= hold);
        }
        let has_room = self.microphones.len() < self.config.max_microphones;
        if has_room {
            self.microphones.insert(ssrc, Microphone { level, at: now });
        }
        has_room
    }

    /// The slot of a microphone, and whether it is new there: its own, a free one, or that of one much quieter.
    fn place_of(&mut self, now: Instant, ssrc: Ssrc) -> Option<(usize, bool)> {
        let own = self.slots.iter().position(|slot| slot.microphone == Some(ssrc));
        if let Some(own) = own {
            return Some((own, false));
        }
        let level = self.microphones.get(&ssrc)?.level;
        // How quiet it is in a slot: nobody at all, most of all.
        let quiet = |slot: &Slot| {
            let known = slot.microphone.and_then(|microphone| self.microphones.get(&microphone));
            known.filter(|known| now - known.at <= self.config.hold).map_or(f32::INFINITY, |known| known.level)
        };
        // Of several the first.
        let levels = self.slots.iter().map(quiet).enumerate().rev();
        let (place, quietest) = levels.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        if quietest < level + self.config.margin {
            return None;
        }
        self.slots[place].microphone = Some(ssrc);
        Some((place, true))
    }
}

impl Slot {
    /// Has the stream go on with another microphone, whose first packet this is.
    fn hand_over(&mut self, now: Instant, packet: &RtpPacket, clock: Frequency) {
        let (seq, time) = match self.newest {
            None => (packet.seq(), packet.timestamp()),
            Some((seq, time, at)) => {
                let elapsed = u128::from(clock.as_hz()) * (now - at).as_nanos() / 1_000_000_000;
                #[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
                let ticks = elapsed.max(1) as u32;
                (seq.next(), time + ticks)
            }
        };
        self.seq_offset = seq.0.wrapping_sub(packet.seq().0);
        self.time_offset = time.0.wrapping_sub(packet.timestamp().0);
        (self.first, self.heard) = (packet.seq(), 0);
    }

    /// The numbers of a packet of the microphone in the stream of the slot.
    fn number(&mut self, now: Instant, packet: &RtpPacket) -> (SeqNum, RtpTime) {
        let seq = SeqNum(packet.seq().0.wrapping_add(self.seq_offset));
        let time = RtpTime(packet.timestamp().0.wrapping_add(self.time_offset));
        if self.newest.is_none_or(|(newest, ..)| seq.distance_from(newest) > 0) {
            self.newest = Some((seq, time, now));
        }
        self.heard = self.heard.saturating_add(1);
        (seq, time)
    }
}
