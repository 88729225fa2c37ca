//! Properties over arbitrary packets, references and networks.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::strategies::rtp_packet;
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum};
use rtc_jitter::{TimedFrame, VideoCodec, VideoStats};

use crate::streams::{DESCRIPTOR, SSRC, STEP, Sender, Sent, at, frames_for, pieces, senders};

/// Frames that each need some of the eight before, and key frames.
fn graph() -> impl Strategy<Value = Vec<Sent>> {
    let frame = (0..12_u8, vec(1..8_u16, 1..3), 1..4_usize);
    vec(frame, 2..40).prop_map(|frames| {
        let mut rng = Rng::new(1);
        let frame = |(index, (kind, back, count)): (usize, (u8, Vec<u16>, usize))| {
            let key = index == 0 || kind == 0;
            let mut needs = back;
            needs.retain(|back| !key && usize::from(*back) <= index);
            needs.dedup();
            if !key && needs.is_empty() {
                needs.push(1);
            }
            Sent { key, needs, pieces: pieces(&mut rng, 1_000 * count - 10, key), ..Sent::default() }
        };
        frames.into_iter().enumerate().map(frame).collect()
    })
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy)]
struct Fate {
    lost: bool,
    twice: bool,
    late: u64,
}

fn fates(most: u64) -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0..10_u8, 0..10_u8, 0..=most);
    let fate = fate.prop_map(|(lost, twice, late)| Fate { lost: lost == 0, twice: twice == 0, late });
    vec(fate, 120)
}

struct Run {
    out: Vec<(Instant, TimedFrame)>,
    stats: VideoStats,
    /// Frames of which a packet was lost.
    damaged: Vec<bool>,
}

/// Sends the frames over a network and polls at deadlines.
fn run(sender: &Sender, frames: &[Sent], fates: &[Fate]) -> Run {
    let (mut sender, mut buffer) = (sender.clone(), sender.buffer());
    let mut fates = fates.iter().cycle();
    let (mut arrivals, mut damaged) = (Vec::new(), Vec::new());
    for (frame, n) in frames.iter().zip(0..) {
        let mut is_damaged = false;
        for packet in sender.send(frame) {
            let fate = fates.next().unwrap();
            is_damaged |= fate.lost;
            for copy in 0..u64::from(!fate.lost) + u64::from(fate.twice && !fate.lost) {
                arrivals.push((at(33 * n + fate.late + 3 * copy), packet.clone()));
            }
        }
        damaged.push(is_damaged);
    }
    arrivals.sort_by_key(|(at, _)| *at);
    let mut out = Vec::new();
    for (arrival, packet) in arrivals {
        while let Some(due) = buffer.poll_timeout().filter(|due| *due <= arrival) {
            if let Playout::Ready(picture) = buffer.poll(due) {
                out.push((due, picture));
            }
        }
        buffer.insert(arrival, packet);
    }
    while let Some(due) = buffer.poll_timeout() {
        if let Playout::Ready(picture) = buffer.poll(due.max(at(0))) {
            out.push((due, picture));
        }
    }
    Run { out, stats: buffer.stats(), damaged }
}

/// Which frames came out.
fn indices(sender: &Sender, run: &Run) -> Vec<usize> {
    let index = |(_, picture): &(Instant, TimedFrame)| picture.frame.timestamp.0.wrapping_sub(sender.time) / STEP;
    run.out.iter().map(|picture| index(picture) as usize).collect()
}

fn balances(stats: &VideoStats) {
    let packets = stats.packets_assembled
        + stats.packets_buffered
        + stats.packets_padding
        + stats.packets_duplicate
        + stats.packets_late
        + stats.packets_overflowed
        + stats.packets_foreign
        + stats.packets_malformed
        + stats.packets_abandoned
        + stats.packets_flushed;
    assert_eq!(stats.packets_received, packets, "{stats:?}");
    let frames = stats.frames_released
        + stats.frames_buffered
        + stats.frames_dropped
        + stats.frames_overflowed
        + stats.frames_flushed;
    assert_eq!(stats.frames_assembled, frames, "{stats:?}");
}

