//! Clauses of RFC 3550 (RTP), RFC 3551 (its profile for audio) and W3C webrtc-stats that concern a jitter buffer.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::jitter::{Inserted, JitterBuffer, Playout};
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioJitterBuffer, AudioPlayout, JitterConfig, PlayoutConfig, PulledKind};

const SAMPLES: u32 = 160;

/// Where a stream's numbers begin, and its source.
#[derive(Clone, Copy)]
struct Stream {
    seq: u16,
    time: u32,
    ssrc: u32,
}

const STREAM: Stream = Stream { seq: 100, time: 1_000, ssrc: 1 };

impl Stream {
    fn packet(self, n: u16, ticks: u32) -> RtpPacket {
        let (seq, time) = (SeqNum(self.seq) + n, RtpTime(self.time) + ticks);
        RtpPacket::builder(PayloadType::new(0), seq, time, Ssrc(self.ssrc)).build(&[0x10; SAMPLES as usize]).unwrap()
    }

    /// Packet `n` of 20 ms.
    fn nth(self, n: u16) -> RtpPacket {
        self.packet(n, SAMPLES * u32::from(n))
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(7_000 + millis)
}

fn buffer() -> AudioJitterBuffer {
    let mut config = JitterConfig::default();
    config.clock = Frequency::KHZ_8;
    AudioJitterBuffer::new(config).unwrap()
}

fn playout() -> AudioPlayout<PcmDecoder> {
    let mut config = PlayoutConfig::default();
    config.jitter.clock = Frequency::KHZ_8;
    let format = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };
    AudioPlayout::new(config, PcmDecoder::new(Coding::MuLaw, format).unwrap()).unwrap()
}

fn pull(playout: &mut AudioPlayout<PcmDecoder>, now: Instant) -> PulledKind {
    playout.pull(now, AudioMut::mono(&mut [0.0; 80], Frequency::KHZ_8)).kind
}

/// What comes out of a second of packets that arrive on time, in order: which packet, and when.
fn played(stream: Stream) -> Vec<(Duration, u16)> {
    let mut buffer = buffer();
    let mut played = Vec::new();
    for n in 0..50 {
        buffer.insert(at(20 * u64::from(n)), stream.nth(n));
    }
    while let Some(due) = buffer.poll_timeout() {
        if let Playout::Ready(packet) = buffer.poll(due) {
            played.push((due - at(0), packet.seq().0.wrapping_sub(stream.seq)));
        }
    }
    played
}

#[test]
fn rfc3550_s5_1_sequence_numbers_start_anywhere_and_wrap() {
    let expected = played(STREAM);
    assert_eq!(expected.len(), 50);
    for seq in [0, 32_760, 65_500, 65_535] {
        assert_eq!(played(Stream { seq, ..STREAM }), expected);
    }
}

#[test]
fn rfc3550_s5_1_timestamps_start_anywhere_and_wrap() {
    let expected = played(STREAM);
    for time in [0, 0x7fff_ff00, 0xffff_ff00, u32::MAX] {
        assert_eq!(played(Stream { time, ..STREAM }), expected);
    }
}

