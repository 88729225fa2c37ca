//! Packets to test with.
#![allow(dead_code, reason = "each test binary uses a part")]

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

pub(crate) const MEDIA: PayloadType = PayloadType::new(111);
pub(crate) const RED: PayloadType = PayloadType::new(63);
pub(crate) const SSRC: Ssrc = Ssrc(0x1234_5678);

/// A packet of media that is told from every other by its payload.
pub(crate) fn media(seq: u16, timestamp: u32) -> RtpPacket {
    media_of(seq, timestamp, 40 + usize::from(seq % 7))
}

pub(crate) fn media_of(seq: u16, timestamp: u32, len: usize) -> RtpPacket {
    let payload: Vec<u8> = seq.to_be_bytes().into_iter().chain((0..=255).cycle()).take(len).collect();
    RtpPacket::builder(MEDIA, SeqNum(seq), RtpTime(timestamp), SSRC).build(&payload).unwrap()
}

/// Packets of media in sequence, each `steps` ticks after the one before.
pub(crate) fn stream(first: u16, start: u32, steps: impl IntoIterator<Item = u32>) -> Vec<RtpPacket> {
    let mut timestamp = start;
    let mut packets = vec![media(first, start)];
    for (count, step) in (1..).zip(steps) {
        timestamp = timestamp.wrapping_add(step);
        packets.push(media(first.wrapping_add(count), timestamp));
    }
    packets
}

/// The same packet with all numbers moved.
pub(crate) fn shifted(packet: &RtpPacket, seqs: u16, ticks: u32) -> RtpPacket {
    let mut packet = packet.clone();
    let (seq, timestamp) = (packet.seq() + seqs, packet.timestamp() + ticks);
    packet.rewrite(|header| {
        header.set_seq(seq);
        header.set_timestamp(timestamp);
    });
    packet
}

/// A packet of any shape: CSRCs, extension, payload, padding.
pub(crate) fn packet() -> impl Strategy<Value = RtpPacket> {
    let (payload, csrcs) = (vec(any::<u8>(), 0..200), vec(any::<u32>().prop_map(Ssrc), 0..4));
    (payload, csrcs, any::<u32>(), any::<bool>(), 0u8..20, proptest::option::of(vec(any::<u8>(), 1..9))).prop_map(
        |(payload, csrcs, timestamp, marker, padding, extension)| {
            let extension = extension.unwrap_or_default();
            let elements = [(1, &extension[..])];
            RtpPacket::builder(PayloadType::new(96), SeqNum(0), RtpTime(timestamp), SSRC)
                .csrcs(&csrcs)
                .marker(marker)
                .padding(padding)
                .extensions(if extension.is_empty() { &[] } else { &elements })
                .build(&payload)
                .unwrap()
        },
    )
}
