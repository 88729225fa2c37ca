//! Losses in bursts: what redundancy a sliding window needs where blocks need more.
//!
//! Video as in M. Rudow and others, *Tambur: efficient loss recovery for videoconferencing via streaming codes*, NSDI 2023: 30
//! frames a second of several packets each, sent one after the other, and after each frame the repair packets that are due.
//! Nothing is told back. A frame is of use if all of its packets are there when the third frame after it has arrived: 133 ms
//! after it was begun, of the 150 ms that a conversation allows. Packets of media and of repair are lost alike, in Gilbert's
//! model. For each code the least redundancy is searched with which no more frames than allowed are of no use.
//!
//! Tambur's gain, "the bandwidth used for redundancy by 35 % compared to the baseline" (abstract), is over Reed-Solomon blocks
//! of one frame each, sent with it: the evaluation that its authors published (github.com/Thesys-lab/tambur, `src/plot`) names
//! that code `Block-Within` (`plot_common.py`: `baseline = "ReedSolomonMultiFrame_0"`, with a delay of no frames) and divides by
//! its redundancy (`bandwidth_non_recoverable_frames.py`). Blocks of four frames, `Block-Multi`, and what else blocks can be
//! within the deadline are shown beside it without a verdict.
//!
//! Blocks are ideal: a block comes back when as many of its packets arrived, repair packets included, as it has of media.
//! Their repair packets all follow the last frame of the block, or are spread over the frames up to the deadline of the first.
//! The bound is what no systematic code can do better than that sends as many repair packets after
//! each frame.

use indicatif::ProgressBar;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::metrics::median;
use rtc_core::testkit::rng::Rng;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::rlc::{MAX_WINDOW, RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};

use super::bounds;
use super::method::MEDIA;
use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

/// Frames a frame may wait for.
const WAIT: usize = 3;
/// Frames of a run: five minutes.
const FRAMES: usize = 9_000;
/// Packets of a frame, at least and at most, alike likely.
const PACKETS: (usize, usize) = (4, 12);
/// Packets lost in a row, on average.
const BURST: f64 = 8.0;
/// Percent of packets lost.
const LOSSES: [u32; 3] = [2, 5, 10];
/// The part of frames that may be of no use.
const ALLOWED: f64 = 0.01;
/// The most redundancy that is searched, in percent.
const MOST: u32 = 400;

const REDUNDANCY: Metric = Metric("redundancy", "% of media packets");
const LESS_THAN_FRAMES: Metric = Metric("less than a block for each frame, sent within it (Tambur's baseline)", "%");
const LESS_THAN_BEST: Metric = Metric("less than ideal blocks of the best length and spread", "%");

/// Frames in a block, and whether its repair packets are spread.
#[derive(Debug, Clone, Copy)]
struct Layout {
    frames: usize,
    spread: bool,
}

/// A block for each frame, one for each window of frames, and what else blocks can be within the deadline.
const LAYOUTS: [(&str, Layout); 7] = [
    ("blocks of 1 frame", Layout { frames: 1, spread: false }),
    ("blocks of 1 frame, spread", Layout { frames: 1, spread: true }),
    ("blocks of 2 frames", Layout { frames: 2, spread: false }),
    ("blocks of 2 frames, spread", Layout { frames: 2, spread: true }),
    ("blocks of 3 frames", Layout { frames: 3, spread: false }),
    ("blocks of 3 frames, spread", Layout { frames: 3, spread: true }),
    ("blocks of 4 frames", Layout { frames: WAIT + 1, spread: false }),
];

pub(super) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    for percent in LOSSES {
        let scenario = format!("burst8-{percent} open loop");
        if !options.wants_scenario(&scenario) {
            continue;
        }
        let input = format!(
            "{} min of 30 frames a second of {} to {} packets, {percent} % lost in runs of {BURST} on average, deadline {WAIT} frames, {} % of frames of no use",
            FRAMES / 1_800,
            PACKETS.0,
            PACKETS.1,
            100.0 * ALLOWED
        );
        bar.set_message(scenario.clone());
        let setting = Setting { scenario, input, seeds: options.seeds };
        if let Err(error) = add(&setting, f64::from(percent) / 100.0, report) {
            bar.suspend(|| eprintln!("{}: {error}", setting.scenario));
        }
    }
}

