//! What is written, read by Wireshark; and recordings of real networks, read as they are.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::capture::{LinkType, PcapReader, PcapWriter, RtpDumpReader, RtpDumpWriter};

/// A quarter of an hour into a day of 2026.
const START: Instant = Instant::from_millis(1_795_219_200_250);

/// What `tshark` prints, a field each; `None`, and a message, where it is not installed.
fn tshark(file: &Path, arguments: &[&str]) -> Option<Vec<Vec<String>>> {
    let Ok(output) = Command::new("tshark").arg("-n").arg("-r").arg(file).args(arguments).output() else {
        println!("skipped: no tshark");
        return None;
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("isn't a capture file in a format") {
        // Rtpdump came with version 4.2.
        println!("skipped: this tshark is too old for {}", file.display());
        return None;
    }
    assert!(output.status.success(), "{complaint}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn packet(seq: u16) -> RtpPacket {
    let packet = RtpPacket::builder(PayloadType::new(111), SeqNum(seq), RtpTime(960 * u32::from(seq)), Ssrc(0xfeed));
    packet.build(&[7; 33]).unwrap()
}

#[test]
fn wireshark_reads_our_pcap_as_it_was_written() {
    // Ethernet is read by it below; Wireshark takes its time to start.
    let links = [LinkType::RawIp, LinkType::Null, LinkType::LinuxCooked, LinkType::LinuxCooked2];
    for link in links {
        let mut writer = PcapWriter::new(Vec::new(), link).unwrap();
        let v4 = ["192.0.2.1:5004", "192.0.2.2:6004"].map(|addr| addr.parse().unwrap());
        let v6 = ["[2001:db8::1]:5004", "[2001:db8::2]:6004"].map(|addr| addr.parse().unwrap());
        for (seq, [from, to]) in [(1, v4), (2, v6)] {
            let at = START + core::time::Duration::from_nanos(u64::from(seq));
            writer.write_udp(at, from, to, Ecn::Ce, packet(seq).as_bytes()).unwrap();
        }
        let path = file(&format!("link-{}.pcap", link.number()), &writer.into_inner());
        let fields = "frame.time_epoch ip.src ipv6.src udp.srcport udp.dstport rtp.seq rtp.ssrc rtp.p_type ip.dsfield.ecn \
            ipv6.tclass.ecn udp.checksum.status ip.checksum.status _ws.malformed";
        let mut arguments = vec!["-d", "udp.port==6004,rtp", "-T", "fields"];
        arguments.extend(["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
        arguments.extend(fields.split_whitespace().flat_map(|field| ["-e", field]));
        let Some(rows) = tshark(&path, &arguments) else { return };
        // A status of 1 is good.
        let expected = [
            ["1795219200.250000001", "192.0.2.1", "", "5004", "6004", "1", "0x0000feed", "111", "3", "", "1", "1", ""],
            ["1795219200.250000002", "", "2001:db8::1", "5004", "6004", "2", "0x0000feed", "111", "", "3", "1", "", ""],
        ];
        assert_eq!(rows, expected, "{link:?}");
    }
}

#[test]
fn wireshark_reads_our_rtpdump() {
    let mut writer = RtpDumpWriter::new(Vec::new(), START, "192.0.2.2:6004".parse().unwrap()).unwrap();
    for seq in 0..5_u16 {
        writer.write(START + core::time::Duration::from_millis(20 * u64::from(seq)), packet(seq).as_bytes()).unwrap();
    }
    let path = file("ours.rtpdump", &writer.into_inner());
    let Some(rows) = tshark(&path, &["-T", "fields", "-e", "frame.time_epoch", "-e", "rtp.seq"]) else { return };
    let expected = |seq: u16| vec![format!("1795219200.{:03}000000", 250 + 20 * seq), seq.to_string()];
    assert_eq!(rows, (0..5).map(expected).collect::<Vec<_>>());
}

#[test]
fn we_read_what_wireshark_writes() {
    let mut writer = PcapWriter::new(Vec::new(), LinkType::Ethernet).unwrap();
    let [from, to] = ["192.0.2.1:5004", "192.0.2.2:6004"].map(|addr| addr.parse().unwrap());
    writer.write_udp(START, from, to, Ecn::Ect1, packet(9).as_bytes()).unwrap();
    let ours = file("ours.pcap", &writer.into_inner());
    // In microseconds and in nanoseconds.
    for format in ["pcap", "nsecpcap"] {
        let theirs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("theirs-{format}"));
        if tshark(&ours, &["-F", format, "-w", theirs.to_str().unwrap()]).is_none() {
            return;
        }
        let bytes = std::fs::read(&theirs).unwrap();
        let frames: Result<Vec<_>, _> = PcapReader::new(&bytes).unwrap().collect();
        let [frame] = frames.unwrap()[..] else { panic!("one frame was written") };
        let datagram = frame.udp().unwrap();
        assert_eq!((frame.at, datagram.from, datagram.to, datagram.ecn), (START, from, to, Ecn::Ect1));
        assert_eq!(datagram.payload, packet(9).as_bytes());
    }
}

/// Recordings of others come back byte for byte.
#[test]
fn recordings_are_written_as_they_were_read() {
    for name in ["stereo_pcmu_jitter.rtp", "stereo_g729_jitter.rtp"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces").join(name);
        let Ok(file) = std::fs::read(&path) else {
            println!("skipped: no {}", path.display());
            continue;
        };
        let reader = RtpDumpReader::new(&file).unwrap();
        let (start, address) = (reader.start(), reader.address().unwrap_or_else(|| "0.0.0.0:0".parse().unwrap()));
        let mut writer = RtpDumpWriter::new(Vec::new(), start, address).unwrap();
        let mut packets = 0;
        for packet in reader {
            let packet = packet.unwrap();
            assert!(!packet.truncated && !packet.rtcp);
            RtpPacket::parse(bytes::Bytes::copy_from_slice(packet.bytes)).unwrap();
            writer.write(packet.at, packet.bytes).unwrap();
            packets += 1;
        }
        println!("{name}: {packets} packets");
        let written = writer.into_inner();
        let body = |file: &[u8]| {
            let line = file.iter().position(|byte| *byte == b'\n').unwrap();
            file[line + 17..].to_vec()
        };
        assert!(body(&written) == body(&file), "{name}");
    }
}
