use std::fmt;

use serde::{Serialize, Serializer};

/// What a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    Between(f64, f64),
}

impl Target {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Between(least, most) => (least..=most).contains(&value),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_met_at_their_edge_and_never_by_nothing() {
        assert!(Target::AtMost(40.0).is_met(40.0) && !Target::AtMost(40.0).is_met(40.1));
        assert!(Target::AtLeast(0.99).is_met(0.99) && !Target::AtLeast(0.99).is_met(0.98));
        assert!(Target::Between(35.0, 65.0).is_met(50.0) && !Target::Between(35.0, 65.0).is_met(34.9));
        assert!(!Target::AtMost(1.0).is_met(f64::NAN) && !Target::AtLeast(1.0).is_met(f64::NAN));
        assert_eq!(Target::AtMost(40.0).to_string(), "<= 40");
    }
}
