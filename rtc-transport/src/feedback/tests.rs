//! Transport-wide feedback clause by clause (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::bwe::{ProbeId, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{DataSize, SeqNum, Ssrc};

use super::*;
use crate::rtcp::{Compound, RtcpPacket, TransportFeedback};

const US: Ssrc = Ssrc(0x0101_0101);
const THEM: Ssrc = Ssrc(0x0202_0202);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn written(packet: &RtcpPacket) -> Bytes {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    out.freeze()
}

fn read(datagram: &[u8]) -> Vec<RtcpPacket> {
    Compound::parse(Bytes::copy_from_slice(datagram)).unwrap().packets().map(Result::unwrap).collect()
}

fn recorder() -> FeedbackRecorder {
    FeedbackRecorder::new(RecorderConfig::default()).unwrap()
}

fn feedback(recorder: &mut FeedbackRecorder) -> TransportFeedback {
    let due = recorder.poll_timeout().unwrap();
    recorder.poll(due, US, THEM, 1_200).unwrap()
}

#[test]
fn draft_holmer_s3_1_format() {
    let mut recorder = recorder();
    // 64 ms × 2 and 1 ms later; number 12 is lost; number 13 comes 100 ms after number 11.
    for (seq, micros) in [(10, 129_000), (11, 129_250), (13, 229_250)] {
        recorder.insert(ms(130), SeqNum(seq), Instant::from_micros(micros));
    }
    let bytes = [
        0x8f,
        205,
        0,
        6,
        1,
        1,
        1,
        1,
        2,
        2,
        2,
        2, // FMT 15, packet sender, media source
        0,
        10,
        0,
        4,
        0,
        0,
        2,
        0, // base, count, reference time, feedback number
        0b1101_0100,
        0b1000_0000, // two-bit vector: small, small, lost, large
        4,
        1,
        1,
        144,
        0,
        0, // deltas of 1 ms, 250 µs and, in two bytes, 100 ms; zero padding
    ];
    let feedback = feedback(&mut recorder);
    let told: Vec<_> = feedback.statuses().map(|status| (status.seq.0, status.arrival)).collect();
    assert_eq!(told, [(10, Some(4)), (11, Some(5)), (12, None), (13, Some(405))]);
    assert_eq!(written(&RtcpPacket::TransportFeedback(feedback)), &bytes[..]);
}

#[test]
fn draft_holmer_s3_1_padding_may_be_counted() {
    let mut bytes = [0xaf, 205, 0, 5, 1, 1, 1, 1, 2, 2, 2, 2, 0, 10, 0, 1, 0, 0, 2, 0, 0x20, 1, 4, 1];
    let [RtcpPacket::TransportFeedback(feedback)] = &read(&bytes)[..] else { panic!() };
    assert_eq!(feedback.statuses().map(|status| status.arrival).collect::<Vec<_>>(), [Some(4)]);
    bytes[23] = 2;
    assert!(Compound::parse(Bytes::copy_from_slice(&bytes)).unwrap().packets().next().unwrap().is_err());
}

#[test]
fn draft_holmer_s3_1_feedback_of_nothing_received() {
    let bytes = [0x8f, 205, 0, 5, 1, 1, 1, 1, 2, 2, 2, 2, 0, 10, 0, 6, 0, 0, 2, 0, 0x00, 6, 0, 0];
    let [RtcpPacket::TransportFeedback(feedback)] = &read(&bytes)[..] else { panic!() };
    assert!(feedback.statuses().all(|status| status.arrival.is_none()));
    assert_eq!(feedback.statuses().count(), 6);
}

#[test]
fn draft_holmer_s3_1_1_the_fourth_symbol_is_reserved() {
    for chunk in [0x60, 0xc0] {
        let bytes = [0x8f, 205, 0, 5, 1, 1, 1, 1, 2, 2, 2, 2, 0, 10, 0, 1, 0, 0, 2, 0, chunk | 0x30, 1, 4, 4];
        let parsed = Compound::parse(Bytes::copy_from_slice(&bytes)).unwrap().packets().next().unwrap();
        assert!(parsed.is_err(), "{chunk:x}");
    }
}

#[test]
fn draft_holmer_s3_1_the_reference_time_wraps() {
    let mut recorder = recorder();
    let cycle = 64_u64 << 24;
    for seq in 0..3 {
        recorder.insert(ms(cycle), SeqNum(seq), ms(cycle - 64 + 64 * u64::from(seq)));
    }
    let feedback = feedback(&mut recorder);
    assert_eq!(feedback.reference_time(), (1 << 24) - 1);
    assert_eq!(feedback.statuses().map(|status| status.arrival).collect::<Vec<_>>(), [Some(0), Some(256), Some(512)]);
}

