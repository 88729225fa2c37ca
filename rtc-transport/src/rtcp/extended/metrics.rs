use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{Fault, SeqNum, Ssrc};

use super::runs::{put_range, range};

/// Bytes of a [`StatisticsSummary`] after the block's header: nine words.
pub(super) const SUMMARY_LEN: usize = 36;
/// Bytes of [`VoipMetrics`] after the block's header: eight words.
pub(super) const VOIP_LEN: usize = 32;

/// What levels, factors and scores are that are not told (RFC 3611 §4.7.4, §4.7.5).
const UNKNOWN: u8 = 127;

/// Least, most, mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread<T> {
    /// The least.
    pub min: T,
    /// The most.
    pub max: T,
    /// The mean.
    pub mean: T,
    /// The standard deviation.
    pub deviation: T,
}

/// Which field of the network header the hops were counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopField {
    /// The time to live of IPv4.
    TimeToLive,
    /// The hop limit of IPv6.
    HopLimit,
}

/// Sums over the packets of a range (RFC 3611 §4.6). What is `None` is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatisticsSummary {
    /// The stream.
    pub ssrc: Ssrc,
    /// The first number of the range.
    pub begin: SeqNum,
    /// The number behind the range.
    pub end: SeqNum,
    /// Packets that never came.
    pub lost: Option<u32>,
    /// Packets that came again.
    pub duplicates: Option<u32>,
    /// The differences of relative transit time of two packets, in ticks of the RTP timestamp.
    pub jitter: Option<Spread<u32>>,
    /// What is left of the hops packets may make.
    pub hops: Option<(HopField, Spread<u8>)>,
}

impl StatisticsSummary {
    /// `None` for one to be ignored: with the value of ToH that is not to be used, or something in a field that its flags say is
    /// not told.
    pub(super) fn parse(specific: u8, mut content: Bytes) -> Result<Option<Self>, Fault> {
        if content.len() != SUMMARY_LEN {
            return Err(Fault::Length);
        }
        let (ssrc, begin, end) = range(&mut content)?;
        let (lost, duplicates) = (content.get_u32(), content.get_u32());
        let jitter = spread(|| content.get_u32());
        let hops = spread(|| content.get_u8());
        let told_hops = match specific >> 3 & 0x03 {
            0 => None,
            1 => Some((HopField::TimeToLive, hops)),
            2 => Some((HopField::HopLimit, hops)),
            _ => return Ok(None),
        };
        let summary = Self {
            ssrc,
            begin,
            end,
            lost: (specific & 0x80 != 0).then_some(lost),
            duplicates: (specific & 0x40 != 0).then_some(duplicates),
            jitter: (specific & 0x20 != 0).then_some(jitter),
            hops: told_hops,
        };
        let is_true = (summary.lost.is_some() || lost == 0)
            && (summary.duplicates.is_some() || duplicates == 0)
            && (summary.jitter.is_some() || jitter == Spread::default())
            && (summary.hops.is_some() || hops == Spread::default());
        Ok(is_true.then_some(summary))
    }

    /// L, D, J and ToH: which of the fields tell something.
    pub(super) fn flags(&self) -> u8 {
        let hops = match self.hops {
            None => 0,
            Some((HopField::TimeToLive, _)) => 1,
            Some((HopField::HopLimit, _)) => 2,
        };
        u8::from(self.lost.is_some()) << 7
            | u8::from(self.duplicates.is_some()) << 6
            | u8::from(self.jitter.is_some()) << 5
            | hops << 3
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        put_range(self.ssrc, self.begin, self.end, out);
        out.put_u32(self.lost.unwrap_or(0));
        out.put_u32(self.duplicates.unwrap_or(0));
        let Spread { min, max, mean, deviation } = self.jitter.unwrap_or_default();
        [min, max, mean, deviation].into_iter().for_each(|value| out.put_u32(value));
        let Spread { min, max, mean, deviation } = self.hops.map_or_else(Spread::default, |(_, hops)| hops);
        out.put_slice(&[min, max, mean, deviation]);
    }
}

fn spread<T>(mut next: impl FnMut() -> T) -> Spread<T> {
    Spread { min: next(), max: next(), mean: next(), deviation: next() }
}

