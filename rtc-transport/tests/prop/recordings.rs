//! Streams recorded on real networks, where the recordings are at hand.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpPacket};
use rtc_transport::capture::RtpDumpReader;
use rtc_transport::receiver::{ReceiveStream, ReceiverConfig};

const CLOCK: Frequency = Frequency::KHZ_8;

/// The RTP packets of an rtpdump file and when they arrived; `None`, and a message, if the file is not there.
fn recording(name: &str) -> Option<Vec<(Instant, RtpPacket)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces").join(name);
    let Ok(file) = std::fs::read(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let packets = RtpDumpReader::new(&file).unwrap().map(|packet| {
        let packet = packet.unwrap();
        (packet.at, RtpPacket::parse(Bytes::copy_from_slice(packet.bytes)).unwrap())
    });
    Some(packets.collect())
}

/// Jitter as RFC 3550 §6.4.1 writes it, in floating point: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16.
fn jitter(packets: &[(Instant, RtpPacket)]) -> f64 {
    let transit = |(at, packet): &(Instant, RtpPacket)| at.as_secs_f64() * 8_000.0 - f64::from(packet.timestamp().0);
    packets.windows(2).fold(0.0, |jitter, pair| {
        let difference = (transit(&pair[1]) - transit(&pair[0])).abs();
        jitter + (difference - jitter) / 16.0
    })
}

#[test]
fn recorded_streams_are_counted_as_they_are() {
    for name in ["stereo_pcmu_jitter.rtp", "stereo_g729_jitter.rtp"] {
        let Some(packets) = recording(name) else { continue };
        let mut config = ReceiverConfig::default();
        config.min_sequential = 1;
        let mut stream = ReceiveStream::new(packets[0].1.ssrc(), config).unwrap();
        let mut distinct = BTreeSet::new();
        let mut seen = Vec::new();
        for (at, packet) in packets {
            assert_eq!(packet.ssrc(), stream.ssrc(), "one stream per recording");
            distinct.insert(packet.seq().0);
            stream.on_packet(at, &packet, Some(CLOCK));
            seen.push((at, packet));
        }
        let stats = stream.stats();
        let block = stream.take_report(Instant::from_millis(1 << 30)).unwrap();
        println!("{name}: {stats:?} {block:?}, jitter {:?}", stream.jitter());
        assert_eq!(stats.received(), seen.len() as u64);
        assert_eq!(stats.duplicates, (seen.len() - distinct.len()) as u64);
        // Short enough not to wrap.
        let span = i64::from(distinct.last().unwrap() - distinct.first().unwrap()) + 1;
        assert_eq!(stream.lost(), span - i64::try_from(seen.len()).unwrap());
        // The integers of A.8 round a tick off at each step, of which a sixteenth stays.
        let expected = jitter(&seen);
        assert!((f64::from(block.jitter) - expected).abs() <= 2.0, "{} ticks for {expected}", block.jitter);
    }
}
