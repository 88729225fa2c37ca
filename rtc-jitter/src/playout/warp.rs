//! Playing faster or slower to move the delay to its target.

use core::ops::RangeInclusive;

use rtc_core::codec::AudioDecoder;
use rtc_core::time::Instant;

use super::{AudioPlayout, PulledKind};
use crate::arrival::Nanos;
use crate::decide::{Direction, Mode, Warp, warp};
use crate::stretch::{Cut, is_transient};

/// How long play-out keeps a delay that one of the last few packets needed, though it is above the target: five packets of 60 ms.
const HOLD: Nanos = 300_000_000;

/// Devices often ask for several pulls at once, then for none: what counts is the least slack within this or twice this.
const BURST: Nanos = 60_000_000;

/// Part of the best likeness of late that makes a cut good enough.
const GOOD: f32 = 0.9;
/// Seconds after which tones may be cut where they are not alike, if they are not alike anywhere: a flaw each 2 s is no flutter.
const PATIENCE: f32 = 2.0;
/// Likeness forgotten per second of searching.
const FORGETTING: f32 = 0.5;

/// Keeps the changes of speed within their limits.
#[derive(Debug)]
pub(super) struct Pace {
    faster: f32,
    slower: f32,
    /// Samples taken out or put in that playing on has not made up for yet.
    debt: f32,
    /// The best likeness found of late: noise has none to wait for.
    best: f32,
    /// Seconds for which tones were spared.
    spared: f32,
    /// The least slack of this time and of the time before, and when this began.
    least: [Nanos; 2],
    began: Option<Instant>,
}

impl Pace {
    pub(super) fn new(faster: f32, slower: f32) -> Self {
        Self { faster, slower, debt: 0.0, best: 1.0, spared: 0.0, least: [Nanos::MAX; 2], began: None }
    }

    /// By how much the slack of this pull exceeds the least of late, for no other reason than when the device asks.
    fn unevenness(&mut self, now: Instant, slack: Nanos) -> Nanos {
        let began = *self.began.get_or_insert(now);
        if now.nanos_since(began) >= BURST {
            (self.least, self.began) = ([Nanos::MAX, self.least[0]], Some(now));
        }
        self.least[0] = self.least[0].min(slack);
        slack.saturating_sub(self.least[0].min(self.least[1]))
    }

    /// Any slack of late would now be this different.
    fn shift(&mut self, change: Nanos) {
        self.least = self.least.map(|least| least.saturating_add(change));
    }

    /// Forgets the slack there was: play-out was interrupted.
    fn restart(&mut self) {
        (self.least, self.began) = ([Nanos::MAX; 2], None);
    }

    /// Whether a cut is good enough, which one as good as any of late is.
    fn accepts(&mut self, likeness: f32, plan: &Warp, time: f32) -> bool {
        self.best = likeness.max(self.best - FORGETTING * time);
        plan.likeness.is_some_and(|least| likeness >= least.min(GOOD * self.best))
    }

    /// Whether tones are left alone for `time` more.
    fn spares(&mut self, time: f32) -> bool {
        self.spared += time;
        if self.spared < PATIENCE {
            return true;
        }
        self.spared = 0.0;
        false
    }

    /// Pays off what playing `len` samples allows; says whether there may be another cut.
    fn allows(&mut self, len: usize, plan: &Warp) -> bool {
        let limit = if plan.direction == Direction::Faster { self.faster } else { self.slower };
        let payment = len as f32 * limit * plan.effort;
        // What a cut comes too late by counts for the next.
        self.debt = (self.debt - payment).max(-payment);
        limit > 0.0 && self.debt <= 0.0
    }
}