/// How a telephone call went (RFC 3611 §4.7). Rates and densities are in 256ths, times in milliseconds; levels, factors and
/// scores are 127 where they are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: Ssrc,
    /// Packets that were lost.
    pub loss_rate: u8,
    /// Packets that came too late, or too early, to be played.
    pub discard_rate: u8,
    /// Of these, how many there were within bursts.
    pub burst_density: u8,
    /// How many there were between bursts.
    pub gap_density: u8,
    /// Mean length of a burst.
    pub burst_duration: u16,
    /// Mean length of what is between them.
    pub gap_duration: u16,
    /// Between the interfaces to the network.
    pub round_trip: u16,
    /// Within the end system.
    pub end_system_delay: u16,
    /// Of the voice, in dBm0.
    pub signal_level: i8,
    /// Of the silence, in dBm0.
    pub noise_level: i8,
    /// Residual echo return loss, in dB.
    pub echo_return_loss: u8,
    /// Gmin, the gap threshold: so many packets in a row that arrive end a burst. Not zero, and the same for the whole session;
    /// 16 is recommended (§4.7.2).
    pub gap_threshold: u8,
    /// Quality of the call, 0 to 100 (ITU-T G.107); what is beyond is sent and read as not told, as it is of the next three.
    pub r_factor: u8,
    /// The same for what lies beyond this stream.
    pub external_r_factor: u8,
    /// Listening quality, in tenths, 10 to 50.
    pub mos_listening: u8,
    /// Conversational quality, in tenths, 10 to 50.
    pub mos_conversational: u8,
    /// Concealment, kind and speed of the jitter buffer, as the RFC packs them.
    pub receiver_config: u8,
    /// Delay of the jitter buffer for packets that come in time.
    pub buffer_nominal: u16,
    /// For the latest packets it would take.
    pub buffer_maximum: u16,
    /// The most it may become.
    pub buffer_limit: u16,
}

impl Default for VoipMetrics {
    /// Nothing lost, and nothing else known (§4.7).
    fn default() -> Self {
        Self {
            ssrc: Ssrc(0),
            loss_rate: 0,
            discard_rate: 0,
            burst_density: 0,
            gap_density: 0,
            burst_duration: 0,
            gap_duration: 0,
            round_trip: 0,
            end_system_delay: 0,
            signal_level: i8::MAX,
            noise_level: i8::MAX,
            echo_return_loss: UNKNOWN,
            gap_threshold: 16,
            r_factor: UNKNOWN,
            external_r_factor: UNKNOWN,
            mos_listening: UNKNOWN,
            mos_conversational: UNKNOWN,
            receiver_config: 0,
            buffer_nominal: 0,
            buffer_maximum: 0,
            buffer_limit: 0,
        }
    }
}

/// An R factor, or that it is not told: all beyond its range is neither sent nor read (§4.7.5).
const fn r_factor(value: u8) -> u8 {
    if value <= 100 { value } else { UNKNOWN }
}

/// The same of a mean opinion score in tenths.
const fn score(value: u8) -> u8 {
    if value >= 10 && value <= 50 { value } else { UNKNOWN }
}

impl VoipMetrics {
    pub(super) fn parse(mut content: Bytes) -> Result<Self, Fault> {
        if content.len() != VOIP_LEN {
            return Err(Fault::Length);
        }
        let bytes = &mut content;
        Ok(Self {
            ssrc: Ssrc(bytes.get_u32()),
            loss_rate: bytes.get_u8(),
            discard_rate: bytes.get_u8(),
            burst_density: bytes.get_u8(),
            gap_density: bytes.get_u8(),
            burst_duration: bytes.get_u16(),
            gap_duration: bytes.get_u16(),
            round_trip: bytes.get_u16(),
            end_system_delay: bytes.get_u16(),
            signal_level: bytes.get_i8(),
            noise_level: bytes.get_i8(),
            echo_return_loss: bytes.get_u8(),
            gap_threshold: bytes.get_u8(),
            r_factor: r_factor(bytes.get_u8()),
            external_r_factor: r_factor(bytes.get_u8()),
            mos_listening: score(bytes.get_u8()),
            mos_conversational: score(bytes.get_u8()),
            receiver_config: bytes.get_u8(),
            buffer_nominal: {
                bytes.advance(1);
                bytes.get_u16()
            },
            buffer_maximum: bytes.get_u16(),
            buffer_limit: bytes.get_u16(),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.ssrc.0);
        out.put_slice(&[self.loss_rate, self.discard_rate, self.burst_density, self.gap_density]);
        let times = [self.burst_duration, self.gap_duration, self.round_trip, self.end_system_delay];
        times.into_iter().for_each(|time| out.put_u16(time));
        out.put_i8(self.signal_level);
        out.put_i8(self.noise_level);
        out.put_slice(&[self.echo_return_loss, self.gap_threshold]);
        out.put_slice(&[r_factor(self.r_factor), r_factor(self.external_r_factor)]);
        out.put_slice(&[score(self.mos_listening), score(self.mos_conversational)]);
        out.put_slice(&[self.receiver_config, 0]);
        let delays = [self.buffer_nominal, self.buffer_maximum, self.buffer_limit];
        delays.into_iter().for_each(|delay| out.put_u16(delay));
    }
}
