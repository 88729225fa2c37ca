//! One stream of sound over RTP, RTCP and, with a key, SRTP, to or from any program that speaks them: `rtp_send`,
//! `rtp_receive`.

use core::future;
use core::net::SocketAddr;
use std::time::SystemTime;

use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use rtc_core::bwe::Ecn;
use rtc_core::codec::AudioFormat;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{DataSize, PayloadType, RtpPacket, Ssrc};
use rtc_transport::io::{Clock, Datagram, UdpConfig, UdpIo};
use rtc_transport::session::{Session, SessionConfig};
use rtc_transport::srtp::{MasterKey, Profile};

use crate::guard::{Guard, from_hex};
use crate::wav::RATE;

mod receive;
mod send;

pub use receive::{ReceiveOptions, receive};
pub use send::{SendOptions, send};

/// All sound here: what telephones, browsers and GStreamer take alike.
const FORMAT: AudioFormat = AudioFormat { rate: RATE, channels: 1 };
const PROFILES: [(&str, Profile); 4] = [
    ("aes128-cm-sha1-80", Profile::AesCm128HmacSha1_80),
    ("aes128-cm-sha1-32", Profile::AesCm128HmacSha1_32),
    ("aes128-gcm", Profile::AeadAes128Gcm),
    ("aes256-gcm", Profile::AeadAes256Gcm),
];

/// What both directions are told.
#[derive(Debug, Clone, Args)]
pub struct StreamOptions {
    /// What the sound is coded with, 48 kHz mono
    #[arg(long, value_enum, default_value = "opus")]
    pub codec: Codec,
    /// Payload type of the stream
    #[arg(long, value_name = "PT", default_value = "111", value_parser = clap::value_parser!(u8).range(0..=127))]
    pub payload_type: u8,
    /// RTCP on the port of RTP (RFC 5761) instead of the next one
    #[arg(long)]
    pub mux: bool,
    /// Master key and salt of SRTP, hexadecimal, for both directions; agreeing on one (DTLS) is not part of this
    #[arg(long, value_name = "HEX")]
    pub key: Option<String>,
    /// What SRTP encrypts with
    #[arg(long, value_name = "NAME", default_value = PROFILES[0].0, value_parser = PossibleValuesParser::new(PROFILES.map(|(name, _)| name)))]
    pub profile: String,
}

/// Codings of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// 16 bits a sample, RFC 3551 §4.5.11.
    L16,
}

impl StreamOptions {
    /// Both directions have one key, as their streams have different SSRCs (RFC 3711 §9.1): these are random, and a session
    /// that meets its own gives it up.
    fn guard(&self) -> Result<Guard, String> {
        let Some(key) = &self.key else { return Ok(Guard::open()) };
        let named = PROFILES.iter().find(|(name, _)| *name == self.profile);
        let (_, profile) = *named.ok_or("no such profile")?;
        let bytes = from_hex(key)?;
        let (key, salt) = bytes.split_at_checked(profile.key_len()).ok_or("the key is too short for the profile")?;
        let master = MasterKey::new(profile, key, salt).map_err(|error| error.to_string())?;
        Guard::new(&master, &master)
    }
}

/// A session and its sockets.
#[derive(Debug)]
struct Link {
    clock: Clock,
    rtp: UdpIo,
    /// `None` if RTCP has the socket of RTP.
    rtcp: Option<UdpIo>,
    guard: Guard,
    session: Session,
    to: Option<SocketAddr>,
    to_rtcp: Option<SocketAddr>,
}

impl Link {
    /// Binds `local` and, unless RTCP shares it, the next port.
    fn new(local: SocketAddr, ssrc: Ssrc, options: &StreamOptions) -> Result<Self, String> {
        let clock = Clock::new();
        let bind = |addr| UdpIo::bind(addr, clock, UdpConfig::default()).map_err(|error| format!("{addr}: {error}"));
        let rtcp = if options.mux { None } else { Some(bind(next_port(local)?)?) };
        let guard = options.guard()?;
        let mut config = SessionConfig::default();
        config.overhead += DataSize::from_bytes(guard.overhead() as u64);
        config.cname = format!("{:016x}", random()?).into();
        config.clocks = vec![(PayloadType::new(options.payload_type), RATE)];
        config.receiver.min_sequential = 1;
        config.scheduler.seed = random()?;
        #[expect(clippy::disallowed_methods, reason = "sender reports tell the time of day")]
        let ntp = NtpTime::from_system(SystemTime::now());
        let session = Session::new(clock.now(), ntp, &[ssrc], config).map_err(|error| error.to_string())?;
        Ok(Self { clock, rtp: bind(local)?, rtcp, guard, session, to: None, to_rtcp: None })
    }

    /// Sends a packet of media.
    fn send(&mut self, now: Instant, packet: RtpPacket) {
        let datagram = self.session.send_rtp(now, packet, None).datagram;
        if let (Some(to), Some(sealed)) = (self.to, self.guard.seal(&datagram)) {
            self.rtp.send(to, Ecn::NotEct, sealed);
        }
    }

    /// Sends what RTCP is due, and all that waits.
    async fn work(&mut self, now: Instant) -> Result<(), String> {
        self.session.handle_timeout(now);
        while let Some(datagram) = self.session.poll_rtcp(now) {
            let io = self.rtcp.as_mut().unwrap_or(&mut self.rtp);
            if let (Some(to), Some(sealed)) = (self.to_rtcp, self.guard.seal(&datagram)) {
                io.send(to, Ecn::NotEct, sealed);
            }
        }
        self.rtp.flush().await.map_err(|error| error.to_string())?;
        match &mut self.rtcp {
            Some(rtcp) => rtcp.flush().await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// The next datagram of whoever holds the key, decrypted; `None` when it is `until`.
    async fn next(&mut self, until: Instant) -> Result<Option<(Datagram, Bytes)>, String> {
        let until = self.clock.to_std(until);
        let rtcp = async {
            match &mut self.rtcp {
                Some(rtcp) => rtcp.recv().await,
                None => future::pending().await,
            }
        };
        let datagram = tokio::select! {
            datagram = self.rtp.recv() => datagram,
            datagram = rtcp => datagram,
            () = tokio::time::sleep_until(until.into()) => return Ok(None),
        };
        let mut datagram = datagram.map_err(|error| error.to_string())?;
        let data = core::mem::take(&mut datagram.data);
        Ok(self.guard.unseal(data).map(|plain| (datagram, plain)))
    }

    /// Says goodbye.
    async fn leave(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        self.session.leave(now, "");
        self.work(now).await
    }
}

/// Where RTCP is, if RTP is at `addr`.
fn next_port(addr: SocketAddr) -> Result<SocketAddr, String> {
    match addr.port() {
        0 => Ok(addr),
        port => Ok(SocketAddr::new(addr.ip(), port.checked_add(1).ok_or("there is no port for RTCP behind the last")?)),
    }
}

fn random() -> Result<u64, String> {
    getrandom::u64().map_err(|error| error.to_string())
}

/// A runtime of one thread, which is all a stream needs.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}
