use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;

use clap::Parser;
use rtc_core::audio::AudioBuffer;
use rtc_core::codec::AudioEncoder;
use rtc_core::opus::{OpusConfig, OpusEncoder};
use rtc_core::testkit::naive::{Coding, PcmEncoder};
use rtc_core::time::{Instant, earliest};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::sender::RemoteView;
use rtc_transport::session::Event;

use super::{Codec, FORMAT, Link, StreamOptions, block_on, next_port, random};
use crate::cli::{resolve, within};
use crate::microphone::Microphone;
use crate::output;
use crate::wav::{self, RATE};

/// What is said if no file is named.
const VOICE: &[u8] = include_bytes!("../../voices/near.wav");
/// How long the last report may take to come back.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The largest payload: what fits Ethernet with all headers and SRTP.
const MAX_PAYLOAD: usize = 1_400;

/// Sends a WAV file as RTP, RTCP and, with a key, SRTP.
#[derive(Debug, Clone, Parser)]
#[command(name = "rtp_send", version, about)]
pub struct SendOptions {
    /// Where to: address or name, and port; RTCP goes to the next port
    #[arg(value_parser = resolve)]
    pub to: SocketAddr,
    /// The sound, looped; a voice if no file is named
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = within(0.1..=86_400.0))]
    pub seconds: f64,
    /// Where from; RTCP comes from, and is received at, the next port. Any if not said
    #[arg(long, value_name = "ADDR")]
    pub local: Option<SocketAddr>,
    /// SSRC of the stream, for receivers that must be told; random if not said
    #[arg(long, value_name = "NUMBER")]
    pub ssrc: Option<u32>,
    /// The stream
    #[command(flatten)]
    pub stream: StreamOptions,
}

/// What the receiver said.
#[derive(Debug, Default)]
struct Heard {
    reports: u64,
    last: Option<RemoteView>,
    left: bool,
}

/// Sends as `options` say, until the time is up or the receiver leaves; says what became of it.
///
/// # Errors
/// One line if a file, a key or a socket cannot be used.
pub fn send(options: &SendOptions) -> Result<(), String> {
    let clip = match &options.wav {
        Some(path) => wav::read(path, FORMAT.channels, options.seconds),
        None => wav::read_from(VOICE, FORMAT.channels, options.seconds),
    };
    let clip = clip.map_err(|error| error.to_string())?;
    let voice = Voice::new(clip, options).map_err(|error| error.to_string())?;
    block_on(talk(options, voice))
}

async fn talk(options: &SendOptions, mut voice: Voice) -> Result<(), String> {
    let any = if options.to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let local = options.local.unwrap_or_else(|| SocketAddr::new(any, 0));
    let mut link = Link::new(local, voice.ssrc, &options.stream)?;
    link.to = Some(options.to);
    link.to_rtcp = Some(if options.stream.mux { options.to } else { next_port(options.to)? });
    let mut heard = Heard::default();
    let start = link.clock.now();
    let end = start + Duration::from_secs_f64(options.seconds);
    let mut due = start;
    while due < end && !heard.left {
        let now = link.clock.now();
        while due <= now && due < end {
            let packet = voice.next_packet()?;
            link.session.set_media_time(voice.ssrc, due, packet.timestamp());
            link.send(now, packet);
            due += voice.duration;
        }
        link.work(now).await?;
        wait(&mut link, &mut heard, due).await?;
    }
    link.leave().await?;
    let last_words = link.clock.now() + LAST_WORDS;
    while link.clock.now() < last_words {
        wait(&mut link, &mut heard, last_words).await?;
    }
    say(&link, &heard);
    Ok(())
}

/// Takes in what comes until `due`, or something else is to be done.
async fn wait(link: &mut Link, heard: &mut Heard, due: Instant) -> Result<(), String> {
    let until = earliest([Some(due), link.session.poll_timeout()]).unwrap_or(due);
    if let Some((datagram, plain)) = link.next(until).await? {
        // What is not RTCP is of no interest, and what is neither is counted.
        let _ = link.session.receive_marked(datagram.at, plain, datagram.ecn);
    }
    while let Some(event) = link.session.poll_event() {
        match event {
            Event::Report(view) => {
                heard.reports += 1;
                // A report without a round trip does not make that known unknown.
                let round_trip = view.round_trip.or_else(|| heard.last.and_then(|last| last.round_trip));
                heard.last = Some(RemoteView { round_trip, ..view });
            }
            Event::Bye { .. } => heard.left = true,
            _ => {}
        }
    }
    Ok(())
}

fn say(link: &Link, heard: &Heard) {
    let stats = link.session.stats();
    output::say(&format!("sent: {} packets, {} reports", stats.rtp_sent, stats.rtcp_sent));
    output::say(&match heard.last {
        None => "the receiver reports nothing".to_owned(),
        Some(RemoteView { block, round_trip, .. }) => {
            let jitter = RATE.duration_of(block.jitter.into()).as_secs_f64() * 1e3;
            let round_trip = match round_trip {
                Some(time) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
                None => "unknown".to_owned(),
            };
            let Heard { reports, .. } = heard;
            format!(
                "the receiver: {reports} reports, {} packets lost, jitter {jitter:.1} ms, round trip {round_trip}",
                block.lost
            )
        }
    });
    if link.guard.refused() > 0 {
        output::say(&format!("refused: {} datagrams that were not of who holds the key", link.guard.refused()));
    }
}

/// Sound as RTP packets.
struct Voice {
    microphone: Microphone,
    encoder: Box<dyn AudioEncoder>,
    payload_type: PayloadType,
    ssrc: Ssrc,
    seq: SeqNum,
    timestamp: RtpTime,
    samples: u32,
    duration: Duration,
    payload: Vec<u8>,
}

impl Voice {
    fn new(clip: AudioBuffer, options: &SendOptions) -> Result<Self, Box<dyn core::error::Error>> {
        let encoder: Box<dyn AudioEncoder> = match options.stream.codec {
            Codec::Opus => Box::new(OpusEncoder::new(&OpusConfig::default())?),
            Codec::L16 => Box::new(PcmEncoder::new(Coding::L16, FORMAT)?),
        };
        // 10 ms of L16 fill most of an Ethernet frame.
        let samples = if options.stream.codec == Codec::L16 { 480 } else { 960 };
        let [a, b, c, d, e, f, ..] = random()?.to_be_bytes();
        let frame = AudioBuffer::new(FORMAT.channels, usize::try_from(samples)?, RATE)?;
        Ok(Self {
            microphone: Microphone::new(clip, frame),
            encoder,
            payload_type: PayloadType::new(options.stream.payload_type),
            ssrc: Ssrc(options.ssrc.map_or_else(|| random().map(|ssrc| (ssrc >> 32) as u32), Ok)?),
            seq: SeqNum(u16::from_be_bytes([a, b])),
            timestamp: RtpTime(u32::from_be_bytes([c, d, e, f])),
            samples,
            duration: RATE.duration_of(samples.into()),
            payload: vec![0; MAX_PAYLOAD],
        })
    }

    fn next_packet(&mut self) -> Result<RtpPacket, String> {
        let frame = self.microphone.next_frame();
        let encoded = self.encoder.encode(frame, &mut self.payload).map_err(|error| error.to_string())?;
        let packet = RtpPacket::builder(self.payload_type, self.seq, self.timestamp, self.ssrc);
        let packet = packet.build(&self.payload[..encoded.len]).map_err(|error| error.to_string())?;
        self.seq = self.seq.next();
        self.timestamp = self.timestamp + self.samples;
        Ok(packet)
    }
}
