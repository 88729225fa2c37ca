//! A stream as a real network delivered it, where the recording is at hand.

use std::path::PathBuf;

use bytes::Bytes;
use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::metrics::mean;
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpPacket};
use rtc_jitter::{AudioPlayout, PlayoutConfig};

use super::sim::{millis, ms};

const FORMAT: AudioFormat = AudioFormat { rate: Frequency::KHZ_8, channels: 2 };

/// The packets of a file of `rtpdump` (rtptools) with their arrival.
fn packets(file: &[u8]) -> Vec<(Instant, RtpPacket)> {
    const FILE_HEADER: usize = 16;
    let text = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut rest = &file[text + FILE_HEADER..];
    let mut packets = Vec::new();
    while let [len_high, len_low, _, _, a, b, c, d, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let arrival = Instant::from_millis(u64::from(u32::from_be_bytes([a, b, c, d])));
        packets.push((arrival, RtpPacket::parse(Bytes::copy_from_slice(&rest[8..len])).unwrap()));
        rest = &rest[len..];
    }
    packets
}

#[test]
fn recorded_jitter_costs_little_more_than_what_was_lost() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces/stereo_pcmu_jitter.rtp");
    let Ok(file) = std::fs::read(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    let packets = packets(&file);
    let first = packets[0].1.timestamp();
    let sent = |packet: &RtpPacket| FORMAT.rate.duration_of(u64::from(packet.timestamp().0.wrapping_sub(first.0)));
    // Sent when the fastest packet would have had to be.
    let epoch = packets.iter().map(|(arrival, packet)| *arrival - sent(packet)).min().unwrap();
    let seqs = packets.iter().map(|(_, packet)| packet.seq().distance_from(packets[0].1.seq()));
    let expected = seqs.max().unwrap() + 1;
    let lost = 100.0 * (1.0 - packets.len() as f64 / f64::from(expected));

    let mut config = PlayoutConfig::default();
    config.jitter.clock = FORMAT.rate;
    let mut playout = AudioPlayout::new(config, PcmDecoder::new(Coding::MuLaw, FORMAT).unwrap()).unwrap();
    let end = packets[packets.len() - 1].0;
    let mut arrivals = packets.into_iter().peekable();
    let mut delays = Vec::new();
    let mut now = Instant::from_millis(20);
    while now < end {
        while let Some((arrival, packet)) = arrivals.next_if(|(arrival, _)| *arrival <= now) {
            playout.insert(arrival, packet);
        }
        let (mut left, mut right) = ([0.0; 80], [0.0; 80]);
        let pulled = playout.pull(now, AudioMut::stereo(&mut left, &mut right, FORMAT.rate).unwrap());
        if let Some(time) = pulled.timestamp {
            let said = epoch + FORMAT.rate.duration_of(u64::from(time.0.wrapping_sub(first.0)));
            delays.push(millis(now - said));
        }
        now += ms(10);
    }
    let stats = playout.stats();
    let concealed = 100.0 * stats.concealed_samples as f64 / stats.total_samples_received as f64;
    let row = format!("lost {lost:.2} %, concealed {concealed:.2} %, mean delay {:.0} ms", mean(&delays));
    insta::assert_snapshot!(row);
    assert!(concealed < lost + 1.5, "{row}");
}
