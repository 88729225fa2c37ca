use crate::{ConfigError, Fault, Malformed};

use super::HeaderExtension;

/// The media section the stream belongs to (RFC 9143 §15.2): text the session description chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid<'a>(&'a str);

/// The restriction identifier of the stream, which tells simulcast layers apart (RFC 8852 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rid<'a>(&'a str);

/// The restriction identifier of the stream this one repairs (RFC 8852 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RepairedRid<'a>(&'a str);

impl<'a> Mid<'a> {
    /// # Errors
    /// [`ConfigError`] unless `text` is 1 to 255 bytes.
    pub fn new(text: &'a str) -> Result<Self, ConfigError> {
        fits(text).then_some(Self(text)).ok_or(ConfigError::new("mid", "must be 1 to 255 bytes"))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> Rid<'a> {
    /// # Errors
    /// [`ConfigError`] unless `text` is 1 to 255 letters and digits (RFC 8852 §3; erratum 7132 of RFC 8851 §10).
    pub fn new(text: &'a str) -> Result<Self, ConfigError> {
        is_rid(text, "").then_some(Self(text)).ok_or(ConfigError::new("rid", RID_RULE))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> RepairedRid<'a> {
    /// # Errors
    /// As [`Rid::new`].
    pub fn new(text: &'a str) -> Result<Self, ConfigError> {
        is_rid(text, "").then_some(Self(text)).ok_or(ConfigError::new("rid", RID_RULE))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> HeaderExtension<'a> for Mid<'a> {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    type Value = &'a [u8];

    fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        text("sdes:mid", value, fits).map(Self)
    }

    fn to_value(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

impl<'a> HeaderExtension<'a> for Rid<'a> {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    type Value = &'a [u8];

    fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        text("sdes:rtp-stream-id", value, is_received_rid).map(Self)
    }

    fn to_value(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

impl<'a> HeaderExtension<'a> for RepairedRid<'a> {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    type Value = &'a [u8];

    fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        text("sdes:repaired-rtp-stream-id", value, is_received_rid).map(Self)
    }

    fn to_value(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

const RID_RULE: &str = "must be 1 to 255 letters and digits";

/// SDES items are UTF-8 of 255 bytes at most, without an end mark (RFC 3550 §6.5, RFC 7941 §4.1.2).
fn text<'a>(format: &'static str, value: &'a [u8], is_allowed: fn(&str) -> bool) -> Result<&'a str, Malformed> {
    match core::str::from_utf8(value) {
        Ok(text) if is_allowed(text) => Ok(text),
        _ if value.is_empty() => Err(Malformed::new(format, Fault::Truncated)),
        _ => Err(Malformed::new(format, Fault::Reserved)),
    }
}

fn fits(text: &str) -> bool {
    (1..=255).contains(&text.len())
}

fn is_rid(text: &str, others: &str) -> bool {
    fits(text) && text.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
}

/// RFC 8851 §10 as published had hyphens and underscores too, so there are senders that use them.
fn is_received_rid(text: &str) -> bool {
    is_rid(text, "-_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9143_s15_2_mid_is_text() {
        let mid = Mid::parse(b"audio-0").unwrap();
        assert_eq!((mid.as_str(), mid.to_value()), ("audio-0", &b"audio-0"[..]));
        assert_eq!(Mid::new("audio-0"), Ok(mid));
        assert!(Mid::parse(&[0xff]).is_err());
        assert!(Mid::parse(&[]).is_err());
        assert!(Mid::new("").is_err());
    }

    #[test]
    fn rfc8852_s3_stream_ids_are_letters_and_digits() {
        let hi = Rid::new("hi1").unwrap();
        assert_eq!(Rid::parse(hi.to_value()), Ok(hi));
        assert!(Rid::new("hi_1").is_err() && RepairedRid::new("hi-1").is_err());
        let repaired = RepairedRid::parse(b"hi-1").unwrap();
        assert_eq!(repaired.as_str(), "hi-1");
        assert!(Rid::parse(b"a b").is_err());
        assert!(RepairedRid::parse("é".as_bytes()).is_err());
        assert!(Rid::new(&"x".repeat(256)).is_err());
    }
}
