use core::fmt;

/// Bytes that cannot be what they claim to be.
///
/// What a network does to packets (loss, lateness, duplication) is not an error and never reported through this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Malformed {
    format: &'static str,
    fault: Fault,
}

impl Malformed {
    /// An error in bytes that claimed to be `format` (a name such as `"RTP"` or `"RED"`).
    #[must_use]
    pub const fn new(format: &'static str, fault: Fault) -> Self {
        Self { format, fault }
    }

    /// The format the bytes claimed to be.
    #[must_use]
    pub const fn format(&self) -> &'static str {
        self.format
    }

    /// What is wrong with them.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Truncated => "ends before its own lengths say",
            Fault::Version => "has an unknown version",
            Fault::Padding => "has impossible padding",
            Fault::Length => "has an impossible length field",
            Fault::Type => "is of another type",
            Fault::Reserved => "sets a reserved bit or value",
            Fault::Inconsistent => "contradicts itself or its context",
        };
        write!(f, "{} data {fault}", self.format)
    }
}

impl core::error::Error for Malformed {}

/// What is wrong with [`Malformed`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes end before their own length fields say.
    Truncated,
    /// The version field is not one this crate knows.
    Version,
    /// The padding count is zero or longer than the data.
    Padding,
    /// A length field is out of its allowed range.
    Length,
    /// The bytes are of another packet or payload type.
    Type,
    /// A reserved bit or value is set.
    Reserved,
    /// Fields contradict each other, or what is already known.
    Inconsistent,
}

/// A setting no instance can be built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfigError {
    setting: &'static str,
    reason: &'static str,
}

impl ConfigError {
    /// `setting` names the field, `reason` completes the sentence "*setting* …", such as `"must not be zero"`.
    #[must_use]
    pub const fn new(setting: &'static str, reason: &'static str) -> Self {
        Self { setting, reason }
    }

    /// The name of the offending field.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.reason)
    }
}

impl core::error::Error for ConfigError {}
