//! Packets by their payloads, and what comes out of them.

use rtc_core::jitter::{Inserted, JitterBuffer, Playout};
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{TimedFrame, VideoCodec, VideoConfig, VideoJitterBuffer};

use crate::streams::{DESCRIPTOR, at, ms};

/// A buffer that is given packets 5 ms apart.
pub(crate) struct Receiver {
    pub(crate) buffer: VideoJitterBuffer,
    seq: SeqNum,
    now: Instant,
    out: Vec<TimedFrame>,
}

impl Receiver {
    pub(crate) fn new(codec: VideoCodec) -> Self {
        let mut config = VideoConfig::new(codec);
        config.dependency_descriptor = Some(DESCRIPTOR);
        let buffer = VideoJitterBuffer::new(config).unwrap();
        Self { buffer, seq: SeqNum(65_534), now: at(0), out: Vec::new() }
    }

    /// The next packet arrives.
    pub(crate) fn packet(&mut self, time: u32, payload: &[u8], marker: bool) -> Inserted {
        self.described(time, payload, marker, &[])
    }

    /// The same, with a dependency descriptor unless that is empty.
    pub(crate) fn described(&mut self, time: u32, payload: &[u8], marker: bool, descriptor: &[u8]) -> Inserted {
        let elements: &[(u8, &[u8])] = if descriptor.is_empty() { &[] } else { &[(DESCRIPTOR, descriptor)] };
        let time = RtpTime(u32::MAX - 5_000) + time;
        let packet = RtpPacket::builder(PayloadType::new(96), self.seq, time, Ssrc(7))
            .marker(marker)
            .extensions(elements)
            .build(payload)
            .unwrap();
        self.seq = self.seq.next();
        self.now += ms(5);
        self.buffer.insert(self.now, packet)
    }

    /// The next packet is lost.
    pub(crate) fn skip(&mut self) {
        self.seq = self.seq.next();
    }

    /// The next packet is one that was sent so many before.
    pub(crate) fn back(&mut self, packets: u16) {
        self.seq = self.seq - packets;
    }

    /// Plays all that can be, and counts what was played in all.
    pub(crate) fn count(&mut self) -> usize {
        while let Some(due) = self.buffer.poll_timeout() {
            if let Playout::Ready(picture) = self.buffer.poll(due.max(self.now)) {
                self.out.push(picture);
            }
        }
        self.out.len()
    }

    /// The bytes of all pictures played.
    pub(crate) fn frames(&mut self) -> Vec<Vec<u8>> {
        self.count();
        self.out.iter().map(|picture| picture.frame.payload.to_vec()).collect()
    }

    /// All pictures played.
    pub(crate) fn pictures(&mut self) -> &[TimedFrame] {
        self.count();
        &self.out
    }

    /// Which of the pictures played are key frames.
    pub(crate) fn keys(&mut self) -> Vec<bool> {
        self.count();
        self.out.iter().map(|picture| picture.frame.key).collect()
    }

    /// Whether a key frame is asked for by now.
    pub(crate) fn asks(&mut self) -> bool {
        self.buffer.poll_key_frame_request(self.now).is_some()
    }
}