fn add(setting: &Setting, loss: f64, report: &mut Report) -> Result<(), ConfigError> {
    let needed = |code: &dyn Fn(f64, u64) -> Result<f64, ConfigError>| -> Result<f64, ConfigError> {
        let mut needed = Vec::new();
        for seed in 0..setting.seeds {
            needed.push(least(|redundancy| code(redundancy, seed))?);
        }
        Ok(median(&mut needed))
    };
    let ours = needed(&|redundancy, seed| sliding(loss, redundancy, seed))?;
    let mut rows = Vec::new();
    for (name, layout) in LAYOUTS {
        rows.push((name, needed(&|redundancy, seed| Ok(blocks(layout, loss, redundancy, seed)))?));
    }
    let best = rows.iter().map(|(_, blocks)| *blocks).fold(f64::INFINITY, f64::min);
    report.add(setting, "ours-rlc", REDUNDANCY, 100.0 * ours);
    let less = |blocks: f64| 100.0 * (1.0 - ours / blocks);
    let target = Some(Target::AtLeast(35.0));
    report.add_judged(setting, "ours-rlc", LESS_THAN_FRAMES, less(rows[0].1), target);
    report.add(setting, "ours-rlc", LESS_THAN_BEST, less(best));
    for (name, blocks) in rows {
        report.add(setting, name, REDUNDANCY, 100.0 * blocks);
    }
    let bound = needed(&|redundancy, seed| Ok(least_unusable(loss, redundancy, seed)))?;
    report.add(setting, "bound", REDUNDANCY, 100.0 * bound);
    Ok(())
}

