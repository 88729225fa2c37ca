use super::Mask;

/// Which packets after a base an exclusive or is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// Any, as far as a mask reaches.
    Mask(Mask),
    /// Every `step`th from the base on, that many (RFC 8627 §4.2.2.2).
    Run {
        /// Not zero.
        step: u16,
        /// Not zero.
        count: u16,
    },
}

impl Members {
    pub(crate) fn contains(self, offset: u16) -> bool {
        match self {
            Self::Mask(mask) => mask.contains(offset),
            Self::Run { step, count } => offset.is_multiple_of(step) && offset / step < count,
        }
    }

    /// The greatest distance.
    pub(crate) fn last(self) -> u16 {
        match self {
            Self::Mask(mask) => mask.last(),
            Self::Run { step, count } => step.saturating_mul(count - 1),
        }
    }

    /// The distances, least first.
    pub(crate) fn offsets(self) -> impl Iterator<Item = u16> {
        let (mut rest, mut at) = (self, 0u16);
        core::iter::from_fn(move || match &mut rest {
            Self::Mask(mask) => mask.pop(),
            Self::Run { count: 0, .. } => None,
            Self::Run { step, count } => {
                let offset = at;
                (at, *count) = (at.saturating_add(*step), *count - 1);
                Some(offset)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_every_so_many() {
        let run = Members::Run { step: 5, count: 3 };
        assert!(run.offsets().eq([0, 5, 10]));
        assert_eq!((run.last(), run.contains(10), run.contains(15), run.contains(4)), (10, true, false, false));
        let longest = Members::Run { step: 255, count: 255 };
        assert_eq!((longest.offsets().count(), longest.last()), (255, 64_770));
    }
}
