use crate::{Fault, Malformed, SeqNum};

use super::{HeaderExtension, ShortValue, exactly};

/// The packet's number among all of its transport's (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TransportSequence(pub u16);

impl TransportSequence {
    /// The number as one that wraps, to be unwrapped by [`SeqUnwrapper`](crate::SeqUnwrapper).
    #[must_use]
    pub const fn seq(self) -> SeqNum {
        SeqNum(self.0)
    }
}

impl HeaderExtension<'_> for TransportSequence {
    const URI: &'static str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    type Value = [u8; 2];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        exactly("transport-wide-cc-01", value).map(|bytes| Self(u16::from_be_bytes(bytes)))
    }

    fn to_value(&self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// The packet's number among all of its transport's, and whether the sender wants feedback now (WebRTC transport-wide-cc-02).
///
/// With this form the receiver sends feedback only when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TransportSequenceV2 {
    /// The number.
    pub seq: SeqNum,
    /// The request, if the packet has room for one.
    pub request: Option<FeedbackRequest>,
}

/// What feedback a sender asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedbackRequest {
    timing: bool,
    count: u16,
}

impl FeedbackRequest {
    /// On the last `count` packets, this one included, with their arrival times if `timing`.
    ///
    /// `count` is cut to 32767; 0 asks for nothing and keeps all headers of one length.
    #[must_use]
    pub fn new(count: u16, timing: bool) -> Self {
        Self { timing, count: count.min(0x7fff) }
    }

    /// Packets the feedback is to cover, up to and including the one that asks; 0 for no feedback.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// Whether the feedback is to tell arrival times.
    #[must_use]
    pub const fn timing(self) -> bool {
        self.timing
    }
}

impl HeaderExtension<'_> for TransportSequenceV2 {
    const URI: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02";
    type Value = ShortValue<4>;

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        match *value {
            [a, b] => Ok(Self { seq: SeqNum(u16::from_be_bytes([a, b])), request: None }),
            [a, b, c, d] => {
                let request = FeedbackRequest::new(u16::from_be_bytes([c & 0x7f, d]), c & 0x80 != 0);
                Ok(Self { seq: SeqNum(u16::from_be_bytes([a, b])), request: Some(request) })
            }
            _ => Err(Malformed::new("transport-wide-cc-02", Fault::Length)),
        }
    }

    fn to_value(&self) -> ShortValue<4> {
        let [a, b] = self.seq.0.to_be_bytes();
        let Some(FeedbackRequest { timing, count }) = self.request else {
            return ShortValue::new([a, b, 0, 0], 2);
        };
        let [c, d] = ((u16::from(timing) << 15) | count).to_be_bytes();
        ShortValue::new([a, b, c, d], 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_sequence_is_two_bytes_in_network_order() {
        assert_eq!(TransportSequence(0x1234).to_value(), [0x12, 0x34]);
        assert_eq!(TransportSequence::parse(&[0x12, 0x34]).map(TransportSequence::seq), Ok(SeqNum(0x1234)));
        assert_eq!(TransportSequence::parse(&[1]).map_err(|error| error.fault()), Err(Fault::Truncated));
        assert_eq!(TransportSequence::parse(&[1, 2, 3]).map_err(|error| error.fault()), Err(Fault::Length));
    }

    #[test]
    fn second_version_may_ask_for_feedback() {
        let quiet = TransportSequenceV2 { seq: SeqNum(0xfffe), request: None };
        assert_eq!(*quiet.to_value(), [0xff, 0xfe]);
        let asking = TransportSequenceV2 { request: Some(FeedbackRequest::new(0x0102, true)), ..quiet };
        assert_eq!(*asking.to_value(), [0xff, 0xfe, 0x81, 0x02]);
        assert_eq!(TransportSequenceV2::parse(&asking.to_value()), Ok(asking));
        assert_eq!(FeedbackRequest::new(u16::MAX, false).count(), 32_767);
        assert!(TransportSequenceV2::parse(&[1, 2, 3]).is_err());
    }
}
