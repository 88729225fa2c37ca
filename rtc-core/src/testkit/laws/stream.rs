use core::time::Duration;

use crate::testkit::rng::Rng;
use crate::time::Instant;
use crate::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// A stream of RTP packets to try a mechanism on, in the order they were sent.
#[derive(Debug, Clone)]
pub struct Stream {
    packets: Vec<RtpPacket>,
    clock: Frequency,
}

impl Stream {
    /// Packets of one source with consecutive sequence numbers, and the clock of their timestamps.
    #[must_use]
    pub const fn new(packets: Vec<RtpPacket>, clock: Frequency) -> Self {
        Self { packets, clock }
    }

    /// Six seconds of audio: 20 ms per packet, 48 kHz clock, random payloads of 20 to 119 bytes.
    #[must_use]
    pub fn audio() -> Self {
        let mut rng = Rng::new(20);
        let packets = (0..300).map(|n| packet(&mut rng, n, u32::from(n) * 960, n == 0)).collect();
        Self::new(packets, Frequency::KHZ_48)
    }

    /// Two seconds of video: 30 frames a second of one to six packets, the last with the marker.
    #[must_use]
    pub fn video() -> Self {
        let mut rng = Rng::new(30);
        let mut packets = Vec::new();
        let mut seq = 0;
        for frame in 0..60 {
            let last = seq + (rng.next_u32() % 6) as u16;
            packets.extend((seq..=last).map(|seq| packet(&mut rng, seq, frame * 3_000, seq == last)));
            seq = last + 1;
        }
        Self::new(packets, Frequency::KHZ_90)
    }

    /// The packets, in the order they were sent.
    #[must_use]
    pub fn packets(&self) -> &[RtpPacket] {
        &self.packets
    }

    /// The clock of the timestamps.
    #[must_use]
    pub const fn clock(&self) -> Frequency {
        self.clock
    }

    /// The same stream under other numbers.
    #[must_use]
    pub fn shifted(&self, seq: u16, ticks: u32) -> Self {
        let mut packets = self.packets.clone();
        for packet in &mut packets {
            let (seq, timestamp) = (packet.seq() + seq, packet.timestamp() + ticks);
            packet.rewrite(|header| {
                header.set_seq(seq);
                header.set_timestamp(timestamp);
            });
        }
        Self { packets, clock: self.clock }
    }

    /// The same stream under numbers that wrap in the middle of it.
    pub(super) fn wrapping(&self) -> Self {
        let middle = &self.packets[self.packets.len() / 2];
        self.shifted(0u16.wrapping_sub(middle.seq().0), 0u32.wrapping_sub(middle.timestamp().0))
    }

    /// Media time of a timestamp since the first packet.
    pub(super) fn media_time(&self, timestamp: RtpTime) -> Duration {
        let ticks = timestamp.distance_from(self.packets[0].timestamp());
        self.clock.duration_of(u64::try_from(ticks).unwrap_or(0))
    }

    /// The packets as a network without faults delivers them.
    pub(super) fn perfect(&self, start: Instant) -> Vec<(Instant, RtpPacket)> {
        let arrival = |packet: &RtpPacket| (start + self.media_time(packet.timestamp()), packet.clone());
        self.packets.iter().map(arrival).collect()
    }

    /// The packets as a bad network delivers them: 5 % lost, 3 % twice, up to 60 ms late and so out of order.
    pub(super) fn disturbed(&self, start: Instant, seed: u64) -> Vec<(Instant, RtpPacket)> {
        let mut rng = Rng::new(seed);
        let mut arrivals = Vec::new();
        for (at, packet) in self.perfect(start) {
            let copies = match rng.below(100) {
                0..5 => 0,
                5..8 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                arrivals.push((at + Duration::from_micros(rng.below(60_000)), packet.clone()));
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        arrivals
    }
}

fn packet(rng: &mut Rng, seq: u16, timestamp: u32, marker: bool) -> RtpPacket {
    let mut payload = [0; 120];
    let len = 20 + rng.next_u32() as usize % 100;
    rng.fill(&mut payload[..len]);
    let mut level = [0];
    rng.fill(&mut level);
    let packet =
        RtpPacket::builder(PayloadType::new(96), SeqNum(1_000) + seq, RtpTime(70_000 + timestamp), Ssrc(0x5eed))
            .marker(marker)
            .extensions(&[(1, &level)])
            .padding(if seq.is_multiple_of(7) { 3 } else { 0 })
            .build(&payload[..len]);
    packet.unwrap_or_else(|error| unreachable!("{error}"))
}
