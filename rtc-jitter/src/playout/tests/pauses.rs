//! Pauses, decoders that come and go, and concealment of our own.

use super::*;
use crate::PitchConcealer;

/// A codec that makes nothing up.
#[derive(Debug)]
struct Bare(PcmDecoder);

impl AudioDecoder for Bare {
    fn format(&self) -> AudioFormat {
        self.0.format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        self.0.decode(payload, out)
    }

    fn conceal(&mut self, _out: AudioMut<'_>) -> usize {
        0
    }

    fn decode_redundant(&mut self, _payload: &[u8], _offset: usize, _out: AudioMut<'_>) -> Option<usize> {
        None
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.0.samples_in(payload)
    }
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32
}

fn typed(n: usize, seq: u16, payload_type: u8, payload: &[u8]) -> RtpPacket {
    let time = FIRST + u32::try_from(n * PTIME).unwrap();
    RtpPacket::builder(PayloadType::new(payload_type), SeqNum(65_530) + seq, time, Ssrc(3)).build(payload).unwrap()
}

#[test]
fn what_the_decoder_does_not_make_up_the_playout_does() {
    let mut playout = AudioPlayout::new(config(), Bare(pcm(MONO))).unwrap();
    let arrivals: Vec<_> = on_time(0..30).into_iter().filter(|(arrival, _)| *arrival != 400).collect();
    let (pulls, heard) = run(&mut playout, 0, 600, &arrivals);
    assert_eq!(kinds(&pulls[42..44]), [PulledKind::Concealed; 2]);
    // The tone goes on through the gap as if nothing was missing.
    let gap = &heard[42 * 80..44 * 80];
    assert!((power(gap) / power(&heard[30 * 80..40 * 80]) - 1.0).abs() < 0.2, "{}", power(gap));
    let steps = |part: &[f32]| part.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steps(&heard[41 * 80..46 * 80]) < 1.3 * steps(&heard[30 * 80..40 * 80]));
    assert_eq!(playout.stats().concealment_events, 1);
}

#[test]
fn the_concealer_can_be_replaced_and_preferred() {
    let mut config = config();
    config.concealed_by = ConcealedBy::Playout;
    let mut playout = AudioPlayout::new(config, pcm(MONO)).unwrap();
    playout.set_concealer(Box::new(PitchConcealer::new(MONO.rate)));
    let (pulls, heard) = run(&mut playout, 0, 1_600, &on_time(0..20));
    assert!(kinds(&pulls[45..140]).iter().all(|kind| *kind == PulledKind::Concealed));
    assert!(heard[150 * 80..].iter().all(|sample| *sample == 0.0), "silence in the end");
}

#[test]
fn an_interruption_is_counted_when_it_is_over() {
    let mut playout = playout();
    let arrivals: Vec<_> = on_time(0..60).into_iter().filter(|(arrival, _)| !(400..600).contains(arrival)).collect();
    run(&mut playout, 0, 1_200, &arrivals);
    let stats = playout.stats();
    assert_eq!(stats.interruption_count, 1);
    assert!((Duration::from_millis(190)..=Duration::from_millis(200)).contains(&stats.total_interruption_duration));
    assert_eq!(stats.total_samples_duration, Duration::from_millis(1_200));
}

/// RFC 3389 §4: the timestamp of a comfort noise packet is where the noise begins; it lasts until the next packet.
#[test]
fn rfc3389_s4_noise_is_heard_from_its_timestamp_until_the_next_packet() {
    let mut playout = playout();
    let mut arrivals = on_time(0..20);
    arrivals.push((400, typed(20, 20, 13, &[40])));
    arrivals.push((800, typed(40, 21, 13, &[50])));
    let talk = |n: usize| {
        (n * 20, typed(n, u16::try_from(n - 28).unwrap(), 10, &payload(&voice((n + 1) * PTIME)[n * PTIME..])))
    };
    arrivals.extend((50..70).map(talk));
    let (pulls, heard) = run(&mut playout, 0, 1_400, &arrivals);
    let kinds = kinds(&pulls);
    assert!(kinds[43..101].iter().all(|kind| *kind == PulledKind::ComfortNoise), "{kinds:?}");
    assert!(kinds[104..].iter().all(|kind| *kind == PulledKind::Normal), "{kinds:?}");
    let level = |from: usize, to: usize| 10.0 * power(&heard[from * 80..to * 80]).log10();
    assert!((level(50, 80) + 40.0).abs() < 2.0 && (level(85, 100) + 50.0).abs() < 2.0);
    let stats = playout.stats();
    assert_eq!((stats.concealed_samples, stats.packets.packets_missing), (0, 0));
    assert!((4_600..=4_960).contains(&stats.comfort_noise_samples), "{}", stats.comfort_noise_samples);
}

#[test]
fn payload_types_may_change_with_a_decoder_for_each() {
    let mut playout = playout();
    let other = AudioFormat { rate: Frequency::KHZ_16, channels: 1 };
    assert!(playout.add_decoder(PayloadType::new(8), pcm(other)).is_err());
    playout.add_decoder(PayloadType::new(0), PcmDecoder::new(Coding::MuLaw, MONO).unwrap()).unwrap();
    let mut arrivals = on_time(0..20);
    arrivals.extend((20..40).map(|n| (n * 20, typed(n, u16::try_from(n).unwrap(), 0, &[0x80; PTIME]))));
    arrivals.extend(on_time(40..60));
    let (pulls, heard) = run(&mut playout, 0, 1_200, &arrivals);
    assert!(kinds(&pulls)[3..].iter().all(|kind| *kind == PulledKind::Normal));
    assert_eq!(playout.stats().packets.packets_undecodable, 0);
    // The loudest code of mu-law.
    assert!(heard[50 * 80..70 * 80].iter().all(|sample| *sample > 0.9), "{}", heard[55 * 80]);
}