#[test]
fn draft_holmer_s3_1_5_a_delta_too_long_begins_new_feedback() {
    let mut recorder = recorder();
    recorder.insert(ms(0), SeqNum(1), ms(0));
    recorder.insert(ms(8_191), SeqNum(2), ms(8_191));
    recorder.insert(ms(16_384), SeqNum(3), ms(16_384));
    recorder.insert(ms(16_384), SeqNum(4), ms(16_384));
    let (first, second) = (feedback(&mut recorder), feedback(&mut recorder));
    assert_eq!((first.base(), first.status_count(), first.number()), (SeqNum(1), 2, 0));
    assert_eq!((second.base(), second.status_count(), second.number()), (SeqNum(3), 2, 1));
    assert_eq!(second.reference_time(), 256);
    assert_eq!(recorder.poll_timeout(), None);
}

#[test]
fn draft_holmer_s3_1_feedback_goes_on_where_it_ended_and_back_for_late_packets() {
    let mut recorder = recorder();
    let told = |recorder: &mut FeedbackRecorder, seqs: &[u16]| {
        for seq in seqs {
            assert_eq!(recorder.insert(ms(0), SeqNum(*seq), ms(0)), Recorded::Accepted);
        }
        let feedback = feedback(recorder);
        (feedback.base().0, feedback.status_count())
    };
    assert_eq!(told(&mut recorder, &[65_534]), (65_534, 1));
    assert_eq!(told(&mut recorder, &[2]), (65_535, 4), "losses before it are told");
    assert_eq!(told(&mut recorder, &[0]), (0, 3), "what was told lost is told again, with all after it");
    assert_eq!(told(&mut recorder, &[3]), (3, 1));
}

#[test]
fn feedback_is_due_an_interval_after_the_first_arrival() {
    let mut recorder = recorder();
    assert_eq!(recorder.poll_timeout(), None);
    recorder.insert(ms(100), SeqNum(1), ms(99));
    recorder.insert(ms(120), SeqNum(2), ms(119));
    assert_eq!(recorder.poll_timeout(), Some(ms(150)));
    assert!(recorder.poll(ms(149), US, THEM, 1_200).is_none());
    assert_eq!(recorder.poll(ms(150), US, THEM, 1_200).unwrap().status_count(), 2);
    assert_eq!((recorder.poll_timeout(), recorder.stats().feedbacks), (None, 1));
}

#[test]
fn a_sender_that_numbers_anew_is_followed() {
    let mut recorder = recorder();
    recorder.insert(ms(0), SeqNum(40_000), ms(0));
    assert_eq!(recorder.insert(ms(0), SeqNum(20_000), ms(0)), Recorded::Late);
    assert_eq!(recorder.insert(ms(0), SeqNum(20_001), ms(0)), Recorded::Accepted);
    assert_eq!(recorder.insert(ms(0), SeqNum(20_002), ms(0)), Recorded::Accepted);
    assert_eq!(feedback(&mut recorder).base(), SeqNum(20_001));
    let stats = recorder.stats();
    assert_eq!((stats.restarts, stats.unreported, stats.late), (1, 1, 1));
}

#[test]
fn a_gap_wider_than_the_window_is_left_out_and_counted() {
    let mut recorder =
        FeedbackRecorder::new(RecorderConfig { window: 16, reorder: 8, ..RecorderConfig::default() }).unwrap();
    for seq in [1, 2, 3, 1_000] {
        assert_eq!(recorder.insert(ms(0), SeqNum(seq), ms(0)), Recorded::Accepted);
    }
    assert_eq!(recorder.stats().unreported, 3);
    let feedback = feedback(&mut recorder);
    assert_eq!((feedback.base(), feedback.status_count()), (SeqNum(985), 16));
    assert_eq!(recorder.insert(ms(0), SeqNum(984), ms(0)), Recorded::Late);
    assert_eq!(recorder.insert(ms(0), SeqNum(991), ms(0)), Recorded::Late, "nine behind what was reported");
    assert_eq!(recorder.insert(ms(0), SeqNum(993), ms(0)), Recorded::Accepted);
}

#[test]
fn feedback_is_due_at_once_when_half_the_window_waits() {
    let mut recorder =
        FeedbackRecorder::new(RecorderConfig { window: 16, reorder: 8, ..RecorderConfig::default() }).unwrap();
    recorder.insert(ms(0), SeqNum(1), ms(0));
    recorder.insert(ms(1), SeqNum(8), ms(1));
    assert_eq!(recorder.poll_timeout(), Some(ms(50)));
    recorder.insert(ms(2), SeqNum(9), ms(2));
    assert_eq!(recorder.poll_timeout(), Some(ms(2)));
}

