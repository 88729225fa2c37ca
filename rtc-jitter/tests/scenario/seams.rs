//! Where made-up audio begins and ends, nothing is to be heard of it: no click, no splatter.

use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::signal::{Music, Sine, Speech};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, ConcealedBy, PlayoutConfig};

const RATE: Frequency = Frequency::KHZ_48;
const PACKET: usize = 960;
const PULL: usize = 480;

/// What is heard of ten seconds of which each half second so many packets in a row are lost, and where the seams are.
fn with_gaps(voice: &[f32], lost: usize) -> (Vec<f32>, Vec<usize>) {
    let format = AudioFormat { rate: RATE, channels: 1 };
    let mut config = PlayoutConfig::default();
    config.concealed_by = ConcealedBy::Playout;
    let mut playout = AudioPlayout::new(config, PcmDecoder::new(Coding::L16, format).unwrap()).unwrap();
    let (mut heard, mut seams, mut was_made_up) = (Vec::new(), Vec::new(), false);
    for pull in 0..voice.len() / PULL {
        let now = Instant::from_millis(10 * pull as u64);
        let n = pull / 2;
        if pull % 2 == 0 && !(n > 20 && n % 25 < lost) {
            let samples = voice[n * PACKET..(n + 1) * PACKET].iter();
            #[expect(clippy::cast_possible_truncation, reason = "within full scale")]
            let payload: Vec<u8> = samples.flat_map(|sample| ((sample * 32_767.0) as i16).to_be_bytes()).collect();
            let (seq, time) = (SeqNum(u16::try_from(n).unwrap()), RtpTime(u32::try_from(n * PACKET).unwrap()));
            let packet = RtpPacket::builder(PayloadType::new(96), seq, time, Ssrc(1)).build(&payload).unwrap();
            playout.insert(now, packet);
        }
        let mut out = [0.0; PULL];
        let made_up = playout.pull(now, AudioMut::mono(&mut out, RATE)).concealed > 0;
        if made_up != was_made_up {
            seams.push(heard.len());
            was_made_up = made_up;
        }
        heard.extend(out);
    }
    (heard, seams)
}

/// The greatest step from sample to sample.
fn step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// The power of what bends most: second differences, which a click has plenty of and a voice little.
fn splatter(samples: &[f32]) -> f64 {
    let bends = samples.windows(3).map(|three| f64::from(three[2] - 2.0 * three[1] + three[0]).powi(2));
    bends.sum::<f64>() / samples.len() as f64
}

/// Around a seam: the pull it is in, and 5 ms to both sides.
fn around(samples: &[f32], seam: usize) -> &[f32] {
    &samples[seam.saturating_sub(240)..(seam + PULL + 240).min(samples.len())]
}

/// A sound, and what is asked of the seams in it.
struct Sound {
    name: &'static str,
    samples: Vec<f32>,
    /// How many packets are lost in a row.
    gaps: &'static [usize],
    /// How much more than the sound itself a seam may step, and bend in dB.
    most: (f32, f64),
}

/// Voices, and tones, which have hardly any bends by themselves. A tone that is lost for longer goes over to noise as a voice does, and
/// is one no more.
fn sounds() -> Vec<Sound> {
    let long = |name, samples: &mut dyn Iterator<Item = f32>| {
        let samples = samples.take(480_000).collect();
        Sound { name, samples, gaps: &[1, 2, 4], most: (1.0, 0.0) }
    };
    let tone = |name, hertz, most| {
        let samples = Sine::new(RATE, hertz, 0.4).take(480_000).collect();
        Sound { name, samples, gaps: &[1], most }
    };
    vec![
        long("speech", &mut Speech::new(RATE, 3)),
        long("other speech", &mut Speech::new(RATE, 8)),
        long("music", &mut Music::new(RATE, 1).map(|[left, _]| left)),
        tone("a low tone", 130.0, (1.3, 6.0)),
        tone("a tone", 437.0, (1.1, 1.0)),
    ]
}

#[test]
fn made_up_audio_begins_and_ends_without_a_click() {
    for Sound { name, samples, gaps, most } in sounds() {
        // The busiest 20 ms of the sound by itself.
        let busiest = samples.chunks(PACKET).map(splatter).fold(0.0, f64::max);
        for lost in gaps {
            let (heard, seams) = with_gaps(&samples, *lost);
            assert!(seams.len() > 30, "{name}: {}", seams.len());
            let pieces = || seams.iter().map(|seam| around(&heard, *seam));
            let steps = pieces().map(step).fold(0.0, f32::max) / step(&samples);
            assert!(steps <= most.0, "{name}, {lost} lost: steps {steps} times as far as the sound itself");
            let bends = 10.0 * (pieces().map(splatter).fold(0.0, f64::max) / busiest).log10();
            assert!(bends <= most.1, "{name}, {lost} lost: {bends} dB over the sound itself");
        }
    }
}
