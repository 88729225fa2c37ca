//! Gaps that packets behind them know about.

use super::*;

/// L16 behind a header: where the packet's audio begins in [`voice`], and from where to where before it the packet knows it.
#[derive(Debug)]
struct Knowing {
    pcm: PcmDecoder,
    /// (offset, samples) of what was asked for and had.
    had: Vec<(usize, usize)>,
}

const HEADER: usize = 12;

impl Knowing {
    fn header(payload: &[u8]) -> Option<[usize; 3]> {
        let word = |at: usize| payload.get(at..at + 4)?.try_into().ok().map(|word| u32::from_be_bytes(word) as usize);
        Some([word(0)?, word(4)?, word(8)?])
    }
}

impl AudioDecoder for Knowing {
    fn format(&self) -> AudioFormat {
        self.pcm.format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        self.pcm.decode(&payload[HEADER..], out)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        self.pcm.conceal(out)
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, mut out: AudioMut<'_>) -> Option<usize> {
        let [begins, least, most] = Self::header(payload)?;
        if offset <= least || offset > most {
            return None;
        }
        let len = out.samples().min(offset - least);
        let said = voice(begins);
        let known = &said[begins - offset..][..len];
        self.had.push((offset, len));
        Some(out.copy_from(AudioRef::mono(known, Frequency::KHZ_8)))
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.pcm.samples_in(payload.get(HEADER..)?)
    }
}

/// Packet `n`, which knows the audio from `least` to `most` packets before it.
fn knows(n: usize, least: usize, most: usize) -> RtpPacket {
    let words = [n, least, most].map(|count| u32::try_from(count * PTIME).unwrap().to_be_bytes());
    packet(n, &[words.concat(), payload(&voice((n + 1) * PTIME)[n * PTIME..])].concat())
}

/// Play-out with so much delay.
fn late_playout(delay: u64) -> AudioPlayout<Knowing> {
    let mut config = config();
    let delay = Duration::from_millis(delay);
    (config.jitter.delay.min_delay, config.jitter.delay.max_delay) = (delay, delay);
    config.jitter.delay.start_delay = delay;
    AudioPlayout::new(config, Knowing { pcm: pcm(MONO), had: Vec::new() }).unwrap()
}

/// Plays packets that know so much of what was before them, of which those in `lost` do not come, 120 ms late.
fn play_without(
    lost: core::ops::Range<usize>,
    knows: impl Fn(usize) -> RtpPacket,
) -> (Vec<Pulled>, Vec<f32>, AudioPlayout<Knowing>) {
    let mut playout = late_playout(120);
    let arrivals: Vec<_> = (0..40).filter(|n| !lost.contains(n)).map(|n| (n * 20, knows(n))).collect();
    let (pulls, heard) = run(&mut playout, 0, 800, &arrivals);
    (pulls, heard, playout)
}

/// What is heard from `from` ms to `to` ms of what was said.
fn is_as_said(heard: &[f32], from: usize, to: usize) -> bool {
    heard[(120 + from) * 8..(120 + to) * 8] == voice(to * 8)[from * 8..]
}

#[test]
fn a_burst_is_had_from_one_packet_piece_by_piece() {
    let (pulls, heard, playout) = play_without(10..15, |n| knows(n, 0, 5));
    assert!(is_as_said(&heard, 5, 600));
    assert_eq!(kinds(&pulls)[32..42], [PulledKind::Redundant; 10]);
    let stats = playout.stats();
    assert_eq!((stats.samples_redundant, stats.concealed_samples), (5 * PTIME as u64, 0));
    // Oldest first, each once.
    assert_eq!(playout.decoders[0].1.had, [5, 4, 3, 2, 1].map(|packets| (packets * PTIME, PTIME)));
}

