use super::config::Loss;
use crate::testkit::rng::Rng;

/// The state of a [`Loss`] model.
#[derive(Debug, Clone)]
pub(super) struct LossModel {
    loss: Loss,
    bad: bool,
    rng: Rng,
}

impl LossModel {
    pub(super) fn new(loss: Loss, mut rng: Rng) -> Self {
        let bad = rng.bool(loss.share_of_bad());
        Self { loss, bad, rng }
    }

    /// Whether the next packet is lost.
    pub(super) fn next(&mut self) -> bool {
        match self.loss {
            Loss::None => false,
            Loss::Bernoulli(p) => self.rng.bool(p),
            Loss::GilbertElliott { p_good_to_bad, p_bad_to_good, loss_good, loss_bad } => {
                let turn = self.rng.bool(if self.bad { p_bad_to_good } else { p_good_to_bad });
                self.bad ^= turn;
                self.rng.bool(if self.bad { loss_bad } else { loss_good })
            }
        }
    }
}
