use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Captured from browsers: L3T3 with nine decode targets and three chains.
const L3T3: &str = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a09\
                    41b820ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";
const L1T3: &str = "800001800214eaa860414d141020842701df010d";
const L1T1: &str = "80000180003a410180ef808680";

fn first(hex: &str) -> DependencyDescriptor {
    DependencyDescriptor::parse(&bytes(hex), None).unwrap()
}

#[test]
fn a_key_frame_brings_its_structure() {
    let key = first(L3T3);
    let structure = key.structure.as_ref().unwrap();
    assert_eq!((key.start_of_frame, key.end_of_frame, key.frame_number), (true, true, 370));
    assert_eq!((structure.targets(), structure.chains()), (9, 3));
    assert_eq!(structure.resolutions(), [(120, 67), (240, 135), (480, 270)]);
    assert_eq!(key.active_targets, Some(0x1ff));
    assert_eq!(key.frame_diffs.as_slice(), []);
    assert_eq!(structure.target_layer(8), Some(LayerId { spatial: 2, temporal: 2 }));
    assert_eq!(structure.target_layer(9), None);
}

#[test]
fn later_frames_refer_to_its_templates() {
    use Indication::{Discardable, NotPresent, Required};
    let structure = first(L3T3).structure.unwrap();
    let parse = |hex| DependencyDescriptor::parse(&bytes(hex), Some(&structure)).unwrap();
    let next = parse("86017340fc");
    assert_eq!((next.frame_number, next.layer), (371, LayerId { spatial: 1, temporal: 0 }));
    assert_eq!((next.frame_diffs.as_slice(), next.chain_diffs.as_slice()), (&[1][..], &[1, 1, 1][..]));
    assert_eq!(next.active_targets, Some(0x3f));
    let last = parse("c30175");
    assert_eq!((last.frame_number, last.layer), (373, LayerId { spatial: 0, temporal: 2 }));
    assert_eq!((last.frame_diffs.as_slice(), last.chain_diffs.as_slice()), (&[3][..], &[3, 2, 1][..]));
    let indications: Vec<_> = last.indications.iter().collect();
    let (n, d, r) = (NotPresent, Discardable, Required);
    assert_eq!(indications, [n, n, d, n, n, r, n, n, r]);
    assert_eq!((last.structure, last.active_targets), (None, None));
}

#[test]
fn one_layer_has_one_target_and_one_chain() {
    let key = first(L1T1);
    let structure = key.structure.unwrap();
    assert_eq!((structure.targets(), structure.chains(), structure.protected_by(0)), (1, 1, Some(0)));
    assert_eq!(structure.resolutions(), [(480, 270)]);
    let next = DependencyDescriptor::parse(&bytes("400001"), Some(&structure));
    assert_eq!(next.unwrap().frame_number, 1);
}

#[test]
fn three_temporal_layers() {
    let structure = first(L1T3).structure.unwrap();
    assert_eq!(structure.targets(), 3);
    let layers: Vec<_> =
        (0..3).filter_map(|target| structure.target_layer(target)).map(|layer| layer.temporal).collect();
    assert_eq!(layers, [0, 1, 2]);
}

#[test]
fn without_templates_a_descriptor_says_nothing() {
    assert_eq!(DependencyDescriptor::parse(&bytes("400001"), None), Err(Malformed::new(FORMAT, Fault::Inconsistent)));
}

#[test]
fn every_shorter_value_is_malformed() {
    for hex in [L3T3, L1T3, L1T1] {
        let whole = bytes(hex);
        for len in 0..whole.len() - 1 {
            assert!(DependencyDescriptor::parse(&whole[..len], None).is_err(), "{len} bytes of {hex}");
        }
    }
}

/// What browsers sent comes out of what was read of it to the bit, padding apart.
#[test]
fn av1_rtp_a_8_what_was_read_is_written_the_same() {
    for hex in [L3T3, L1T3, L1T1] {
        let key = first(hex);
        let mut out = vec![0xee];
        key.write(None, &mut out).unwrap();
        assert_eq!(out[0], 0xee, "appends");
        let sent = bytes(hex);
        assert!(out.len() <= 1 + sent.len() && sent.starts_with(&out[1..]), "{hex}");
        assert!(sent[out.len() - 1..].iter().all(|byte| *byte == 0), "{hex}");
    }
    let structure = first(L3T3).structure.unwrap();
    for hex in ["86017340fc", "c30175"] {
        let later = DependencyDescriptor::parse(&bytes(hex), Some(&structure)).unwrap();
        let mut out = Vec::new();
        later.write(Some(&structure), &mut out).unwrap();
        assert_eq!(out, bytes(hex));
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let key = first(L1T3);
    let mut out = Vec::new();
    let mut refused = |descriptor: &DependencyDescriptor, structure: Option<&DependencyStructure>| {
        let error = descriptor.write(structure, &mut out).unwrap_err();
        assert!(out.is_empty());
        error.setting()
    };
    let later = DependencyDescriptor { structure: None, active_targets: None, ..key.clone() };
    assert_eq!(refused(&later, None), "structure");
    let layer = LayerId { spatial: 1, temporal: 0 };
    assert_eq!(refused(&DependencyDescriptor { layer, ..key.clone() }, None), "layer");
    assert_eq!(refused(&DependencyDescriptor { active_targets: Some(8), ..key.clone() }, None), "active_targets");
    let indications = Indications::default();
    assert_eq!(refused(&DependencyDescriptor { indications, ..key }, None), "indications");
}

#[test]
fn impossible_structures_are_refused() {
    let base =
        FrameTemplate { indications: Indications::new(&[Indication::Switch]).unwrap(), ..FrameTemplate::default() };
    let setting = |templates: &[FrameTemplate], protected_by: &[u8], resolutions: &[(u16, u16)]| {
        DependencyStructure::new(0, templates, protected_by, resolutions).map_err(|error| error.setting()).map(|_| ())
    };
    assert_eq!(setting(&[base], &[], &[]), Ok(()));
    assert_eq!(setting(&[], &[], &[]), Err("templates"));
    assert_eq!(setting(&[FrameTemplate::default()], &[], &[]), Err("templates"), "no decode target");
    let far = FrameTemplate { layer: LayerId { spatial: 2, temporal: 0 }, ..base };
    assert_eq!(setting(&[base, far], &[], &[]), Err("templates"), "a layer left out");
    let long = FrameTemplate { frame_diffs: FrameDiffs::new(&[17]).unwrap(), ..base };
    assert_eq!(setting(&[long], &[], &[]), Err("templates"), "no room");
    assert_eq!(setting(&[base], &[0], &[]), Err("protected_by"), "no chain");
    assert_eq!(setting(&[base], &[], &[(0, 1)]), Err("resolutions"));
    assert!(FrameDiffs::new(&[0]).is_err() && FrameDiffs::new(&[1; 9]).is_err() && FrameDiffs::new(&[4_097]).is_err());
    assert!(ChainDiffs::new(&[0; 33]).is_err() && Indications::new(&[Indication::Required; 33]).is_err());
}
