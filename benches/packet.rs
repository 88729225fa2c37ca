//! Parsing, building and rewriting RTP packets, beside the `rtp` crate.

use core::hint::black_box;
use core::mem;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtc_core::rtp::HeaderMut;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use webrtc_util::marshal::{Marshal, Unmarshal};

/// A video packet of 1200 bytes with the two extensions browsers send most: abs-send-time and transport-wide number.
fn video_packet() -> RtpPacket {
    let extensions: [(u8, &[u8]); 2] = [(2, &[1, 2, 3]), (3, &[4, 5])];
    let builder = RtpPacket::builder(PayloadType::new(96), SeqNum(65_530), RtpTime(90_000), Ssrc(0xcafe_f00d))
        .marker(true)
        .extensions(&extensions);
    let headers = builder.build(&[]).expect("extensions fit").header_len();
    builder.build(&vec![0x5a; 1_200 - headers]).expect("extensions fit")
}

fn parse(criterion: &mut Criterion) {
    let bytes = video_packet().into_bytes();
    let mut group = criterion.benchmark_group("packet/parse 1200 B, two extensions");
    group.throughput(Throughput::Elements(1));
    // The buffer goes in and comes back, so that only the parsing is timed.
    let mut buffer = bytes.clone();
    group.bench_function("RtpPacket::parse", |bencher| {
        bencher.iter(|| {
            let packet = RtpPacket::parse(mem::take(black_box(&mut buffer))).expect("well-formed");
            buffer = black_box(packet).into_bytes();
        });
    });
    group.bench_function("RtpPacket::parse and read both extensions", |bencher| {
        bencher.iter(|| {
            let packet = RtpPacket::parse(mem::take(black_box(&mut buffer))).expect("well-formed");
            black_box((packet.extension(2).map(<[u8]>::len), packet.extension(3).map(<[u8]>::len)));
            buffer = packet.into_bytes();
        });
    });
    group.bench_function("Bytes::clone, for scale", |bencher| bencher.iter(|| black_box(&bytes).clone()));
    group.bench_function("rtp 0.17 unmarshal, with a clone", |bencher| {
        bencher.iter(|| rtp::packet::Packet::unmarshal(&mut black_box(bytes.clone())));
    });
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let original = video_packet();
    let payload = original.payload();
    let mut group = criterion.benchmark_group("packet/build 1200 B, two extensions");
    group.throughput(Throughput::Elements(1));
    let mut pool = BytesMut::with_capacity(64 * 1_200);
    group.bench_function("RtpBuilder::build_in a pool", |bencher| {
        bencher.iter(|| {
            RtpPacket::builder(PayloadType::new(96), SeqNum(1), RtpTime(2), Ssrc(3))
                .extensions(&[(2, &[1, 2, 3]), (3, &[4, 5])])
                .build_in(&mut pool, black_box(payload))
        });
    });
    group.bench_function("RtpBuilder::build", |bencher| {
        bencher.iter(|| {
            RtpPacket::builder(PayloadType::new(96), SeqNum(1), RtpTime(2), Ssrc(3))
                .extensions(&[(2, &[1, 2, 3]), (3, &[4, 5])])
                .build(black_box(payload))
        });
    });
    let theirs = rtp::packet::Packet::unmarshal(&mut original.as_bytes().clone()).expect("well-formed");
    group.bench_function("rtp 0.17 marshal", |bencher| bencher.iter(|| black_box(&theirs).marshal()));
    group.finish();
}

fn rewrite(criterion: &mut Criterion) {
    let original = video_packet();
    let mut group = criterion.benchmark_group("packet/rewrite ssrc, seq, timestamp, one extension");
    group.throughput(Throughput::Elements(1));
    let mut buffer = original.as_bytes().to_vec();
    group.bench_function("HeaderMut in a caller's buffer", |bencher| {
        bencher.iter(|| {
            let mut header = HeaderMut::parse(black_box(&mut buffer)).expect("well-formed");
            edit(&mut header);
        });
    });
    let mut unshared = RtpPacket::parse(Bytes::from(BytesMut::from(&original.as_bytes()[..]))).expect("well-formed");
    group.bench_function("RtpPacket::rewrite, unshared", |bencher| {
        bencher.iter(|| black_box(&mut unshared).rewrite(edit));
    });
    group.bench_function("RtpPacket::rewrite, shared: one copy", |bencher| {
        bencher.iter(|| {
            let mut copy = original.clone();
            copy.rewrite(edit);
            copy
        });
    });
    group.finish();
}

fn edit(header: &mut HeaderMut<'_>) {
    header.set_ssrc(Ssrc(9));
    header.set_seq(SeqNum(9));
    header.set_timestamp(RtpTime(9));
    header.set_extension(3, &[9, 9]);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = parse, build, rewrite
}
criterion_main!(benches);
