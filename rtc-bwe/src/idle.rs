//! Whether the application sends less than it may: then neither delay nor loss says how much more the path would carry.

use rtc_core::time::Instant;

/// Share of the target that counts as using it.
const USE: f64 = 0.65;
/// The unused budget of this time in seconds is remembered.
const WINDOW: f64 = 0.5;
/// Idle from this share of the window on ...
const START: f64 = 0.8;
/// ... until no more than this is left.
const STOP: f64 = 0.5;

/// A budget that fills at a share of the target and is spent by what is sent.
#[derive(Debug)]
pub(crate) struct Idle {
    /// What is unspent, in seconds of the budget.
    unspent: f64,
    updated: Option<Instant>,
    is_idle: bool,
    /// What the application says that it produces, in b/s.
    produced: Option<f64>,
}

impl Idle {
    pub(crate) const fn new() -> Self {
        Self { unspent: 0.0, updated: None, is_idle: false, produced: None }
    }

    /// Takes a packet of `bits` that left while the target was `target` b/s.
    pub(crate) fn on_sent(&mut self, at: Instant, bits: f64, target: f64) {
        let updated = self.updated.replace(at).unwrap_or(at);
        let passed = (at - updated).as_secs_f64();
        self.unspent = (self.unspent + passed - bits / (USE * target)).clamp(-WINDOW, WINDOW);
        if self.unspent > START * WINDOW {
            self.is_idle = true;
        } else if self.unspent < STOP * WINDOW {
            self.is_idle = false;
        }
    }

    /// What the application produces in b/s, which is better known to it than from what it sends.
    pub(crate) const fn set_produced(&mut self, produced: Option<f64>) {
        self.produced = produced;
    }

    /// Whether less than `target` b/s is used.
    pub(crate) fn is_idle(&self, target: f64) -> bool {
        self.produced.map_or(self.is_idle, |produced| produced < USE * target)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    /// Sends at a share of the target for a while.
    fn send(idle: &mut Idle, now: &mut Instant, share: f64, packets: u32) {
        for _ in 0..packets {
            *now += Duration::from_millis(10);
            idle.on_sent(*now, share * 10e3, 1e6);
        }
    }

    #[test]
    fn less_than_two_thirds_of_the_target_is_idle_after_a_while() {
        let (mut idle, mut now) = (Idle::new(), Instant::ZERO);
        send(&mut idle, &mut now, 1.0, 100);
        assert!(!idle.is_idle(1e6));
        send(&mut idle, &mut now, 0.3, 300);
        assert!(idle.is_idle(1e6));
        send(&mut idle, &mut now, 0.9, 100);
        assert!(!idle.is_idle(1e6));
        send(&mut idle, &mut now, 0.7, 1_000);
        assert!(!idle.is_idle(1e6), "most of the target is used");
    }

    #[test]
    fn what_the_application_says_counts() {
        let (mut idle, mut now) = (Idle::new(), Instant::ZERO);
        idle.set_produced(Some(0.9e6));
        send(&mut idle, &mut now, 0.1, 100);
        assert!(!idle.is_idle(1e6));
        idle.set_produced(Some(0.1e6));
        assert!(idle.is_idle(1e6));
    }

    #[test]
    fn a_pause_is_idle() {
        let mut idle = Idle::new();
        idle.on_sent(Instant::from_millis(0), 8e3, 1e6);
        idle.on_sent(Instant::from_millis(1_000), 8e3, 1e6);
        assert!(idle.is_idle(1e6));
    }
}
