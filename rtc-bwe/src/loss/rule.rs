//! The loss rule of draft-ietf-rmcat-gcc-02 §6.

use rtc_core::time::Instant;

/// Below this share of loss the rate grows, above the other it falls, in between it stays.
const LOW: f64 = 0.02;
const HIGH: f64 = 0.1;
/// Growth per second.
const GROWTH: f64 = 0.05;
/// A fall waits for the effect of the last, in seconds.
const PATIENCE: f64 = 0.3;

/// A limit that knows loss, and nothing of why.
#[derive(Debug, Default)]
pub(super) struct Rule {
    limit: Option<f64>,
    updated: Option<Instant>,
    lowered: Option<Instant>,
}

impl Rule {
    /// Takes the share of loss of late at a rate in b/s, where the delay allows another; says whether it lowered the limit.
    pub(super) fn update(&mut self, now: Instant, loss: f64, rate: f64, allowed: f64) -> bool {
        let updated = self.updated.replace(now).unwrap_or(now);
        if loss > HIGH {
            if self.lowered.is_some_and(|at| (now - at).as_secs_f64() < PATIENCE) {
                return false;
            }
            self.lowered = Some(now);
            self.limit = Some(self.limit.unwrap_or(rate).min(rate) * (1.0 - 0.5 * loss));
            return true;
        }
        if loss < LOW {
            let elapsed = (now - updated).as_secs_f64().min(1.0);
            self.limit = self.limit.map(|limit| limit * (1.0 + GROWTH * elapsed)).filter(|limit| *limit < allowed);
        }
        false
    }

    pub(super) const fn limit(&self) -> Option<f64> {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcc02_s6_much_loss_lowers_the_rate_by_half_of_it_little_raises_it() {
        let mut rule = Rule::default();
        let at = |second: u64| Instant::from_millis(1_000 * second);
        assert!(!rule.update(at(0), 0.05, 1e6, 2e6));
        assert_eq!(rule.limit(), None);
        assert!(rule.update(at(1), 0.2, 1e6, 2e6));
        assert_eq!(rule.limit(), Some(0.9e6));
        assert!(!rule.update(at(2), 0.05, 0.9e6, 2e6));
        assert_eq!(rule.limit(), Some(0.9e6));
        rule.update(at(3), 0.0, 0.9e6, 2e6);
        assert!((rule.limit().unwrap() - 0.945e6).abs() < 1.0);
        rule.update(at(4), 0.0, 0.9e6, 0.95e6);
        assert_eq!(rule.limit(), None, "it limits no more");
    }
}
