//! Datagrams encrypted and authenticated on their way through sockets.
//!
//! How two parties come to share a key is not part of it: WebRTC agrees on one by DTLS, which is not here. Whoever reads the
//! key from the terminal or the process list hears everything.

use core::fmt;
use core::str::FromStr;

use bytes::{Bytes, BytesMut};
use rtc_transport::rtcp::is_rtcp;
use rtc_transport::srtp::{AwsLc, MasterKey, Profile, Protector, SrtpConfig, Unprotector};

/// More than any profile adds.
const MAX_OVERHEAD: usize = 32;
/// What calls are encrypted with.
const PROFILE: Profile = Profile::AeadAes128Gcm;
/// Two keys and two salts of it.
const SECRET: usize = 56;

/// SRTP both ways, or nothing where there is no key.
#[derive(Debug)]
pub struct Guard {
    keys: Option<(Protector, Unprotector)>,
    buffer: Vec<u8>,
    refused: u64,
    unsent: u64,
}

impl Guard {
    /// Lets everything pass as it is.
    #[must_use]
    pub fn open() -> Self {
        Self { keys: None, buffer: Vec::new(), refused: 0, unsent: 0 }
    }

    /// Protects what is sent with one key, and takes in only what is protected with the other.
    ///
    /// # Errors
    /// One line if a key cannot be used.
    pub fn new(ours: &MasterKey, theirs: &MasterKey) -> Result<Self, String> {
        let config = SrtpConfig::default();
        let out = Protector::new(&AwsLc, ours, config.clone()).map_err(|error| error.to_string())?;
        let into = Unprotector::new(&AwsLc, theirs, config).map_err(|error| error.to_string())?;
        Ok(Self { keys: Some((out, into)), ..Self::open() })
    }

    /// Bytes that are added to each packet of media.
    #[must_use]
    pub fn overhead(&self) -> usize {
        self.keys.as_ref().map_or(0, |(out, _)| out.rtp_overhead())
    }

    /// A datagram as it is to be sent; `None` if it cannot be protected.
    pub fn seal<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        let Some((out, _)) = &mut self.keys else { return Some(datagram) };
        self.buffer.clear();
        self.buffer.extend_from_slice(datagram);
        self.buffer.resize(datagram.len() + MAX_OVERHEAD, 0);
        let sealed = if is_rtcp(datagram) {
            out.protect_rtcp(&mut self.buffer, datagram.len())
        } else {
            out.protect_rtp(&mut self.buffer, datagram.len())
        };
        if sealed.is_err() {
            self.unsent += 1;
        }
        self.buffer.get(..sealed.ok()?)
    }

    /// A datagram as it was before it was sent; `None` if it is not of who holds the key, or came before.
    pub fn unseal(&mut self, mut datagram: BytesMut) -> Option<Bytes> {
        if let Some((_, into)) = &mut self.keys {
            let opened =
                if is_rtcp(&datagram) { into.unprotect_rtcp(&mut datagram) } else { into.unprotect_rtp(&mut datagram) };
            if opened.is_err() {
                self.refused += 1;
            }
            datagram.truncate(opened.ok()?);
        }
        Some(datagram.freeze())
    }

    /// Datagrams that were not taken in.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Datagrams that could not be protected, and so were not to be sent.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent
    }
}

/// What both ends of one call know: a key of each direction.
#[derive(Clone, PartialEq, Eq)]
pub struct CallKey([u8; SECRET]);

impl CallKey {
    /// A new one from the operating system's source of randomness.
    ///
    /// # Errors
    /// One line if there is none.
    pub fn random() -> Result<Self, String> {
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
        Ok(Self(secret))
    }

    /// The guard of the one who calls, or of the one who is called.
    ///
    /// # Errors
    /// As [`Guard::new`].
    pub fn guard(&self, calls: bool) -> Result<Guard, String> {
        let (caller, called) = MasterKey::from_dtls(PROFILE, &self.0).map_err(|error| error.to_string())?;
        if calls { Guard::new(&caller, &called) } else { Guard::new(&called, &caller) }
    }
}

impl FromStr for CallKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("a key has {} hexadecimal digits", 2 * SECRET);
        Ok(Self(from_hex(text)?.try_into().map_err(|_| wrong())?))
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallKey(..)")
    }
}

/// The bytes of pairs of hexadecimal digits.
///
/// # Errors
/// One line if it is anything else.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return Err("must be pairs of hexadecimal digits".into());
    };
    let byte = |[high, low]: &[u8; 2]| {
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        Some(digit(high)? << 4 | digit(low)?)
    };
    pairs.iter().map(byte).collect::<Option<_>>().ok_or_else(|| "must be hexadecimal".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: &[u8] = &[0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3];
    const RTCP: &[u8] = &[0x80, 201, 0, 1, 0, 0, 0, 9];

    #[test]
    fn only_the_other_end_understands_and_only_once() {
        let key = CallKey::random().unwrap();
        let (mut caller, mut called) = (key.guard(true).unwrap(), key.guard(false).unwrap());
        for datagram in [RTP, RTCP] {
            let sealed = BytesMut::from(caller.seal(datagram).unwrap());
            assert!(sealed.len() > datagram.len());
            assert_eq!(called.unseal(sealed.clone()).unwrap(), datagram);
            assert_eq!(called.unseal(sealed.clone()), None, "again");
            assert_eq!(caller.unseal(sealed), None, "one's own");
            assert_eq!(called.unseal(BytesMut::from(datagram)), None, "not protected");
        }
        assert_eq!((called.refused(), caller.refused(), caller.unsent()), (4, 2, 0));
        assert_eq!(caller.seal(RTP), None, "one number, one packet");
        assert_eq!(caller.unsent(), 1);
        let (mut next, mut stranger) = (RTP.to_vec(), CallKey::random().unwrap().guard(false).unwrap());
        next[3] += 1;
        let sealed = BytesMut::from(caller.seal(&next).unwrap());
        assert!(!sealed.windows(3).any(|bytes| bytes == [1, 2, 3]), "the payload shows");
        assert_eq!(stranger.unseal(sealed), None);
    }

    #[test]
    fn without_a_key_everything_passes() {
        let mut open = Guard::open();
        assert_eq!(open.seal(RTP).unwrap(), RTP);
        assert_eq!(open.unseal(BytesMut::from(RTCP)).unwrap(), RTCP);
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_nothing_else_is() {
        let key = CallKey::random().unwrap();
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert!(!format!("{key:?}").contains(&key.to_string()));
        for wrong in ["", "12", &"0".repeat(111), &"0".repeat(113), &"g".repeat(112), &"ä".repeat(56)] {
            assert!(wrong.parse::<CallKey>().is_err(), "{wrong}");
        }
        assert_eq!(from_hex("00fFa5"), Ok(vec![0, 0xff, 0xa5]));
    }
}