#[test]
fn rfc3550_s5_1_consecutive_packets_may_have_equal_timestamps() {
    let mut buffer = buffer();
    for n in 0..3 {
        assert_eq!(buffer.insert(at(0), STREAM.packet(n, 0)), Inserted::Accepted);
    }
    let ready: Vec<SeqNum> = (0..3)
        .map(|_| match buffer.poll(at(100)) {
            Playout::Ready(packet) => packet.seq(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ready, [SeqNum(100), SeqNum(101), SeqNum(102)]);
}

#[test]
fn rfc3550_s5_1_packets_of_unknown_payload_are_ignored() {
    let mut playout = playout();
    let stranger = |n: u16, ticks| {
        let time = RtpTime(STREAM.time) + ticks;
        RtpPacket::builder(PayloadType::new(77), SeqNum(STREAM.seq) + n, time, Ssrc(1)).build(&[1; 5_000]).unwrap()
    };
    for n in 0..10 {
        // Every second packet is of another kind, at the time of the one before it.
        playout.insert(at(20 * u64::from(n)), STREAM.packet(2 * n, SAMPLES * u32::from(n)));
        playout.insert(at(20 * u64::from(n)), stranger(2 * n + 1, SAMPLES * u32::from(n)));
    }
    let kinds: Vec<PulledKind> = (6..26).map(|tick| pull(&mut playout, at(10 * tick))).collect();
    assert_eq!(kinds, [PulledKind::Normal; 20]);
    assert_eq!(playout.stats().packets.packets_undecodable, 9, "those before the end of what is heard");
    assert_eq!(playout.stats().concealed_samples, 0);
}

#[test]
fn rfc3550_s8_2_another_ssrc_is_another_stream() {
    let mut buffer = buffer();
    buffer.insert(at(0), STREAM.nth(0));
    let other = Stream { ssrc: 2, ..STREAM };
    assert_eq!(buffer.insert(at(20), other.nth(1)), Inserted::Foreign);
    assert_eq!(buffer.insert(at(20), STREAM.nth(1)), Inserted::Accepted);
}

#[test]
fn rfc3550_a1_a_jump_must_be_confirmed_by_what_follows() {
    let mut buffer = buffer();
    for n in 0..5 {
        buffer.insert(at(20 * u64::from(n)), STREAM.nth(n));
    }
    let far = Stream { seq: 30_000, ..STREAM };
    assert_eq!(buffer.insert(at(100), far.nth(5)), Inserted::Foreign, "one may be a mistake");
    assert_eq!(buffer.insert(at(100), STREAM.nth(5)), Inserted::Accepted);
    let outcomes = [6, 7, 8].map(|n| buffer.insert(at(20 * u64::from(n)), far.nth(n)));
    assert_eq!(outcomes, [Inserted::Foreign, Inserted::Foreign, Inserted::Accepted], "the source restarted");
}

#[test]
fn rfc3550_a1_a_gap_of_some_thousand_packets_is_no_restart() {
    let mut buffer = buffer();
    buffer.insert(at(0), STREAM.nth(0));
    assert_eq!(buffer.poll(at(60)), Playout::Ready(STREAM.nth(0)));
    let outcome = buffer.insert(at(50_000), STREAM.nth(2_500));
    assert_eq!(outcome, Inserted::Accepted, "MAX_DROPOUT is 3000");
    assert_eq!(buffer.stats().restarts, 0);
}

#[test]
fn rfc3551_s4_1_the_clock_runs_on_in_silence() {
    let mut playout = playout();
    // Half a second of talk, as much silence, talk again: timestamps jump, sequence numbers do not.
    let sent = |n: u16| if n < 25 { u64::from(n) } else { u64::from(n) + 25 };
    let mut next = 0;
    let mut kinds = Vec::new();
    for tick in 0..160 {
        while next < 60 && 2 * sent(next) <= tick {
            let ticks = SAMPLES * u32::try_from(sent(next)).unwrap();
            playout.insert(at(10 * tick), STREAM.packet(next, ticks));
            next += 1;
        }
        kinds.push(pull(&mut playout, at(10 * tick)));
    }
    assert_eq!(playout.stats().packets.packets_missing, 0);
    assert_eq!(kinds[90], PulledKind::Silence);
    let resumed = (100..160).find(|tick| kinds[*tick] == PulledKind::Normal).unwrap();
    let delay = u128::from(10 * (resumed as u64 - 100));
    assert!(delay >= playout.target_delay().as_millis().min(50) && delay <= 70, "{delay} ms after it arrived");
}

#[test]
fn rfc3551_s4_1_the_marker_is_where_the_delay_may_change() {
    let mut buffer = buffer();
    buffer.insert(at(0), STREAM.nth(0));
    assert_eq!(buffer.poll_timeout(), Some(at(60)));
    assert_eq!(buffer.poll(at(60)), Playout::Ready(STREAM.nth(0)));
    buffer.set_min_delay(Duration::from_millis(300));
    let spurt = STREAM.nth(1).to_builder().marker(true).build(&[0x10; 160]).unwrap();
    buffer.insert(at(20), spurt);
    assert_eq!(buffer.poll_timeout(), Some(at(320)));
}

#[test]
fn rfc3551_s4_2_packets_hold_0_to_200_ms() {
    let mut playout = playout();
    let packet = |n: u16, len: usize, ticks: u32| {
        let time = RtpTime(STREAM.time) + ticks;
        RtpPacket::builder(PayloadType::new(0), SeqNum(STREAM.seq) + n, time, Ssrc(1)).build(&vec![0x10; len]).unwrap()
    };
    let mut ticks = 0;
    for (n, len) in [(0, 1_600), (1, 0), (2, 20), (3, 1_600), (4, 480)] {
        playout.insert(at(u64::from(ticks) / 8), packet(n, len, ticks));
        ticks += u32::try_from(len).unwrap();
    }
    for tick in 0..52 {
        pull(&mut playout, at(60 + 10 * tick));
    }
    let stats = playout.stats();
    assert_eq!((stats.packets.packets_played, stats.packets.packets_undecodable), (5, 0));
    assert_eq!((stats.samples_decoded, stats.samples_buffered), (3_700, 0));
}

#[test]
fn webrtc_stats_jitter_buffer_delay_is_per_emitted_sample() {
    let mut playout = playout();
    playout.set_min_delay(Duration::from_millis(60));
    for tick in 0..200_u64 {
        if tick % 2 == 0 {
            playout.insert(at(10 * tick), STREAM.nth(u16::try_from(tick / 2).unwrap()));
        }
        pull(&mut playout, at(10 * tick));
    }
    let stats = playout.stats();
    assert_eq!(stats.jitter_buffer_emitted_count, stats.samples_decoded);
    assert_eq!(stats.total_samples_received, 200 * 80);
    assert!((50..=60).contains(&stats.mean_delay().as_millis()), "{:?}", stats.mean_delay());
    assert_eq!(stats.mean_target_delay().as_millis(), 60);
}
