//! Playing faster or slower to move the delay to its target.

use rtc_core::codec::AudioDecoder;
use rtc_core::time::Instant;

use super::{AudioPlayout, PulledKind};
use crate::arrival::Nanos;
use crate::decide::{Direction, Mode, Warp, is_off, warp};

/// How long play-out keeps a delay that a packet just needed, though it is above the target.
const HOLD: Nanos = 500_000_000;

/// Keeps the changes of speed within their limits.
#[derive(Debug)]
pub(super) struct Pace {
    faster: f32,
    slower: f32,
    /// Samples that may be taken out or put in.
    credit: f32,
    most: f32,
    off_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(faster: f32, slower: f32, most: usize) -> Self {
        let most = most as f32;
        Self { faster, slower, credit: most, most, off_since: None }
    }

    fn lasting(&mut self, now: Instant, excess: Nanos) -> Nanos {
        if !is_off(excess) {
            self.off_since = None;
            return 0;
        }
        now.nanos_since(*self.off_since.get_or_insert(now))
    }

    /// Earns what playing `len` samples allows.
    fn earn(&mut self, len: usize, plan: &Warp) {
        let limit = if plan.direction == Direction::Faster { self.faster } else { self.slower };
        self.credit = (self.credit + len as f32 * limit * plan.effort).min(self.most);
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the longest lag")]
    fn credit(&self) -> usize {
        self.credit.max(0.0) as usize
    }
}

impl<D: AudioDecoder> AudioPlayout<D> {
    /// Takes a piece out or puts one in, if that is wanted and goes unheard; `len` samples remain held.
    pub(super) fn warp(&mut self, now: Instant, len: usize) -> Option<PulledKind> {
        if self.mode != Mode::Playing || len == 0 {
            return None;
        }
        let (slack, target) = (self.slack(now, len), self.intake.target());
        // A stall seldom comes alone: what it cost is not given back at once.
        let goal = target.max(self.intake.arrival().peak(now, HOLD));
        let excess = if slack < target { slack - target } else { self.delay_at(now, self.heard_next()) - goal };
        let lasting = self.pace.lasting(now, excess);
        let plan = warp(excess, lasting).filter(|plan| plan.direction == Direction::Faster || slack < target)?;
        self.pace.earn(len, &plan);
        let jump = match plan.direction {
            Direction::Faster => self.cut_out(now, len, goal, &plan)?,
            Direction::Slower => self.repeat(now, len, &plan)?,
        };
        self.held.splice(jump, self.stretch.overlap());
        let samples = jump.unsigned_abs() as u64;
        Some(match plan.direction {
            Direction::Faster => {
                self.stats.removed_samples_for_acceleration += samples;
                PulledKind::Accelerated
            }
            Direction::Slower => {
                self.stats.inserted_samples_for_deceleration += samples;
                PulledKind::Stretched
            }
        })
    }

    /// The delay with which the next packet will be needed, if pulls go on like this one.
    ///
    /// Packets are needed at pulls, so it is less than the delay by the samples that the pull before that leaves over:
    ///
    /// ```text
    /// held     |--------------------|----| position: the next packet begins here
    /// pulls    |----len---|---len---|----------|
    ///                               ^ the next packet is needed
    ///                               |----| left over
    /// ```
    fn slack(&self, now: Instant, len: usize) -> Nanos {
        let whole = self.held.pending() - self.left_over(len);
        self.delay_at(now + self.format.rate.duration_of(whole as u64), self.position)
    }

    fn left_over(&self, len: usize) -> usize {
        self.held.pending() % len
    }

    fn cut_out(&mut self, now: Instant, len: usize, goal: Nanos, plan: &Warp) -> Option<isize> {
        let overlap = self.stretch.overlap();
        self.decode_ahead(now, self.stretch.most() + len.max(overlap));
        // What is left over can go for nothing; beyond it the next packet is needed a whole pull earlier.
        let pulls = self.samples_in(self.slack(now, len).saturating_sub(goal)) / len;
        let most = self.held.pending().checked_sub(len.max(overlap))?.min(self.stretch.most());
        let most = match self.left_over(len) + pulls * len {
            whole if whole > most => most - (most - self.left_over(len).min(most)) % len,
            whole => whole,
        };
        if most < self.stretch.least() {
            return None;
        }
        let (audio, at) = self.held.around();
        if self.level.is_quiet(audio.slice(at, most + overlap)) {
            return Some(most.cast_signed());
        }
        let cut = self.stretch.find_later(audio, at, most.min(self.pace.credit()))?;
        self.accept(cut.jump, cut.likeness, plan)
    }

    fn repeat(&mut self, now: Instant, len: usize, plan: &Warp) -> Option<isize> {
        let overlap = self.stretch.overlap();
        self.decode_ahead(now, overlap);
        let (audio, at) = self.held.around();
        if self.held.pending() < overlap || at < self.stretch.most() {
            return None;
        }
        let pulls = self.samples_in(plan.distance).div_ceil(len);
        let quiet = (pulls * len - self.left_over(len)).clamp(self.stretch.least(), self.stretch.most());
        if self.level.is_quiet(audio.slice(at - quiet, quiet + overlap)) {
            return Some(-quiet.cast_signed());
        }
        let cut = self.stretch.find_earlier(audio, at, self.pace.credit())?;
        self.accept(cut.jump, cut.likeness, plan)
    }

    fn accept(&mut self, jump: isize, likeness: f32, plan: &Warp) -> Option<isize> {
        plan.likeness.filter(|least| likeness >= *least)?;
        self.pace.credit -= jump.unsigned_abs() as f32;
        Some(jump)
    }

    fn samples_in(&self, time: Nanos) -> usize {
        usize::try_from(self.format.rate.ticks_in(super::duration(time))).unwrap_or(usize::MAX)
    }
}
