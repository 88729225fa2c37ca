use core::net::SocketAddr;
use core::time::Duration;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Parser;
use rtc_core::audio::AudioBuffer;
use rtc_core::codec::AudioDecoder;
use rtc_core::opus::OpusDecoder;
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::time::{Instant, earliest};
use rtc_core::{PayloadType, Ssrc};
use rtc_jitter::{AudioPlayout, PlayoutConfig};
use rtc_transport::capture::{LinkType, PcapWriter};
use rtc_transport::io::Datagram;
use rtc_transport::receiver::ReceiveStats;
use rtc_transport::session::{Event, Received};

use super::{Codec, FORMAT, Link, StreamOptions, block_on, random};
use crate::cli::{resolve, within};
use crate::output;
use crate::wav::{self, RATE};

/// What is played at a time.
const FRAME: usize = 480;
/// A sender silent for so long is gone.
const GONE: Duration = Duration::from_secs(2);

/// Receives RTP, RTCP and, with a key, SRTP, and writes what was heard as a WAV file.
#[derive(Debug, Clone, Parser)]
#[command(name = "rtp_receive", version, about)]
pub struct ReceiveOptions {
    /// Where to receive RTP; RTCP is received at the next port
    pub local: SocketAddr,
    /// The sound heard
    #[arg(long, value_name = "FILE", default_value = "heard.wav")]
    pub out: PathBuf,
    /// How long to wait and to listen at most, in seconds; the sender's goodbye or two seconds of silence end it, too
    #[arg(long, value_name = "S", default_value = "30", value_parser = within(0.1..=3_600.0))]
    pub seconds: f64,
    /// Where reports go, if not to where the sender's come from
    #[arg(long, value_name = "ADDR", value_parser = resolve)]
    pub rtcp_to: Option<SocketAddr>,
    /// Datagrams as they arrived, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// The stream
    #[command(flatten)]
    pub stream: StreamOptions,
}

/// Receives as `options` say; says what became of it, and whether anything came.
///
/// # Errors
/// One line if a file, a key or a socket cannot be used.
pub fn receive(options: &ReceiveOptions) -> Result<bool, String> {
    let payload_type = PayloadType::new(options.stream.payload_type);
    let decoder: Box<dyn AudioDecoder> = match options.stream.codec {
        Codec::Opus => Box::new(OpusDecoder::new(FORMAT).map_err(|error| error.to_string())?),
        Codec::L16 => Box::new(PcmDecoder::new(Coding::L16, FORMAT).map_err(|error| error.to_string())?),
    };
    let mut config = PlayoutConfig::default();
    config.jitter.clock = RATE;
    let mut listener = Listener {
        payload_type,
        playout: AudioPlayout::new(config, decoder).map_err(|error| error.to_string())?,
        speaker: AudioBuffer::new(FORMAT.channels, FRAME, RATE).map_err(|error| error.to_string())?,
        next: None,
        heard: Vec::new(),
        stream: None,
        last: None,
        seen: None,
        sync: 0,
        left: false,
    };
    let link = block_on(listen(options, &mut listener))?;
    let mut sound = AudioBuffer::new(FORMAT.channels, listener.heard.len(), RATE).map_err(|error| error.to_string())?;
    sound.as_mut().read_interleaved(&listener.heard);
    wav::write(&options.out, sound.as_ref()).map_err(|error| error.to_string())?;
    listener.say(&link, options);
    Ok(listener.stream.is_some())
}

async fn listen(options: &ReceiveOptions, listener: &mut Listener) -> Result<Link, String> {
    let ssrc = Ssrc((random()? >> 32) as u32);
    let mut link = Link::new(options.local, ssrc, &options.stream)?;
    link.to_rtcp = options.rtcp_to;
    let mut tape = options.pcap.as_ref().map(|path| Tape::new(path, &link)).transpose()?;
    output::say(&format!("listening on {}", link.rtp.local_addr()));
    let end = link.clock.now() + Duration::from_secs_f64(options.seconds);
    loop {
        let now = link.clock.now();
        listener.play(now);
        link.work(now).await?;
        let gone = listener.last.is_some_and(|last| now - last > GONE);
        if now >= end || gone || listener.left {
            break;
        }
        let until = earliest([listener.next, link.session.poll_timeout(), Some(end)]).unwrap_or(end);
        if let Some((datagram, plain)) = link.next(until).await? {
            if let Some(tape) = &mut tape {
                tape.keep(&datagram, &plain)?;
            }
            listener.take(&mut link, &datagram, plain, options);
        }
    }
    link.leave().await?;
    Ok(link)
}