#[test]
fn a_long_loss_costs_two_bytes() {
    let mut recorder = recorder();
    recorder.insert(ms(0), SeqNum(0), ms(0));
    recorder.insert(ms(0), SeqNum(4_000), ms(0));
    let feedback = recorder.poll(ms(99), US, THEM, FeedbackRecorder::MIN_ROOM + 8).unwrap();
    assert_eq!(feedback.status_count(), 4_001);
    assert_eq!(written(&RtcpPacket::TransportFeedback(feedback)).len(), 20 + 4 + 2 + 2);
}

fn sent(id: u64) -> SentPacket {
    SentPacket { id, sent: ms(id), size: DataSize::from_bytes(100), probe: Some(ProbeId(7)) }
}

#[test]
fn history_forgets_the_oldest_and_counts_it() {
    let mut history = SendHistory::new(&HistoryConfig { capacity: 4 }).unwrap();
    for id in 10..16 {
        assert!(history.on_sent(sent(id)));
    }
    assert!(!history.on_sent(sent(15)) && !history.on_sent(sent(3)), "numbers only rise");
    let mut recorder = recorder();
    for id in 11..14 {
        recorder.insert(ms(0), SeqNum(id), ms(0));
    }
    let results: Vec<_> = history.on_feedback(&feedback(&mut recorder)).iter().map(|result| result.packet).collect();
    assert_eq!(results, [sent(12), sent(13)]);
    let stats = history.stats();
    assert_eq!((stats.sent, stats.unreported, stats.received, stats.unknown, stats.in_flight), (6, 2, 2, 1, 2));
    assert_eq!(history.in_flight(), DataSize::from_bytes(200));
}

#[test]
fn feedback_on_packets_never_sent_is_unknown() {
    let mut history = SendHistory::new(&HistoryConfig::default()).unwrap();
    let mut recorder = recorder();
    recorder.insert(ms(0), SeqNum(1), ms(0));
    let early = feedback(&mut recorder);
    assert!(history.on_feedback(&early).is_empty());
    history.on_sent(sent(0));
    assert!(history.on_feedback(&early).is_empty(), "a number ahead of the newest");
    assert_eq!(history.stats().unknown, 2);
}

#[test]
fn impossible_settings_are_refused() {
    for capacity in [0, 1, 3, 1 << 16] {
        assert!(SendHistory::new(&HistoryConfig { capacity }).is_err());
    }
    let refused = |window, reorder| {
        FeedbackRecorder::new(RecorderConfig { window, reorder, ..RecorderConfig::default() }).unwrap_err().setting()
    };
    assert_eq!((refused(3, 1), refused(1 << 16, 1), refused(16, 16)), ("window", "window", "reorder"));
}

/// Every 20 ms the arrivals of the last 100 ms, and for as long after the last one.
#[test]
fn arrivals_are_repeated_while_they_are_recent() {
    let (interval, repeat) = (Duration::from_millis(20), Duration::from_millis(100));
    let config = RecorderConfig { interval, repeat, ..RecorderConfig::default() };
    let mut recorder = FeedbackRecorder::new(config).unwrap();
    let mut told = Vec::new();
    let mut arrivals = [(0, 1_000), (2, 1_050), (5, 1_090)].into_iter().peekable();
    for at in 1_000..1_300 {
        if let Some((seq, _)) = arrivals.next_if(|(_, arrival)| *arrival == at) {
            recorder.insert(ms(at), SeqNum(seq), ms(at));
        }
        if let Some(feedback) = recorder.poll(ms(at), US, THEM, 1_200) {
            let arrived = feedback.statuses().filter(|status| status.arrival.is_some()).map(|status| status.seq.0);
            told.push((at, arrived.collect::<Vec<_>>()));
        }
    }
    let expected = [
        (1_020, vec![0]),
        (1_040, vec![0]),
        (1_060, vec![0, 2]),
        (1_080, vec![0, 2]),
        (1_100, vec![0, 2, 5]),
        (1_120, vec![2, 5]),
        (1_140, vec![2, 5]),
        (1_160, vec![5]),
        (1_180, vec![5]),
    ];
    assert_eq!(told, expected);
    assert_eq!(recorder.poll_timeout(), None);
}

/// In a datagram with too little room for all that is to be repeated, what is new comes first.
#[test]
fn repetition_never_keeps_what_is_new_from_being_reported() {
    let config = RecorderConfig { repeat: Duration::from_secs(1), ..RecorderConfig::default() };
    let mut recorder = FeedbackRecorder::new(config).unwrap();
    let mut newest = None;
    for seq in 0..200 {
        recorder.insert(ms(1_000 + seq), SeqNum(u16::try_from(2 * seq).unwrap()), ms(1_000 + seq));
        while let Some(feedback) = recorder.poll(ms(1_000 + seq), US, THEM, 64) {
            newest = feedback.statuses().last().map(|status| status.seq.0);
        }
    }
    assert!(newest >= Some(2 * 149), "{newest:?}");
}
