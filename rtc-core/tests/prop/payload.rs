use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::dependency::DependencyDescriptor;
use rtc_core::rtp::payload::{av1, h264, vp8, vp9};

/// A real structure, with bytes of it changed: what random bytes hardly ever are.
fn structure() -> impl Strategy<Value = Vec<u8>> {
    const KEY: [u8; 20] = [
        0x80, 0x00, 0x01, 0x80, 0x00, 0x02, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20, 0x84, 0x27, 0x01,
        0xdf, 0x01,
    ];
    vec((0..KEY.len(), any::<u8>()), 0..4).prop_map(|changes| {
        let mut bytes = KEY.to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(payload in vec(any::<u8>(), 0..60)) {
        if let Ok((_, media)) = vp8::Descriptor::parse(&payload) {
            prop_assert!(payload.ends_with(media) && !media.is_empty());
        }
        if let Ok((_, media)) = vp9::Descriptor::parse(&payload) {
            prop_assert!(payload.ends_with(media) && !media.is_empty());
        }
        if let Ok(parsed) = av1::Payload::parse(&payload) {
            let held: usize = parsed.elements().map(<[u8]>::len).sum();
            prop_assert!(held < payload.len());
        }
        if let Ok(h264::Payload::Aggregate(units)) = h264::Payload::parse(&payload) {
            let held: usize = units.map(|unit| unit.len() + 2).sum();
            prop_assert_eq!(held + 1, payload.len());
        }
        let _ = DependencyDescriptor::parse(&payload, None);
    }

    #[test]
    fn any_descriptor_is_read_or_refused(key in structure(), after in vec(vec(any::<u8>(), 0..12), 0..4)) {
        let Ok(key) = DependencyDescriptor::parse(&key, None) else { return Ok(()) };
        let structure = key.structure.unwrap();
        for bytes in after {
            let Ok(frame) = DependencyDescriptor::parse(&bytes, Some(&structure)) else { continue };
            prop_assert!(frame.frame_diffs.as_slice().iter().all(|diff| *diff > 0));
            let structure = frame.structure.as_ref().unwrap_or(&structure);
            prop_assert_eq!(frame.chain_diffs.as_slice().len(), structure.chains());
            prop_assert_eq!(frame.indications.len(), structure.targets());
        }
    }

    #[test]
    fn base_128_numbers_survive(value in any::<u32>()) {
        let (bytes, len) = av1::to_leb128(value);
        prop_assert_eq!(av1::read_leb128(&bytes[..len]), Some((value as usize, len)));
    }
}