#[test]
fn what_is_beyond_the_span_is_made_up_and_the_rest_is_not() {
    let (pulls, heard, playout) = play_without(10..15, |n| knows(n, 0, 3));
    assert_eq!(kinds(&pulls)[32..42], [[PulledKind::Concealed; 4].as_slice(), &[PulledKind::Redundant; 6]].concat());
    assert!(is_as_said(&heard, 245, 600), "5 ms after the copies took over");
    assert_eq!((playout.stats().samples_redundant, playout.stats().concealed_samples), (480, 320));
}

#[test]
fn the_nearest_packet_that_knows_is_asked() {
    // Packet 15 knows nothing, 16 all.
    let (_, heard, playout) = play_without(10..15, |n| knows(n, 0, if n == 15 { 0 } else { 6 }));
    assert!(is_as_said(&heard, 5, 600));
    assert_eq!(playout.decoders[0].1.had, [6, 5, 4, 3, 2].map(|packets| (packets * PTIME, PTIME)));
    // Each knows only what is two packets before it, or farther.
    let (_, heard, playout) = play_without(10..12, |n| knows(n, 1, 4));
    assert!(is_as_said(&heard, 5, 600));
    assert_eq!(playout.decoders[0].1.had, [(2 * PTIME, PTIME), (2 * PTIME, PTIME)]);
}

#[test]
fn half_a_frame_made_up_leaves_half_a_copy_and_whole_ones() {
    let mut playout = late_playout(20);
    // Packets 10 and 11 are lost; 12 comes 10 ms after 10 was needed.
    let mut arrivals: Vec<_> = (0..40).filter(|n| ![10, 11].contains(n)).map(|n| (n * 20, knows(n, 0, 3))).collect();
    arrivals[10].0 = 230;
    let (pulls, heard) = run(&mut playout, 0, 700, &arrivals);
    assert_eq!(kinds(&pulls)[22..26], [[PulledKind::Concealed].as_slice(), &[PulledKind::Redundant; 3]].concat());
    assert_eq!(playout.decoders[0].1.had, [(240, 80), (160, 160)], "the last frame whole");
    assert_eq!(heard[(20 + 215) * 8..(20 + 600) * 8], voice(600 * 8)[215 * 8..]);
}

#[test]
fn after_a_long_silence_what_is_still_wanted_comes_back() {
    // 400 ms are lost: made up for 240 ms, then silence, then the last 120 ms are known from packet 30.
    let (pulls, heard, playout) = play_without(10..30, |n| knows(n, 0, 10));
    let kinds = kinds(&pulls);
    assert_eq!(kinds[32 + 24..32 + 28], [PulledKind::Silence; 4]);
    assert_eq!(kinds[32 + 28..32 + 40], [PulledKind::Redundant; 12]);
    assert!(is_as_said(&heard, 485, 650));
    let stats = playout.stats();
    assert_eq!((stats.samples_redundant, stats.concealed_samples), (960, 280 * 8));
    let fade = &heard[(120 + 480) * 8..(120 + 485) * 8];
    let step = |samples: &[f32]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step(fade) < 2.0 * step(&voice(800)), "it fades in");
}

#[test]
fn the_original_is_better_than_a_copy_that_waits() {
    let mut playout = playout();
    let coarse = |n: usize| {
        let samples: Vec<f32> = voice((n + 1) * PTIME)[n * PTIME..].iter().map(|sample| 0.5 * sample).collect();
        packet(n, &payload(&samples))
    };
    playout.insert(at(0), said(0));
    for n in 1..5 {
        assert_eq!(playout.insert_repaired(at(0), coarse(n)), Inserted::Accepted);
        assert_eq!(playout.insert(at(1), said(n)), Inserted::Duplicate);
        assert_eq!(playout.insert_repaired(at(2), coarse(n)), Inserted::Duplicate);
    }
    let (_, heard) = run(&mut playout, 20, 100, &[]);
    assert_eq!(heard[40..], voice(640)[40..]);
    assert_eq!(playout.stats().packets.packets_duplicate, 8);
}
