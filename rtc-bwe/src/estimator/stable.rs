//! The part of the rate that lasts.

use rtc_core::time::Instant;

/// What grew is taken to last after about this many seconds.
const TRUST: f64 = 5.0;

/// Falls with the rate at once and follows its growth slowly.
#[derive(Debug)]
pub(super) struct Stable {
    rate: f64,
    updated: Option<Instant>,
}

impl Stable {
    pub(super) const fn new(rate: f64) -> Self {
        Self { rate, updated: None }
    }

    /// Takes the rate in b/s, short dips left out.
    pub(super) fn update(&mut self, now: Instant, rate: f64) {
        let updated = self.updated.replace(now).unwrap_or(now);
        let trusted = ((now - updated).as_secs_f64() / TRUST).min(1.0);
        self.rate = if rate < self.rate { rate } else { trusted.mul_add(rate - self.rate, self.rate) };
    }

    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_at_once_and_grows_slowly() {
        let mut stable = Stable::new(1e6);
        let mut update = |millis: u64, rate: f64| {
            stable.update(Instant::from_millis(millis), rate);
            stable.rate()
        };
        assert_eq!(update(0, 2e6), 1e6);
        assert_eq!(update(1_000, 2e6), 1.2e6);
        assert_eq!(update(1_100, 0.5e6), 0.5e6);
        assert!(update(2_000, 2e6) < 0.8e6);
        (3..30).for_each(|second| {
            update(1_000 * second, 2e6);
        });
        assert!(update(30_000, 2e6) > 1.99e6);
    }
}
