use core::time::Duration;

use crate::audio::{AudioBuffer, AudioRef};
use crate::codec::AudioEncoder;
use crate::time::Instant;
use crate::{ConfigError, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// The stream a [`Talker`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TalkerConfig {
    /// When the first packet leaves. Default: the epoch.
    pub start: Instant,
    /// Time per packet. Default: 20 ms (RFC 3551 §4.2).
    pub ptime: Duration,
    /// Clock of the timestamps. Default: the encoder's sample rate.
    pub clock: Option<Frequency>,
    /// Sends nothing while the frame is silent to the encoder or under -60 dBFS at its peak, but for one packet every 400 ms.
    /// Default: off.
    pub dtx: bool,
    /// Default: 96, the first dynamic one.
    pub payload_type: PayloadType,
    /// Default: 1.
    pub ssrc: Ssrc,
    /// Number of the first packet. Default: 0.
    pub seq: SeqNum,
    /// Timestamp of the first packet. Default: 0.
    pub timestamp: RtpTime,
}

impl Default for TalkerConfig {
    fn default() -> Self {
        Self {
            start: Instant::ZERO,
            ptime: Duration::from_millis(20),
            clock: None,
            dtx: false,
            payload_type: PayloadType::new(96),
            ssrc: Ssrc(1),
            seq: SeqNum(0),
            timestamp: RtpTime(0),
        }
    }
}

/// Peak under which a frame is silent.
const SILENCE: f32 = 0.001;
/// Longest time without a packet.
const LONGEST_GAP: Duration = Duration::from_millis(400);

/// Encodes a source of audio and sends it as RTP packets: an iterator of packets and when they leave.
///
/// The marker is set where a talkspurt begins (RFC 3551 §4.1). Ends with its source, or where the encoder refuses a frame.
#[derive(Debug)]
pub struct Talker<E, S> {
    config: TalkerConfig,
    encoder: E,
    source: S,
    frame: AudioBuffer,
    samples: Vec<f32>,
    payload: Vec<u8>,
    ticks: u32,
    /// Frames made so far, and since the last packet.
    frames: u32,
    unsent: u32,
}

impl<E: AudioEncoder, S: Iterator<Item = f32>> Talker<E, S> {
    /// A talker whose words are the mono `source`, in the encoder's rate.
    ///
    /// # Errors
    /// [`ConfigError`] if a packet would hold less than a sample or more than a second.
    pub fn new(config: TalkerConfig, encoder: E, source: S) -> Result<Self, ConfigError> {
        let format = encoder.format();
        let samples = usize::try_from(format.rate.ticks_in(config.ptime)).unwrap_or(usize::MAX);
        if samples == 0 || config.ptime > Duration::from_secs(1) {
            return Err(ConfigError::new("ptime", "must be from one sample to one second"));
        }
        let ticks = config.clock.unwrap_or(format.rate).ticks_in(config.ptime);
        Ok(Self {
            config,
            encoder,
            source,
            frame: AudioBuffer::new(format.channels, samples, format.rate)?,
            samples: Vec::with_capacity(samples),
            payload: vec![0; (samples * format.channels * 4).max(4_000)],
            ticks: u32::try_from(ticks).unwrap_or(u32::MAX),
            frames: 0,
            unsent: u32::MAX,
        })
    }
}

impl<E: AudioEncoder, S: Iterator<Item = f32>> Iterator for Talker<E, S> {
    type Item = (Instant, RtpPacket);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rate = self.frame.as_ref().rate();
            let wanted = self.frame.as_ref().samples();
            self.samples.clear();
            self.samples.extend(self.source.by_ref().take(wanted));
            if self.samples.len() < wanted {
                return None;
            }
            self.frame.as_mut().copy_from(AudioRef::mono(&self.samples, rate));
            let encoded = self.encoder.encode(self.frame.as_ref(), &mut self.payload).ok()?;
            let number = self.frames;
            self.frames = number.wrapping_add(1);
            let silent = encoded.silent || self.samples.iter().all(|sample| sample.abs() < SILENCE);
            let gap = self.config.ptime.saturating_mul(self.unsent);
            if self.config.dtx && silent && gap < LONGEST_GAP {
                self.unsent = self.unsent.saturating_add(1);
                continue;
            }
            let timestamp = self.config.timestamp + number.wrapping_mul(self.ticks);
            let packet = RtpPacket::builder(self.config.payload_type, self.config.seq, timestamp, self.config.ssrc)
                .marker(self.unsent > 0 && !silent)
                .build(&self.payload[..encoded.len])
                .ok()?;
            self.config.seq = self.config.seq.next();
            self.unsent = 0;
            return Some((self.config.start + self.config.ptime * number, packet));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::AudioFormat;
    use crate::testkit::naive::{Coding, PcmEncoder};
    use crate::testkit::signal::Sine;

    fn encoder() -> PcmEncoder {
        PcmEncoder::new(Coding::MuLaw, AudioFormat { rate: Frequency::KHZ_8, channels: 1 }).unwrap()
    }

    #[test]
    fn packets_count_time_and_numbers() {
        let config = TalkerConfig {
            start: Instant::from_millis(7),
            seq: SeqNum(u16::MAX),
            timestamp: RtpTime(u32::MAX),
            clock: Some(Frequency::KHZ_48),
            ..TalkerConfig::default()
        };
        let talker = Talker::new(config, encoder(), Sine::new(Frequency::KHZ_8, 440.0, 0.5).take(500)).unwrap();
        let sent: Vec<_> = talker
            .map(|(at, packet)| {
                (at.as_millis(), packet.seq().0, packet.timestamp().0, packet.marker(), packet.payload().len())
            })
            .collect();
        assert_eq!(sent, [(7, u16::MAX, u32::MAX, true, 160), (27, 0, 959, false, 160), (47, 1, 1919, false, 160)]);
    }

    #[test]
    fn silence_is_not_sent_and_the_next_talkspurt_is_marked() {
        let talk = Sine::new(Frequency::KHZ_8, 440.0, 0.5);
        let source = talk.clone().take(320).chain(core::iter::repeat_n(0.0, 8_000)).chain(talk.take(320));
        let config = TalkerConfig { dtx: true, ..TalkerConfig::default() };
        let sent: Vec<_> = Talker::new(config, encoder(), source)
            .unwrap()
            .map(|(at, packet)| (at.as_millis(), packet.seq().0, packet.timestamp().0 / 8, packet.marker()))
            .collect();
        let expected = [
            (0, 0, 0, true),
            (20, 1, 20, false),
            (440, 2, 440, false),
            (860, 3, 860, false),
            (1_040, 4, 1_040, true),
            (1_060, 5, 1_060, false),
        ];
        assert_eq!(sent, expected);
    }
}
