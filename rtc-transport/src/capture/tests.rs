use proptest::prelude::*;
use rtc_core::Fault;
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;

use super::{LinkType, NotUdp, PcapReader, PcapWriter, RtpDumpReader, RtpDumpWriter, UdpView};

const LINKS: [LinkType; 6] = [
    LinkType::Null,
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::Loop,
    LinkType::LinuxCooked,
    LinkType::LinuxCooked2,
];

/// A datagram from documentation addresses, in a file of one frame.
fn file(link: LinkType, v6: bool, payload: &[u8]) -> Vec<u8> {
    let (from, to) =
        if v6 { ("[2001:db8::1]:5004", "[2001:db8::2]:6004") } else { ("192.0.2.1:5004", "192.0.2.2:6004") };
    let mut writer = PcapWriter::new(Vec::new(), link).unwrap();
    let at = Instant::from_nanos(1_795_000_000_123_456_789);
    writer.write_udp(at, from.parse().unwrap(), to.parse().unwrap(), Ecn::Ect1, payload).unwrap();
    writer.into_inner()
}

fn only(file: &[u8]) -> super::Frame<'_> {
    let frames: Result<Vec<_>, _> = PcapReader::new(file).unwrap().collect();
    let [frame] = frames.unwrap()[..] else { panic!("one frame was written") };
    frame
}

/// The datagram in a frame of Ethernet with these bytes changed.
fn changed(v6: bool, changes: &[(usize, u8)]) -> Result<Vec<u8>, NotUdp> {
    let mut file = file(LinkType::RawIp, v6, b"payload");
    for (at, byte) in changes {
        file[40 + at] = *byte;
    }
    only(&file).udp().map(|datagram| datagram.payload.to_vec())
}

#[test]
fn every_link_and_family_is_read_as_written() {
    for link in LINKS {
        for v6 in [false, true] {
            let file = file(link, v6, b"hello");
            let frame = only(&file);
            assert_eq!((frame.link, frame.at.as_nanos()), (link, 1_795_000_000_123_456_789));
            assert_eq!(LinkType::from_number(link.number()), link);
            let UdpView { from, to, ecn, payload } = frame.udp().unwrap();
            assert_eq!((from.is_ipv6(), from.port(), to.port()), (v6, 5_004, 6_004));
            assert_eq!((ecn, payload), (Ecn::Ect1, &b"hello"[..]), "{link:?}");
        }
    }
}

#[test]
fn all_four_kinds_of_pcap_are_read() {
    let little = file(LinkType::RawIp, false, b"hello");
    for (nanos, big) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut file = little.clone();
        if !nanos {
            file[..4].copy_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
            file[28..32].copy_from_slice(&123_456_u32.to_le_bytes());
        }
        if big {
            for range in [0..4, 4..6, 6..8, 8..12, 12..16, 16..20, 20..24, 24..28, 28..32, 32..36, 36..40] {
                file[range].reverse();
            }
        }
        let frame = only(&file);
        let expected = if nanos { 1_795_000_000_123_456_789 } else { 1_795_000_000_123_456_000 };
        assert_eq!((frame.at.as_nanos(), frame.udp().unwrap().payload), (expected, &b"hello"[..]));
    }
}

#[test]
fn tags_of_virtual_networks_are_skipped() {
    let mut file = file(LinkType::Ethernet, true, b"hello");
    for (field, len) in [(32, 8), (36, 8)] {
        file[field] += len;
    }
    file.splice(52..52, [0x88, 0xa8, 0, 5, 0x81, 0, 0, 9]);
    assert_eq!(only(&file).udp().unwrap().payload, b"hello");
}

#[test]
fn checksums_are_right() {
    for (v6, payload) in [(false, &b"odd"[..]), (true, b"even")] {
        let file = file(LinkType::RawIp, v6, payload);
        let ip = &file[40..];
        let sum = |bytes: &[u8]| -> u32 {
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low))).sum()
        };
        let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
        let (addresses, udp) = if v6 { (&ip[8..40], &ip[40..]) } else { (&ip[12..20], &ip[20..]) };
        // RFC 768: over a pseudo header and all of the datagram, checksum included, it is all ones.
        let whole = sum(addresses) + 17 + u32::try_from(udp.len()).unwrap() + sum(udp);
        assert_eq!(fold(fold(whole)), 0xffff);
        if !v6 {
            assert_eq!(fold(fold(sum(&ip[..20]))), 0xffff, "RFC 791 §3.1");
        }
    }
}

