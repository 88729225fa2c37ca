//! Feedback on single packets: made, written, read and matched, in both formats.

use core::hint::black_box;
use core::time::Duration;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtc_core::bwe::{Ecn, SentPacket};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{DataSize, SeqNum, Ssrc};
use rtc_transport::feedback::{CongestionRecorder, FeedbackRecorder, HistoryConfig, RecorderConfig, SendHistory};
use rtc_transport::rtcp::{Compound, RtcpPacket};

/// 10 Mb/s of 1200-byte packets for 50 ms.
const PACKETS: u16 = 52;
const NOW: Instant = Instant::from_millis(1_060);

/// A history that knows the packets, and the feedback on them.
fn history() -> SendHistory {
    let mut history = SendHistory::new(&HistoryConfig::default()).expect("defaults are good");
    for seq in 1..=PACKETS {
        let packet = SentPacket { id: seq.into(), sent: NOW, size: DataSize::from_bytes(1_200), probe: None };
        history.on_sent_of(packet, Ssrc(1), SeqNum(seq));
    }
    history
}

fn arrivals() -> impl Iterator<Item = (SeqNum, Instant)> {
    (1..=PACKETS).map(|seq| (SeqNum(seq), Instant::from_millis(1_000) + Duration::from_micros(960 * u64::from(seq))))
}

fn wide() -> FeedbackRecorder {
    let mut recorder = FeedbackRecorder::new(RecorderConfig::default()).expect("defaults are good");
    for (seq, at) in arrivals() {
        recorder.insert(at, seq, at);
    }
    recorder
}

fn by_stream() -> CongestionRecorder {
    let mut recorder = CongestionRecorder::new(RecorderConfig::default(), 1).expect("defaults are good");
    for (seq, at) in arrivals() {
        recorder.insert(at, Ssrc(1), seq, at, Ecn::NotEct);
    }
    recorder
}

fn through(packet: &RtcpPacket, pool: &mut BytesMut, history: &mut SendHistory) -> usize {
    packet.write(pool).expect("feedback fits its format");
    match Compound::parse(pool.split().freeze()).expect("what is written is read").packets().next() {
        Some(Ok(RtcpPacket::TransportFeedback(feedback))) => history.on_feedback(&feedback).len(),
        Some(Ok(RtcpPacket::CongestionFeedback(feedback))) => history.on_congestion_feedback(&feedback).len(),
        _ => 0,
    }
}

fn feedback(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("feedback/52 packets made, written, read, matched");
    group.throughput(Throughput::Elements(PACKETS.into()));
    let mut pool = BytesMut::with_capacity(1 << 16);
    group.bench_function("transport-wide", |bencher| {
        let made = || (wide(), history());
        bencher.iter_batched_ref(
            made,
            |(recorder, history)| {
                let feedback = recorder.poll(black_box(NOW), Ssrc(2), Ssrc(1), 1_200).expect("it is due");
                through(&RtcpPacket::TransportFeedback(feedback), &mut pool, history)
            },
            BatchSize::SmallInput,
        );
    });
    let ntp = NtpTime::from_bits(1 << 40);
    group.bench_function("RFC 8888", |bencher| {
        let made = || (by_stream(), history());
        bencher.iter_batched_ref(
            made,
            |(recorder, history)| {
                let feedback = recorder.poll(black_box(NOW), ntp, Ssrc(2), 1_200).expect("it is due");
                through(&RtcpPacket::CongestionFeedback(feedback), &mut pool, history)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, feedback);
criterion_main!(benches);
