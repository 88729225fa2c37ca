use bytes::BytesMut;
use rtc_core::{ConfigError, Fault, Malformed, Ssrc};
use rtcp::payload_feedbacks::{full_intra_request, picture_loss_indication};

use super::{Raw, marshal, unmarshal};

/// Feedback message type of a picture loss indication (RFC 4585 §6.3.1).
pub(super) const PLI_FORMAT: u8 = 1;
/// Feedback message type of a full intra request (RFC 5104 §4.3.1).
pub(super) const FIR_FORMAT: u8 = 4;

/// A picture was lost: pictures cannot be decoded until something is done (RFC 4585 §6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pli {
    /// Who tells.
    pub sender: Ssrc,
    /// The video it is about.
    pub media: Ssrc,
}

impl Pli {
    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        let pli: picture_loss_indication::PictureLossIndication = unmarshal(raw, "RTCP PLI")?;
        Ok(Self { sender: Ssrc(pli.sender_ssrc), media: Ssrc(pli.media_ssrc) })
    }

    pub(super) fn write(self, out: &mut BytesMut) -> Result<(), ConfigError> {
        let pli =
            picture_loss_indication::PictureLossIndication { sender_ssrc: self.sender.0, media_ssrc: self.media.0 };
        marshal(&pli, out)
    }
}

/// Key frames demanded: full intra requests (RFC 5104 §4.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fir {
    /// Who demands.
    pub sender: Ssrc,
    /// The videos a key frame is demanded of, [`Fir::MAX_REQUESTS`] at most.
    pub requests: Vec<FirRequest>,
}

/// One of the demands of a [`Fir`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirRequest {
    /// The video.
    pub media: Ssrc,
    /// Counts demands, so that one repeated is known as such.
    pub number: u8,
}

impl Fir {
    /// Most requests that can be written: as many as sources in any other packet.
    pub const MAX_REQUESTS: usize = super::MAX_COUNT;

    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        // The `rtcp` crate panics if the second SSRC or a part of a request is missing.
        if raw.body.len() < 8 || !(raw.body.len() - 8).is_multiple_of(8) {
            return Err(Malformed::new("RTCP FIR", Fault::Length));
        }
        let fir: full_intra_request::FullIntraRequest = unmarshal(raw, "RTCP FIR")?;
        let requests =
            fir.fir.iter().map(|entry| FirRequest { media: Ssrc(entry.ssrc), number: entry.sequence_number });
        Ok(Self { sender: Ssrc(fir.sender_ssrc), requests: requests.collect() })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if self.requests.len() > Self::MAX_REQUESTS {
            return Err(ConfigError::new("requests", "must be 31 at most"));
        }
        let requests = self
            .requests
            .iter()
            .map(|request| full_intra_request::FirEntry { ssrc: request.media.0, sequence_number: request.number });
        let fir = full_intra_request::FullIntraRequest {
            sender_ssrc: self.sender.0,
            // "The 'SSRC of media source' is not used and SHALL be set to 0."
            media_ssrc: 0,
            fir: requests.collect(),
        };
        marshal(&fir, out)
    }
}
