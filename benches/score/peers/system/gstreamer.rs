//! GStreamer's elements for redundancy, both ways: their encoders with our decoders, our encoders with theirs.

use std::io::Write as _;
use std::process::{Command, Stdio};

use bytes::{Bytes, BytesMut};
use rtc_core::fec::{FecDecoder as _, FecEncoder as _};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig, encapsulate};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};
use rtc_fec::ulpfec::{Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig};

use crate::interop::{Crossed, Crossing};

/// Feeds packets to an element and gives back what comes out; see there for payload types and SSRCs.
const SCRIPT: &str = include_str!("../../../../peers/gstreamer/rtp.py");
pub(super) const PYTHON: &str = "/usr/bin/python3";

const VIDEO: PayloadType = PayloadType::new(96);
const RTX: PayloadType = PayloadType::new(97);
const VIDEO_RED: PayloadType = PayloadType::new(100);
const OPUS: PayloadType = PayloadType::new(111);
const FEC: PayloadType = PayloadType::new(122);
const RED: PayloadType = PayloadType::new(63);
const MEDIA_SSRC: Ssrc = Ssrc(1);
const RTX_SSRC: Ssrc = Ssrc(2);
/// Of media packets, each this many is lost, the third first.
const LOSS: usize = 12;
/// Packets of a picture, which are protected together.
const PICTURE: usize = 5;

/// GStreamer's version, or why it cannot be had.
pub(super) fn version() -> Result<String, String> {
    let probe = "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstApp', '1.0')\n\
        from gi.repository import Gst, GstApp; Gst.init(None)\n\
        missing = [n for n in ['rtpulpfecdec', 'rtpreddec', 'rtprtxreceive', 'rtpstorage'] if not Gst.ElementFactory.find(n)]\n\
        print(f'no {missing}' if missing else '%d.%d.%d' % Gst.version()[:3])";
    let output = Command::new(PYTHON).args(["-c", probe]).output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    match text.trim() {
        "" => Err("python3-gi or GStreamer is not installed: run make peers".into()),
        missing if missing.starts_with("no ") => Err(format!("{missing}: run make peers")),
        version => Ok(version.into()),
    }
}

/// All pairs of an encoder and a decoder.
pub(super) static CROSSINGS: [Crossing; 7] = [
    Crossing { name: "ULPFEC: ours encodes, GStreamer decodes", run: || ulpfec_to_peer(false) },
    Crossing { name: "ULPFEC in RED: ours encodes, GStreamer decodes", run: || ulpfec_to_peer(true) },
    Crossing { name: "ULPFEC: GStreamer encodes, ours decodes", run: ulpfec_from_peer },
    Crossing { name: "RED: ours encodes, GStreamer decodes", run: red_to_peer },
    Crossing { name: "RED: GStreamer encodes, ours decodes", run: red_from_peer },
    Crossing { name: "RTX: ours retransmits, GStreamer receives", run: rtx_to_peer },
    Crossing { name: "RTX: GStreamer retransmits, ours receives", run: rtx_from_peer },
];

fn ulpfec_to_peer(in_red: bool) -> Result<Crossed, String> {
    let mut config = UlpfecEncoderConfig::default();
    config.payload_type = FEC;
    config.protection = Protection::even(PICTURE, 2).map_err(text)?;
    let mut encoder = UlpfecEncoder::new(config).map_err(text)?;
    let (mut stream, mut sent, mut pool, mut seq) = (Vec::new(), Vec::new(), BytesMut::new(), SeqNum(65_400));
    // Without RED too, their decoder finds repair packets in the numbers of the media.
    for mut packet in video() {
        packet.rewrite(|header| header.set_seq(seq));
        seq = seq.next();
        encoder.protect(&packet);
        stream.push(packet.clone());
        sent.push(packet);
        while let Some(mut repair) = encoder.poll_repair() {
            repair.rewrite(|header| header.set_seq(seq));
            seq = seq.next();
            stream.push(repair);
        }
    }
    let lost = lose(&mut stream, VIDEO);
    let mode = if in_red { "ulpfec-red-decode" } else { "ulpfec-decode" };
    if in_red {
        stream.iter_mut().for_each(|packet| *packet = encapsulate(packet, VIDEO_RED, packet.seq(), &mut pool));
    }
    // Their decoder numbers what it gives out anew.
    let mut received = exchange(mode, &[], &stream)?;
    received.retain(|packet| packet.payload_type() == VIDEO);
    let unnumbered = |packets: &[RtpPacket]| packets.iter().cloned().map(without_number).collect::<Vec<_>>();
    Ok(Crossed::between(&unnumbered(&sent), &unnumbered(&lost), &unnumbered(&received)))
}

fn ulpfec_from_peer() -> Result<Crossed, String> {
    let mut stream = exchange("ulpfec-encode", &[], &video())?;
    let sent: Vec<_> = stream.iter().filter(|packet| packet.payload_type() == VIDEO).cloned().collect();
    let lost = lose(&mut stream, VIDEO);
    let mut config = UlpfecDecoderConfig::default();
    config.payload_type = FEC;
    let mut decoder = UlpfecDecoder::new(config).map_err(text)?;
    let mut received = Vec::new();
    for packet in stream {
        if packet.payload_type() == FEC {
            decoder.insert_repair(&packet).map_err(text)?;
        } else {
            decoder.insert_source(&packet);
            received.push(packet);
        }
        received.extend(core::iter::from_fn(|| decoder.poll_recovered()));
    }
    Ok(Crossed::between(&sent, &lost, &received))
}