#[test]
fn frames_without_a_datagram_say_why() {
    assert_eq!(changed(false, &[]), Ok(b"payload".to_vec()));
    assert_eq!(changed(false, &[(9, 6)]), Err(NotUdp::Other), "TCP");
    assert_eq!(changed(true, &[(6, 58)]), Err(NotUdp::Other), "ICMP");
    assert_eq!(changed(false, &[(6, 0x20)]), Err(NotUdp::Fragment), "more fragments");
    assert_eq!(changed(false, &[(7, 1)]), Err(NotUdp::Fragment), "not the first");
    assert_eq!(changed(false, &[(0, 0x44)]), Err(NotUdp::Malformed), "16 bytes of header");
    assert_eq!(changed(false, &[(0, 0x55)]), Err(NotUdp::Malformed), "version 5");
    assert_eq!(changed(false, &[(25, 3)]), Err(NotUdp::Malformed), "shorter than a UDP header");
    assert_eq!(changed(false, &[(25, 200)]), Err(NotUdp::Truncated), "longer than what is there");
    assert_eq!(changed(false, &[(2, 0), (3, 0)]), Ok(b"payload".to_vec()), "the length was left to the network card");
    let mut other = file(LinkType::RawIp, false, b"hello");
    other[20] = 147;
    assert_eq!(only(&other).udp(), Err(NotUdp::Other));
    let mut arp = file(LinkType::Ethernet, false, b"hello");
    (arp[52], arp[53]) = (0x08, 0x06);
    assert_eq!(only(&arp).udp(), Err(NotUdp::Other));
}

