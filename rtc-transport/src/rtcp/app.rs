use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{ConfigError, Fault, Malformed, RtpTime, Ssrc};

use super::{MAX_COUNT, Raw, write_framed};

/// An application's own packet (RFC 3550 §6.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Who sends it.
    pub ssrc: Ssrc,
    /// Four characters that tell applications apart.
    pub name: [u8; 4],
    /// Tells packets of one application apart, 31 at most.
    pub subtype: u8,
    /// What it says, whole words.
    pub data: Bytes,
}

impl App {
    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let mut body = raw.body;
        if body.len() < 8 || !body.len().is_multiple_of(4) {
            return Err(Malformed::new("RTCP APP", Fault::Length));
        }
        let (ssrc, name) = (Ssrc(body.get_u32()), body.get_u32().to_be_bytes());
        Ok(Self { ssrc, name, subtype: raw.count, data: body })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if usize::from(self.subtype) > MAX_COUNT {
            return Err(ConfigError::new("subtype", "must be 31 at most (RFC 3550 §6.7)"));
        }
        if !self.data.len().is_multiple_of(4) || self.data.len() / 4 > usize::from(u16::MAX) - 2 {
            return Err(ConfigError::new("data", "must be at most 65533 whole words (RFC 3550 §6.7)"));
        }
        write_framed(out, super::APP, self.subtype, |out| {
            out.put_u32(self.ssrc.0);
            out.put_slice(&self.name);
            out.put_slice(&self.data);
        });
        Ok(())
    }
}

/// A user's message that belongs to a moment of a stream, in an [`App`] packet of name `TMSG`.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------------------------------------------------------+
/// |                         RTP timestamp                         |
/// +-------------------------------+-------------------------------+
/// |             number            |             length            |
/// +-------------------------------+-------------------------------+
/// |  length bytes, then zeros up to a whole word                  |
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedMessage {
    /// The stream.
    pub ssrc: Ssrc,
    /// The moment, on its media clock.
    pub rtp_time: RtpTime,
    /// Counts the messages of the stream, so that one repeated is known as such.
    pub number: u16,
    /// What it says, [`TimedMessage::MAX_LEN`] bytes at most.
    pub text: Bytes,
}

impl TimedMessage {
    /// The longest message, in bytes: one fits the smallest RTCP datagram beside a report.
    pub const MAX_LEN: usize = 400;
    /// Name of the packets.
    pub const NAME: [u8; 4] = *b"TMSG";
    /// Bytes of the packet before the text.
    const HEAD: usize = 20;

    /// Reads a message from a packet; `None` if it is of another application.
    ///
    /// # Errors
    /// [`Malformed`] if it is of this one, but ends too early or is too long.
    pub fn from_app(app: &App) -> Option<Result<Self, Malformed>> {
        (app.name == Self::NAME && app.subtype == 0).then(|| Self::read(app))
    }

    fn read(app: &App) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("timed message", fault);
        let mut data = app.data.clone();
        if data.len() < 8 {
            return Err(fault(Fault::Truncated));
        }
        let (rtp_time, number, len) = (RtpTime(data.get_u32()), data.get_u16(), usize::from(data.get_u16()));
        if len > Self::MAX_LEN {
            return Err(fault(Fault::Length));
        }
        if len > data.len() {
            return Err(fault(Fault::Truncated));
        }
        data.truncate(len);
        Ok(Self { ssrc: app.ssrc, rtp_time, number, text: data })
    }

    /// The packet that carries the message.
    ///
    /// # Errors
    /// [`ConfigError`] if the text is longer than [`MAX_LEN`](Self::MAX_LEN).
    pub fn to_app(&self) -> Result<App, ConfigError> {
        let Some(len) = u16::try_from(self.text.len()).ok().filter(|len| usize::from(*len) <= Self::MAX_LEN) else {
            return Err(ConfigError::new("text", "must be 400 bytes at most"));
        };
        let mut data = BytesMut::with_capacity(self.packet_len());
        data.put_u32(self.rtp_time.0);
        data.put_u16(self.number);
        data.put_u16(len);
        data.put_slice(&self.text);
        data.resize(data.len().next_multiple_of(4), 0);
        Ok(App { ssrc: self.ssrc, name: Self::NAME, subtype: 0, data: data.freeze() })
    }

    /// Bytes of the packet.
    pub(crate) fn packet_len(&self) -> usize {
        Self::HEAD + self.text.len().next_multiple_of(4)
    }
}
