use serde::Serialize;

use super::Summary;

/// Longest delay at which people still take turns without noticing (ITU-T G.114 §2 puts the limit near this).
const COMFORTABLE_MS: f64 = 300.0;
/// Made-up sound beyond which words go missing.
const INTELLIGIBLE_PERCENT: f64 = 20.0;

/// The call in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Clear and prompt both ways.
    Good,
    /// Usable, with gaps or delay a person notices.
    Fair,
    /// Words go missing.
    Poor,
    /// On at least one way nobody heard anything worth the name.
    Dead,
}

impl Verdict {
    /// The worse of the two ways.
    #[must_use]
    pub fn of(ways: [&Summary; 2]) -> Self {
        ways.into_iter().map(Self::of_way).max().unwrap_or(Self::Dead)
    }

    /// Whether the media arrived at all.
    #[must_use]
    pub fn arrived(self) -> bool {
        self != Self::Dead
    }

    /// A sentence for a person.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Good => "GOOD: both sides hear each other clearly and promptly",
            Self::Fair => "FAIR: understandable, with gaps or delay one notices",
            Self::Poor => "POOR: the call stands, but words go missing",
            Self::Dead => "DEAD: the media did not arrive",
        }
    }

    fn of_way(summary: &Summary) -> Self {
        if summary.frames_played() * 5 < summary.frames_sent || summary.frames_sent == 0 {
            Self::Dead
        } else if summary.concealed_percent > INTELLIGIBLE_PERCENT {
            Self::Poor
        } else if summary.residual_loss_percent < 1.0 && summary.mouth_to_ear_p95_ms < COMFORTABLE_MS {
            Self::Good
        } else {
            Self::Fair
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(received: u64, residual: f64, concealed: f64, delay: f64) -> Summary {
        Summary {
            frames_sent: 100,
            frames_received: received,
            residual_loss_percent: residual,
            concealed_percent: concealed,
            mouth_to_ear_p95_ms: delay,
            ..Summary::default()
        }
    }

    #[test]
    fn the_worse_way_decides() {
        let good = way(99, 0.5, 1.0, 200.0);
        assert_eq!(Verdict::of([&good, &good]), Verdict::Good);
        assert_eq!(Verdict::of([&good, &way(90, 5.0, 8.0, 200.0)]), Verdict::Fair);
        assert_eq!(Verdict::of([&way(99, 0.5, 1.0, 400.0), &good]), Verdict::Fair);
        assert_eq!(Verdict::of([&good, &way(60, 40.0, 40.0, 200.0)]), Verdict::Poor);
        assert_eq!(Verdict::of([&good, &way(10, 90.0, 50.0, 200.0)]), Verdict::Dead);
        assert!(!Verdict::of([&good, &Summary::default()]).arrived());
    }
}