fn red_to_peer() -> Result<Crossed, String> {
    let sent = audio();
    let mut encoder = RedEncoder::new(RedEncoderConfig::default()).map_err(text)?;
    let mut plain = sent.clone();
    let lost = lose(&mut plain, OPUS);
    let mut stream: Vec<_> = sent.iter().map(|packet| encoder.encode(packet)).collect();
    stream.retain(|packet| lost.iter().all(|lost| lost.seq() != packet.seq()));
    Ok(Crossed::between(&sent, &lost, &exchange("red-decode", &[], &stream)?))
}

fn red_from_peer() -> Result<Crossed, String> {
    let sent = audio();
    let mut plain = sent.clone();
    let lost = lose(&mut plain, OPUS);
    let mut config = RedDecoderConfig::default();
    config.payload_type = RED;
    let (mut decoder, mut received) = (RedDecoder::new(config), Vec::new());
    for packet in exchange("red-encode", &[], &sent)? {
        if lost.iter().all(|lost| lost.timestamp() != packet.timestamp()) {
            decoder.insert(&packet).map_err(text)?;
            received.extend(core::iter::from_fn(|| decoder.poll()));
        }
    }
    Ok(Crossed::between(&sent, &lost, &received))
}

fn rtx_to_peer() -> Result<Crossed, String> {
    let mut config = RtxHistoryConfig::default();
    (config.ssrc, config.payload_types) = (Some(RTX_SSRC), vec![RtxPayloadType { rtx: RTX, original: VIDEO }]);
    let mut history = RtxHistory::new(config).map_err(text)?;
    let (sent, mut stream) = (video(), video());
    let lost = lose(&mut stream, VIDEO);
    sent.iter().for_each(|packet| history.insert(Instant::ZERO, packet));
    for packet in &lost {
        let Retransmit::Packet(again) = history.retransmit(Instant::ZERO, packet.seq()) else { continue };
        stream.push(again);
    }
    Ok(Crossed::between(&sent, &lost, &exchange("rtx-decode", &[], &stream)?))
}

fn rtx_from_peer() -> Result<Crossed, String> {
    let mut config = RtxReceiverConfig::default();
    (config.ssrc, config.payload_types) = (Some(MEDIA_SSRC), vec![RtxPayloadType { rtx: RTX, original: VIDEO }]);
    let mut receiver = RtxReceiver::new(config).map_err(text)?;
    let (sent, mut rest) = (video(), video());
    let lost = lose(&mut rest, VIDEO);
    let numbers: Vec<_> = lost.iter().map(|packet| packet.seq().0).collect();
    let mut received = Vec::new();
    for packet in exchange("rtx-encode", &numbers, &sent)? {
        if packet.ssrc() == RTX_SSRC
            && let Received::Original(packet) = receiver.receive(&packet).map_err(text)?
        {
            received.push(packet);
        }
    }
    Ok(Crossed::between(&sent, &lost, &received))
}

/// 48 pictures in two seconds, packets of all sizes, numbers and timestamps that wrap.
fn video() -> Vec<RtpPacket> {
    let times = (0..48_u32).flat_map(|picture| [u32::MAX.wrapping_sub(70_000).wrapping_add(picture * 3_600); PICTURE]);
    media(VIDEO, times, 1_100)
}

/// Five seconds of packets of 20 ms.
fn audio() -> Vec<RtpPacket> {
    media(OPUS, (0..250_u32).map(|packet| u32::MAX.wrapping_sub(120_000).wrapping_add(packet * 960)), 160)
}

fn media(payload_type: PayloadType, times: impl Iterator<Item = u32>, longest: u64) -> Vec<RtpPacket> {
    let (mut rng, mut payload) = (Rng::new(1), vec![0; 1_200]);
    let mut seq = SeqNum(65_400);
    let mut packets = Vec::new();
    for (at, time) in times.enumerate() {
        let payload = &mut payload[..usize::try_from(1 + rng.below(longest)).unwrap_or(1)];
        rng.fill(payload);
        let packet = RtpPacket::builder(payload_type, seq, RtpTime(time), MEDIA_SSRC);
        let last = payload_type == VIDEO && at % PICTURE == PICTURE - 1;
        packets.extend(packet.marker(last).build(payload));
        seq = seq.next();
    }
    packets
}

/// Takes packets of media out of a stream, never two in a row.
fn lose(stream: &mut Vec<RtpPacket>, payload_type: PayloadType) -> Vec<RtpPacket> {
    let mut at = 0;
    stream
        .extract_if(.., |packet| {
            at += usize::from(packet.payload_type() == payload_type);
            packet.payload_type() == payload_type && at % LOSS == 3
        })
        .collect()
}

fn without_number(mut packet: RtpPacket) -> RtpPacket {
    packet.rewrite(|header| header.set_seq(SeqNum(0)));
    packet
}

/// Passes packets through GStreamer.
fn exchange(mode: &str, requests: &[u16], packets: &[RtpPacket]) -> Result<Vec<RtpPacket>, String> {
    let mut frames = Vec::new();
    for packet in packets {
        let bytes: &[u8] = packet.as_ref();
        frames.extend(u16::try_from(bytes.len()).map_err(text)?.to_be_bytes());
        frames.extend(bytes);
    }
    let mut child = Command::new(PYTHON)
        .args(["-c", SCRIPT, mode])
        .args(requests.iter().map(ToString::to_string))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)?;
    // It reads everything before it writes anything.
    child.stdin.take().ok_or("no input")?.write_all(&frames).map_err(text)?;
    let output = child.wait_with_output().map_err(text)?;
    if !output.status.success() {
        return Err(format!("{mode}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let (mut bytes, mut received) = (Bytes::from(output.stdout), Vec::new());
    while bytes.len() >= 2 {
        let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let mut packet = bytes.split_off(2);
        bytes = packet.split_off(length.min(packet.len()));
        received.push(RtpPacket::parse(packet).map_err(text)?);
    }
    Ok(received)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