impl<D: AudioDecoder> AudioPlayout<D> {
    /// Takes a piece out or puts one in, if that is wanted and goes unheard; `len` samples remain held.
    pub(super) fn warp(&mut self, now: Instant, len: usize) -> Option<PulledKind> {
        if self.mode != Mode::Playing || !self.started || len == 0 {
            self.pace.restart();
            return None;
        }
        let (slack, target) = (self.slack(now, len, self.pending()), self.intake.target());
        let uneven = self.pace.unevenness(now, slack);
        // What a packet needed is not given back before the next one is here.
        let goal = target.max(self.intake.arrival().peak(now, HOLD)).saturating_add(uneven);
        let target = target.saturating_add(uneven);
        let heard = self.delay_at(now, self.heard_next());
        let excess = if slack < target { slack.saturating_sub(target) } else { heard.saturating_sub(goal) };
        let plan = warp(excess).filter(|plan| plan.direction == Direction::Faster || slack < target)?;
        let affordable = self.pace.allows(len, &plan);
        let jump = match plan.direction {
            Direction::Faster => self.cut_out(now, len, goal, affordable, &plan)?,
            Direction::Slower => self.repeat(now, len, target, affordable, &plan)?,
        };
        let (audio, at) = self.held.around();
        let from = if jump > 0 { at } else { at - jump.unsigned_abs().min(at) };
        if is_transient(audio, from, jump.unsigned_abs() + self.stretch.overlap()) {
            return None;
        }
        let before = self.slack(now, len, self.pending());
        self.held.splice(jump, self.stretch.overlap());
        self.pace.shift(self.slack(now, len, self.pending()).saturating_sub(before));
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

    /// The delay with which the next packets will be needed if `pending` samples are held and pulls go on like this one.
    ///
    /// It is less than the delay of what is heard, because a pull that lacks one sample needs all its packets:
    ///
    /// ```text
    /// held    |------------------------| position
    /// packets                          |--ptime-|--ptime-|--ptime-|
    /// pulls   |---len---|---len---|---len---|
    ///                             ^ now the two packets that reach into this pull are needed
    /// ```
    ///
    /// Where pulls take a fraction of a sample more or less, packets begin at another place of a pull each time: then it is the least
    /// that can be.
    fn slack(&self, now: Instant, len: usize, pending: usize) -> Nanos {
        if !self.resampler.copies() {
            let needed = now + self.format.rate.duration_of(pending as u64);
            return self.delay_at(needed, self.position).saturating_sub(self.time(len as i64));
        }
        let left_over = pending % len;
        let behind = (len - left_over - 1) / self.ptime * self.ptime;
        let needed = now + self.format.rate.duration_of((pending - left_over) as u64);
        self.delay_at(needed, self.position + behind as i64)
    }

    /// How many samples to take out.
    fn cut_out(&mut self, now: Instant, len: usize, goal: Nanos, affordable: bool, plan: &Warp) -> Option<isize> {
        let overlap = self.stretch.overlap();
        self.decode_ahead(now, self.stretch.most() + len.max(overlap));
        let pending = self.pending();
        let most = pending.checked_sub(len.max(overlap))?.min(self.stretch.most());
        let most = last_where(self.stretch.least()..=most, |jump| self.slack(now, len, pending - jump) >= goal)?;
        let (audio, at) = self.held.around();
        if self.level.is_quiet(audio.slice(at, most + overlap)) {
            return Some(most.cast_signed());
        }
        let cut = if affordable { self.stretch.find_later(audio, at, most)? } else { return None };
        self.accept(len, cut, plan)
    }

    /// How many samples to go back, as a negative number.
    fn repeat(&mut self, now: Instant, len: usize, target: Nanos, affordable: bool, plan: &Warp) -> Option<isize> {
        let overlap = self.stretch.overlap();
        self.decode_ahead(now, overlap);
        let pending = self.pending();
        let (audio, at) = self.held.around();
        if pending < overlap || at < self.stretch.most() {
            return None;
        }
        let lags = self.stretch.least()..=self.stretch.most();
        let short = last_where(lags, |jump| self.slack(now, len, pending + jump) < target);
        let quiet = match short {
            Some(short) => (short + 1).min(self.stretch.most()),
            None => self.stretch.least(),
        };
        if self.level.is_quiet(audio.slice(at - quiet, quiet + overlap)) {
            return Some(-quiet.cast_signed());
        }
        let cut = if affordable { self.stretch.find_earlier(audio, at, usize::MAX)? } else { return None };
        self.accept(len, cut, plan)
    }

    fn accept(&mut self, len: usize, cut: Cut, plan: &Warp) -> Option<isize> {
        let time = len as f32 / self.format.rate.as_hz() as f32;
        if !self.pace.accepts(cut.likeness, plan, time) {
            return None;
        }
        if cut.likeness < plan.tonal && self.stretch.is_tonal() && self.pace.spares(time) {
            return None;
        }
        self.pace.debt += cut.jump.unsigned_abs() as f32;
        Some(cut.jump)
    }
}

/// The last of `jumps` that `holds`, which must hold for all before it.
fn last_where(jumps: RangeInclusive<usize>, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut from, mut to) = (*jumps.start(), *jumps.end());
    if from > to || !holds(from) {
        return None;
    }
    while from < to {
        let middle = from + (to - from).div_ceil(2);
        if holds(middle) { from = middle } else { to = middle - 1 }
    }
    Some(from)
}
