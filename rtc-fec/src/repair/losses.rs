/// How packets are lost: by chance, or in runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Losses {
    /// Fraction of packets lost.
    pub(crate) loss: f64,
    /// The same of packets that follow one that was lost (E. Gilbert 1960).
    pub(crate) again: f64,
}

impl Losses {
    /// Each by itself.
    pub(crate) const fn random(loss: f64) -> Self {
        Self { loss, again: loss }
    }

    /// The probability that all of so many packets sent one after the other are lost.
    pub(crate) fn all(self, packets: i32) -> f64 {
        if packets > 0 { self.loss * self.again.powi(packets - 1) } else { 1.0 }
    }
}