/// The least redundancy with which frames of no use are no more than allowed, to one percent.
fn least(mut unusable: impl FnMut(f64) -> Result<f64, ConfigError>) -> Result<f64, ConfigError> {
    let (mut low, mut high) = (0, MOST);
    while low < high {
        let middle = low.midpoint(high);
        if unusable(f64::from(middle) / 100.0)? <= ALLOWED {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(if low == MOST { f64::NAN } else { f64::from(low) / 100.0 })
}

/// A path with Gilbert's two states.
struct Gilbert {
    rng: Rng,
    enter: f64,
    lossy: bool,
}

impl Gilbert {
    fn new(loss: f64, seed: u64) -> Self {
        Self { rng: Rng::new(seed), enter: loss / (BURST * (1.0 - loss)), lossy: false }
    }

    fn arrives(&mut self) -> bool {
        self.lossy = self.rng.bool(if self.lossy { 1.0 - 1.0 / BURST } else { self.enter });
        !self.lossy
    }
}

/// Packets of each frame.
fn sizes(seed: u64) -> impl Iterator<Item = usize> {
    let mut rng = Rng::new(seed + 1_000_000);
    let (least, most) = PACKETS;
    core::iter::repeat_with(move || least + usize::try_from(rng.below((most - least + 1) as u64)).unwrap_or(0))
        .take(FRAMES)
}

/// The part of frames of no use with ideal blocks.
fn blocks(layout: Layout, loss: f64, redundancy: f64, seed: u64) -> f64 {
    let (mut path, mut due, mut unusable) = (Gilbert::new(loss, seed), 0.0, 0);
    let sizes: Vec<usize> = sizes(seed).collect();
    // By block: packets of media that arrived or have yet to, repair packets left to send, and those that arrived.
    let count = FRAMES.div_ceil(layout.frames);
    let (mut source, mut left, mut whole) = (vec![0; count], vec![0_usize; count], vec![true; FRAMES]);
    let mut arrived = vec![0; count];
    let slots = if layout.spread { WAIT + 2 - layout.frames } else { 1 };
    for (frame, size) in sizes.iter().enumerate() {
        let block = frame / layout.frames;
        for _ in 0..*size {
            let arrives = path.arrives();
            source[block] += 1;
            arrived[block] += usize::from(arrives);
            whole[frame] &= arrives;
        }
        if frame % layout.frames == layout.frames - 1 {
            due += redundancy * source[block] as f64;
            left[block] = whole_part(&mut due);
        }
        // Blocks that ended up to so many frames ago, an equal part of what is left in each frame.
        for back in (0..slots).rev() {
            let Some(end) = frame.checked_sub(back).filter(|end| end % layout.frames == layout.frames - 1) else {
                continue;
            };
            let block = end / layout.frames;
            let now = left[block].div_ceil(slots - back);
            left[block] -= now;
            arrived[block] += (0..now).filter(|_| path.arrives()).count();
        }
        if let Some(over) = frame.checked_sub(WAIT) {
            let block = over / layout.frames;
            unusable += u32::from(!whole[over] && arrived[block] < source[block]);
        }
    }
    f64::from(unusable) / FRAMES as f64
}

/// The part of frames of no use with our code, its window that of the frames that may still be of use.
fn sliding(loss: f64, redundancy: f64, seed: u64) -> Result<f64, ConfigError> {
    let mut path = Gilbert::new(loss, seed);
    let mut config = RlcEncoderConfig::default();
    (config.window, config.overhead) = (MAX_WINDOW, redundancy);
    let (mut encoder, mut decoder) = (RlcEncoder::new(config)?, RlcDecoder::new(RlcDecoderConfig::default())?);
    debug_assert!((WAIT + 1) * PACKETS.1 <= MAX_WINDOW);
    // Of each frame its first number, and how many of its packets are missing.
    let (mut firsts, mut missing) = (Vec::with_capacity(FRAMES), Vec::<usize>::with_capacity(FRAMES));
    let (mut seq, mut unusable) = (SeqNum(65_000), 0);
    for (frame, size) in sizes(seed).enumerate() {
        firsts.push(seq);
        missing.push(0);
        if let Some(over) = frame.checked_sub(WAIT + 1) {
            encoder.release(firsts[over + 1] - 1);
            decoder.give_up(firsts[over + 1] - 1);
        }
        for _ in 0..size {
            let packet = RtpPacket::builder(MEDIA, seq, RtpTime(0), Ssrc(7)).build(&seq.0.to_be_bytes())?;
            encoder.protect(&packet);
            if path.arrives() {
                decoder.insert_source(&packet);
            } else {
                missing[frame] += 1;
            }
            seq = seq.next();
        }
        while let Some(repair) = encoder.poll_repair() {
            debug_assert_eq!(repair.payload_type(), PayloadType::new(126));
            if path.arrives() {
                let _ = decoder.insert_repair(&repair);
            }
        }
        while let Some(packet) = decoder.poll_recovered() {
            let of = (0..=frame).rev().find(|of| packet.seq().distance_from(firsts[*of]) >= 0);
            of.into_iter().for_each(|of| missing[of] -= 1);
        }
        if let Some(over) = frame.checked_sub(WAIT) {
            unusable += u32::from(missing[over] > 0);
        }
    }
    Ok(f64::from(unusable) / FRAMES as f64)
}

/// The part of frames that are of no use with any systematic code and so many repair packets after each frame.
///
/// Suppose that all other media were known. What is missing of the frames in a row that come back has to be in the repair
/// packets that arrive from the first of these frames to the deadline of the last, a packet in each at most. In numbers of repair
/// packets arrived, that is a machine: each frame is a job as long as it has packets missing, that comes when the frame does and
/// is due at its deadline.
fn least_unusable(loss: f64, redundancy: f64, seed: u64) -> f64 {
    let (mut path, mut due) = (Gilbert::new(loss, seed), 0.0);
    // By frame: packets missing; repair packets that arrived up to its media.
    let (mut missing, mut repairs) = (Vec::with_capacity(FRAMES), vec![0]);
    for size in sizes(seed) {
        missing.push((0..size).filter(|_| !path.arrives()).count());
        due += redundancy * size as f64;
        let arrived = (0..whole_part(&mut due)).filter(|_| path.arrives()).count();
        repairs.push(repairs[repairs.len() - 1] + arrived);
    }
    let job = |frame: usize| (repairs[frame], repairs[frame + WAIT + 1], missing[frame]);
    bounds::jobs_late((0..FRAMES - WAIT).map(job)) as f64 / FRAMES as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few packets")]
fn whole_part(due: &mut f64) -> usize {
    let whole = due.floor();
    *due -= whole;
    whole as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every frame with a loss is of no use without redundancy, and few are with as much again.
    #[test]
    fn redundancy_saves_frames() {
        let layout = LAYOUTS[0].1;
        let none = blocks(layout, 0.05, 0.0, 1);
        assert_eq!(none, sliding(0.05, 0.0, 1).unwrap());
        assert!((0.05..0.15).contains(&none), "{none}");
        assert!(sliding(0.05, 1.0, 1).unwrap() < ALLOWED);
        assert!(blocks(LAYOUTS[6].1, 0.05, 1.0, 1) < ALLOWED);
        assert_eq!(blocks(layout, 0.0, 0.0, 1), 0.0);
    }

    #[test]
    fn nothing_is_better_than_the_bound() {
        assert_eq!(least_unusable(0.05, 0.0, 1), sliding(0.05, 0.0, 1).unwrap());
        for redundancy in [0.2, 0.5, 1.0] {
            let bound = least_unusable(0.05, redundancy, 1);
            assert!(bound <= sliding(0.05, redundancy, 1).unwrap(), "{redundancy}: {bound}");
        }
    }

    #[test]
    fn losses_are_as_many_and_in_a_row_as_said() {
        let mut path = Gilbert::new(0.1, 3);
        let arrivals: Vec<bool> = (0..400_000).map(|_| path.arrives()).collect();
        let lost = arrivals.iter().filter(|arrives| !**arrives).count() as f64;
        let bursts = arrivals.windows(2).filter(|pair| pair[0] && !pair[1]).count() as f64;
        assert!((lost / 400_000.0 - 0.1).abs() < 0.01 && (lost / bursts - BURST).abs() < 0.5, "{lost} {bursts}");
    }
}