/// From a stream to the sound of it.
struct Listener {
    payload_type: PayloadType,
    playout: AudioPlayout<Box<dyn AudioDecoder>>,
    speaker: AudioBuffer,
    /// When the next frame is due; `None` before the first packet.
    next: Option<Instant>,
    heard: Vec<f32>,
    /// The first stream of the payload type, which is the one to hear.
    stream: Option<Ssrc>,
    last: Option<Instant>,
    /// Its statistics, loss and jitter: the session forgets a stream that said goodbye.
    seen: Option<(ReceiveStats, i64, Duration)>,
    /// Sender reports.
    sync: u64,
    left: bool,
}

impl Listener {
    fn take(&mut self, link: &mut Link, datagram: &Datagram, plain: bytes::Bytes, options: &ReceiveOptions) {
        match link.session.receive_marked(datagram.at, plain, datagram.ecn) {
            Ok(Received::Rtp(packet, _))
                if packet.payload_type() == self.payload_type
                    && self.stream.is_none_or(|stream| stream == packet.ssrc()) =>
            {
                self.stream = Some(packet.ssrc());
                self.last = Some(datagram.at);
                self.next.get_or_insert(datagram.at);
                self.seen = link.session.receiver(packet.ssrc()).map(|s| (s.stats(), s.lost(), s.jitter()));
                self.playout.insert(datagram.at, packet);
            }
            Ok(Received::Rtcp) if options.rtcp_to.is_none() => link.to_rtcp = Some(datagram.from),
            // Counted by the session.
            _ => {}
        }
        while let Some(event) = link.session.poll_event() {
            match event {
                Event::Sync { .. } => self.sync += 1,
                Event::Bye { ssrc, .. } => self.left |= self.stream == Some(ssrc),
                _ => {}
            }
        }
    }

    /// Plays all that is due.
    fn play(&mut self, now: Instant) {
        while let Some(due) = self.next.filter(|due| *due <= now) {
            self.playout.pull(due, self.speaker.as_mut());
            self.heard.extend_from_slice(self.speaker.as_ref().plane(0));
            self.next = Some(due + RATE.duration_of(FRAME as u64));
        }
    }

    fn say(&self, link: &Link, options: &ReceiveOptions) {
        match (self.stream, self.seen) {
            (Some(ssrc), Some((stats, lost, jitter))) => output::say(&format!(
                "received: {} packets of SSRC {:#010x}, {lost} lost, {} twice, jitter {:.1} ms",
                stats.received(),
                ssrc.0,
                stats.duplicates,
                jitter.as_secs_f64() * 1e3,
            )),
            _ => output::say("received: nothing"),
        }
        let stats = self.playout.stats();
        let made_up = 100.0 * stats.concealed_samples as f64 / stats.total_samples_received.max(1) as f64;
        output::say(&format!(
            "{}: {:.1} s, {made_up:.1} % of it made up, {:.0} ms in the jitter buffer",
            options.out.display(),
            self.heard.len() as f64 / f64::from(RATE.as_hz()),
            stats.mean_delay().as_secs_f64() * 1e3,
        ));
        let session = link.session.stats();
        output::say(&format!(
            "reports: {} of the sender, {} sent; refused: {} datagrams",
            self.sync,
            session.rtcp_sent,
            link.guard.refused() + session.malformed,
        ));
    }
}

/// A recording of what arrived, decrypted.
struct Tape {
    writer: PcapWriter<BufWriter<File>>,
    local: SocketAddr,
    /// The time of day when the clock of datagrams shows zero.
    epoch: Duration,
}

impl Tape {
    fn new(path: &std::path::Path, link: &Link) -> Result<Self, String> {
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::create(path).map_err(fail)?;
        #[expect(clippy::disallowed_methods, reason = "recordings tell the time of day")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            writer: PcapWriter::new(BufWriter::new(file), LinkType::RawIp).map_err(fail)?,
            local: link.rtp.local_addr(),
            epoch: now.saturating_sub(link.clock.now() - Instant::ZERO),
        })
    }

    fn keep(&mut self, datagram: &Datagram, plain: &[u8]) -> Result<(), String> {
        // A socket bound to any address does not tell which it was.
        let ip = if self.local.is_ipv4() == datagram.from.is_ipv4() { self.local.ip() } else { datagram.from.ip() };
        let to = SocketAddr::new(ip, self.local.port());
        let written = self.writer.write_udp(datagram.at + self.epoch, datagram.from, to, datagram.ecn, plain);
        written.map_err(|error| error.to_string())
    }
}