#[test]
fn extension_headers_of_ipv6_are_skipped() {
    let base = file(LinkType::RawIp, true, b"hello");
    for (kind, header, expected) in [
        (0, vec![17, 0, 1, 4, 0, 0, 0, 0], None),
        (60, vec![17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
        (44, vec![17, 0, 0, 0, 1, 2, 3, 4], None),
        (44, vec![17, 0, 0, 1, 1, 2, 3, 4], Some(NotUdp::Fragment)),
        (44, vec![17, 0, 0, 8, 1, 2, 3, 4], Some(NotUdp::Fragment)),
        (43, vec![17, 200, 0, 0, 0, 0, 0, 0], Some(NotUdp::Truncated)),
    ] {
        let mut file = base.clone();
        let len = u8::try_from(header.len()).unwrap();
        for field in [32, 36, 45] {
            file[field] += len;
        }
        file[46] = kind;
        file.splice(80..80, header);
        match expected {
            None => assert_eq!(only(&file).udp().unwrap().payload, b"hello"),
            Some(reason) => assert_eq!(only(&file).udp(), Err(reason)),
        }
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let fault = |file: &[u8]| PcapReader::new(file).map(|_| ()).unwrap_err().fault();
    assert_eq!(fault(b""), Fault::Truncated);
    assert_eq!(fault(b"RIFF and so on"), Fault::Type);
    assert_eq!(fault(&0x0a0d_0d0a_u32.to_le_bytes()), Fault::Type, "pcapng");
    let whole = file(LinkType::RawIp, false, b"hello");
    assert_eq!(fault(&whole[..23]), Fault::Truncated);
    let mut old = whole.clone();
    old[4] = 1;
    assert_eq!(fault(&old), Fault::Version);
    let mut cut = PcapReader::new(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(cut.next().unwrap().unwrap_err().fault(), Fault::Truncated);
    assert_eq!(cut.next(), None);
    let fault = |file: &[u8]| RtpDumpReader::new(file).map(|_| ()).unwrap_err().fault();
    assert_eq!(fault(b"#!rtpplay2.0 0.0.0.0/0\n"), Fault::Type);
    assert_eq!(fault(b"#!rtpplay1.0 0.0.0.0/0"), Fault::Truncated);
    assert_eq!(fault(b"#!rtpplay1.0 0.0.0.0/0\n123456789012345"), Fault::Truncated);
    let mut short = RtpDumpReader::new(b"#!rtpplay1.0 0.0.0.0/0\n1234567890123456\0\x07\0\0\0\0\0\0").unwrap();
    assert_eq!(short.next().unwrap().unwrap_err().fault(), Fault::Length);
    assert_eq!(short.next(), None);
}

#[test]
fn what_has_no_place_in_the_formats_is_refused() {
    let mut pcap = PcapWriter::new(Vec::new(), LinkType::RawIp).unwrap();
    let (v4, v6) = ("192.0.2.1:1".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap());
    let at = Instant::from_millis(5);
    assert!(pcap.write_udp(at, v4, v6, Ecn::NotEct, b"").is_err());
    assert!(pcap.write_udp(at, v4, v4, Ecn::NotEct, &vec![0; 65_508]).is_err());
    assert!(pcap.write_udp(Instant::MAX, v4, v4, Ecn::NotEct, b"").is_err());
    assert!(pcap.write_udp(at, v4, v4, Ecn::NotEct, &vec![0; 65_507]).is_ok());
    assert!(PcapWriter::new(Vec::new(), LinkType::Other(7)).unwrap().write_udp(at, v4, v4, Ecn::NotEct, b"").is_err());
    let mut dump = RtpDumpWriter::new(Vec::new(), at, v6).unwrap();
    assert!(dump.write(at, b"").is_err());
    assert!(dump.write(at, &vec![0x80; 65_528]).is_err());
    assert!(dump.write(Instant::from_millis(1 << 33), &[0x80]).is_err());
    assert_eq!(RtpDumpReader::new(&dump.into_inner()).unwrap().address(), Some(v6));
}

/// Reads all there is, and everything in it.
fn walk(file: &[u8]) {
    for frame in PcapReader::new(file).into_iter().flatten().flatten() {
        let _ = frame.udp();
        for link in LINKS {
            let _ = super::Frame { link, ..frame }.udp();
        }
    }
    for packet in RtpDumpReader::new(file).into_iter().flatten().flatten() {
        assert!(packet.bytes.len() <= file.len());
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in payload(), frame in payload(), cut in any::<prop::sample::Index>()) {
        walk(&bytes);
        for (v6, link) in [false, true].into_iter().zip(LINKS.iter().cycle()) {
            let mut whole = file(*link, v6, &frame);
            let at = cut.index(whole.len());
            walk(&whole[..at]);
            // Damaged at one place, and followed by anything.
            whole[at] ^= bytes.first().copied().unwrap_or(0x55) | 1;
            whole.extend(&bytes);
            walk(&whole);
        }
        let mut dump = b"#!rtpplay1.0 192.0.2.1/5004\n".to_vec();
        dump.extend(&bytes);
        walk(&dump);
    }

    #[test]
    fn pcap_returns_what_was_written(
        datagrams in prop::collection::vec(
            (any::<u32>(), 0..1_000_000_000_u64, any::<[u8; 4]>(), any::<u16>(), any::<bool>(), 0..4_usize, payload()),
            0..12,
        ),
        link in prop::sample::select(&LINKS[..]),
    ) {
        let marks = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];
        let mut writer = PcapWriter::new(Vec::new(), link).unwrap();
        let mut expected = Vec::new();
        for (seconds, nanos, ip, port, v6, mark, payload) in &datagrams {
            let ip = core::net::Ipv4Addr::from(*ip);
            let ip = if *v6 { ip.to_ipv6_mapped().into() } else { core::net::IpAddr::from(ip) };
            let (from, to) = (core::net::SocketAddr::new(ip, *port), core::net::SocketAddr::new(ip, port.wrapping_add(1)));
            let at = Instant::from_nanos(u64::from(*seconds) * 1_000_000_000 + nanos);
            writer.write_udp(at, from, to, marks[*mark], payload).unwrap();
            expected.push((at, UdpView { from, to, ecn: marks[*mark], payload }));
        }
        let file = writer.into_inner();
        let read: Result<Vec<_>, _> = PcapReader::new(&file).unwrap().collect();
        let read: Vec<_> = read.unwrap().into_iter().map(|frame| (frame.at, frame.udp().unwrap())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn rtpdump_returns_what_was_written(
        packets in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 1..100)), 0..12),
        start in 0..4_000_000_000_000_u64,
    ) {
        let start = Instant::from_millis(start);
        let mut writer = RtpDumpWriter::new(Vec::new(), start, "192.0.2.1:5004".parse().unwrap()).unwrap();
        for (offset, packet) in &packets {
            writer.write(start + core::time::Duration::from_millis((*offset).into()), packet).unwrap();
        }
        let file = writer.into_inner();
        let reader = RtpDumpReader::new(&file).unwrap();
        prop_assert_eq!(reader.start(), start);
        let read: Result<Vec<_>, _> = reader.collect();
        for ((offset, packet), read) in packets.iter().zip(read.unwrap()) {
            prop_assert_eq!(read.at - start, core::time::Duration::from_millis((*offset).into()));
            prop_assert_eq!((read.bytes, read.truncated), (&packet[..], false));
            prop_assert_eq!(read.rtcp, crate::rtcp::is_rtcp(packet));
        }
    }
}