proptest! {
    #[test]
    fn frames_come_once_in_order_after_what_they_need(frames in graph(), fates in fates(150)) {
        let sender = Sender::new(VideoCodec::Av1, true);
        let run = run(&sender, &frames, &fates);
        let released = indices(&sender, &run);
        prop_assert!(released.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", released);
        for (index, (_, picture)) in released.iter().zip(&run.out) {
            let frame = &frames[*index];
            prop_assert_eq!(&picture.frame.payload[..], &sender.media(frame)[..]);
            prop_assert_eq!(picture.frame.key, frame.key);
            for back in &frame.needs {
                prop_assert!(released.contains(&(index - usize::from(*back))), "{} without {}", index, back);
            }
        }
        balances(&run.stats);
    }

    /// In order and on time, the frames released are all those that can be.
    #[test]
    fn all_that_can_be_decoded_is_released(frames in graph(), fates in fates(0)) {
        let sender = Sender::new(VideoCodec::Av1, true);
        let run = run(&sender, &frames, &fates);
        // Until the first packet with templates there is nothing to go by.
        let mut naive: Vec<usize> = Vec::new();
        let mut has_templates = false;
        for (index, frame) in frames.iter().enumerate() {
            has_templates |= frame.key && !run.damaged[index];
            let needed = frame.needs.iter().all(|back| naive.contains(&(index - usize::from(*back))));
            if has_templates && !run.damaged[index] && needed {
                naive.push(index);
            }
        }
        prop_assert_eq!(indices(&sender, &run), naive);
    }

    #[test]
    fn nothing_is_lost_where_the_network_loses_nothing(count in 2..60_usize, seed in 0..1_000_u64, fates in fates(20)) {
        let whole: Vec<_> = fates.into_iter().map(|fate| Fate { lost: false, ..fate }).collect();
        for sender in senders() {
            let frames = frames_for(&sender, count, seed);
            let run = run(&sender, &frames, &whole);
            prop_assert_eq!(indices(&sender, &run), (0..count).collect::<Vec<_>>(), "{:?}", sender.codec);
            for ((_, picture), frame) in run.out.iter().zip(&frames) {
                prop_assert_eq!(&picture.frame.payload[..], &sender.media(frame)[..]);
            }
            balances(&run.stats);
        }
    }

    #[test]
    fn what_is_released_without_a_descriptor_can_be_decoded(seed in 0..1_000_u64, fates in fates(100)) {
        for sender in senders().into_iter().filter(|sender| !sender.with_descriptor) {
            let frames = frames_for(&sender, 60, seed);
            let run = run(&sender, &frames, &fates);
            let released = indices(&sender, &run);
            prop_assert!(released.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", released);
            for index in &released {
                for back in &frames[*index].needs {
                    prop_assert!(released.contains(&(index - usize::from(*back))), "{:?} {index}", sender.codec);
                }
            }
            balances(&run.stats);
        }
    }

    #[test]
    fn numbers_near_their_wrap_change_nothing(frames in graph(), fates in fates(80), shift in any::<u16>()) {
        let sender = Sender::new(VideoCodec::Av1, true);
        let mut shifted = sender.clone();
        shifted.seq = sender.seq.wrapping_add(shift);
        shifted.time = sender.time.wrapping_add(u32::from(shift) << 16);
        shifted.number = sender.number.wrapping_add(shift);
        let (plain, moved) = (run(&sender, &frames, &fates), run(&shifted, &frames, &fates));
        prop_assert_eq!(indices(&sender, &plain), indices(&shifted, &moved));
        let times = |run: &Run| run.out.iter().map(|(at, picture)| (*at, picture.render_at)).collect::<Vec<_>>();
        prop_assert_eq!(times(&plain), times(&moved));
        prop_assert_eq!(plain.stats, moved.stats);
    }

    #[test]
    fn any_payload_does_no_harm(
        payloads in vec((vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..24), any::<bool>(), 0..3_u16, 0..2_u32), 1..150),
        stranger in rtp_packet(),
    ) {
        for sender in senders() {
            let mut buffer = sender.buffer();
            let (mut seq, mut time, mut now) = (SeqNum(65_500), RtpTime(0), at(0));
            for (payload, extension, marker, step, picture) in &payloads {
                (seq, time) = (seq + *step, time + picture * STEP);
                let elements: &[(u8, &[u8])] = if extension.is_empty() { &[] } else { &[(DESCRIPTOR, extension)] };
                let packet = RtpPacket::builder(PayloadType::new(96), seq, time, SSRC)
                    .marker(*marker)
                    .extensions(elements)
                    .build(payload)
                    .unwrap();
                buffer.insert(now, packet);
                now += Duration::from_millis(7);
                while let Playout::Ready(_) = buffer.poll(now) {}
                buffer.poll_key_frame_request(now);
            }
            buffer.insert(now, stranger.clone());
            balances(&buffer.stats());
        }
    }

    #[test]
    fn streams_and_clocks_that_jump_do_no_harm(
        packets in vec((any::<u16>(), any::<u32>(), any::<u64>(), 0..4_u8, any::<bool>()), 1..100),
    ) {
        for sender in senders() {
            let mut buffer = sender.buffer();
            let mut own = sender.clone();
            let frames = frames_for(&sender, 100, 3);
            let mut now = at(0);
            for ((seq, time, wait, kind, jumps), frame) in packets.iter().zip(&frames) {
                now = if *jumps { Instant::from_nanos(*wait) } else { now + Duration::from_millis(wait % 100) };
                for mut packet in own.send(frame) {
                    if *kind == 0 {
                        packet.rewrite(|header| {
                            header.set_seq(SeqNum(*seq));
                            header.set_timestamp(RtpTime(*time));
                        });
                    }
                    buffer.insert(now, packet);
                }
                while let Playout::Ready(_) = buffer.poll(now) {}
            }
            balances(&buffer.stats());
        }
    }
}
