//! Which layers come out of a stream that says what its decode targets are (AV1 RTP payload specification, appendix A).

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::dependency::{
    ChainDiffs, DependencyDescriptor, DependencyStructure, FrameDiffs, FrameTemplate, Indication, Indications,
};
use rtc_core::svc::LayerId;
use rtc_jitter::VideoCodec;

use crate::payloads::Receiver;

const S0: LayerId = LayerId { spatial: 0, temporal: 0 };
const S1: LayerId = LayerId { spatial: 1, temporal: 0 };

/// Two spatial layers, a decode target and a chain for each; frames of both in turn.
struct Camera {
    receiver: Receiver,
    structure: DependencyStructure,
    number: u16,
    picture: u32,
    /// How the upper layers were, after the first.
    uppers: Vec<Upper>,
}

/// How the upper layer of a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// It needs the one before.
    Required,
    /// Decoders can switch to it.
    Switch,
    Lost,
    NotSent,
}

fn template(layer: LayerId, indications: [Indication; 2], diffs: &[u16], chains: [u8; 2]) -> FrameTemplate {
    let mut template = FrameTemplate::default();
    (template.layer, template.indications) = (layer, Indications::new(&indications).unwrap());
    (template.frame_diffs, template.chain_diffs) = (FrameDiffs::new(diffs).unwrap(), ChainDiffs::new(&chains).unwrap());
    template
}

impl Camera {
    /// The upper layer needs the lower one if it `is_layered`, or is a stream of its own.
    fn new(is_layered: bool) -> Self {
        use Indication::{NotPresent, Required, Switch};
        let in_upper = |indication| if is_layered { indication } else { NotPresent };
        let templates = [
            template(S0, [Switch, in_upper(Switch)], &[], [0, 0]),
            template(S0, [Required, in_upper(Required)], &[2], [2, 1]),
            template(S1, [NotPresent, Switch], if is_layered { &[1] } else { &[] }, [1, u8::from(is_layered)]),
            template(
                S1,
                [NotPresent, Required],
                if is_layered { &[2, 1] } else { &[2] },
                [1, if is_layered { 1 } else { 2 }],
            ),
        ];
        let structure = DependencyStructure::new(7, &templates, &[0, 1], &[]).unwrap();
        Self { receiver: Receiver::new(VideoCodec::Av1), structure, number: 65_530, picture: 0, uppers: Vec::new() }
    }

    /// Sends a picture; `active` says which decode targets are sent from here on.
    fn send(&mut self, key: bool, upper: Upper, active: Option<u32>) {
        let [mark, end] = [self.picture.to_le_bytes()[0], u8::from(upper == Upper::NotSent)];
        self.frame(if key { 0 } else { 1 }, key, active, &[0x10, 0x30, mark, 0], end == 1);
        match upper {
            Upper::NotSent => {}
            Upper::Lost => {
                self.number = self.number.wrapping_add(1);
                self.receiver.skip();
            }
            Upper::Switch => self.frame(2, false, None, &[0x10, 0x30, mark, 1], true),
            Upper::Required => self.frame(3, false, None, &[0x10, 0x30, mark, 1], true),
        }
        self.number = self.number.wrapping_add(u16::from(upper == Upper::NotSent));
        self.picture += 1;
    }

    fn frame(&mut self, template: usize, key: bool, active: Option<u32>, payload: &[u8], is_last: bool) {
        let frame = self.structure.templates()[template];
        let descriptor = DependencyDescriptor {
            start_of_frame: true,
            end_of_frame: true,
            frame_number: self.number,
            structure: key.then(|| self.structure.clone()),
            active_targets: active,
            layer: frame.layer,
            indications: frame.indications,
            frame_diffs: frame.frame_diffs,
            chain_diffs: frame.chain_diffs,
        };
        let mut bytes = Vec::new();
        descriptor.write(Some(&self.structure), &mut bytes).unwrap();
        self.receiver.described(3_000 * self.picture, payload, is_last, &bytes);
        self.number = self.number.wrapping_add(1);
    }

    /// The layers of the pictures that came out since asked last.
    fn layers(&mut self) -> Vec<Vec<u8>> {
        let pictures = self.receiver.pictures();
        pictures.iter().map(|picture| picture.frame.payload[2..].chunks(4).map(|obu| obu[3]).collect()).collect()
    }

    fn target(&self) -> Option<(usize, LayerId)> {
        self.receiver.buffer.decode_target()
    }
}

#[test]
fn av1_rtp_a_the_highest_decode_target_is_followed() {
    let mut camera = Camera::new(true);
    assert_eq!(camera.target(), None);
    camera.send(true, Upper::Switch, None);
    (0..3).for_each(|_| camera.send(false, Upper::Required, None));
    assert_eq!(camera.layers(), vec![vec![0, 1]; 4]);
    assert_eq!(camera.target(), Some((1, S1)));
}

#[test]
fn av1_rtp_a_nothing_above_the_limit_comes_out() {
    let mut camera = Camera::new(true);
    camera.receiver.buffer.set_max_layer(Some(S0));
    camera.send(true, Upper::Switch, None);
    (0..3).for_each(|_| camera.send(false, Upper::Required, None));
    assert_eq!(camera.layers(), vec![vec![0]; 4]);
    assert_eq!((camera.target(), camera.receiver.asks()), (Some((0, S0)), false));
    assert_eq!(camera.receiver.buffer.stats().frames_dropped, 4);
    camera.receiver.buffer.set_max_layer(None);
    camera.send(false, Upper::Required, None);
    assert_eq!(camera.layers().last(), Some(&vec![0]), "not where it needs what was left out");
    camera.send(false, Upper::Switch, None);
    camera.send(false, Upper::Required, None);
    assert_eq!(camera.layers()[5..], vec![vec![0, 1]; 2], "but from where one can switch");
    assert_eq!(camera.target(), Some((1, S1)));
}

#[test]
fn av1_rtp_a_a_lower_target_is_followed_until_one_can_switch_back() {
    let mut camera = Camera::new(true);
    camera.send(true, Upper::Switch, None);
    camera.send(false, Upper::Lost, None);
    (0..2).for_each(|_| camera.send(false, Upper::Required, None));
    assert_eq!(camera.layers(), [vec![0, 1], vec![0], vec![0], vec![0]]);
    assert_eq!((camera.target(), camera.receiver.asks()), (Some((0, S0)), false), "the base goes on");
    camera.send(false, Upper::Switch, None);
    camera.send(false, Upper::Required, None);
    assert_eq!(camera.layers()[4..], vec![vec![0, 1]; 2]);
    assert_eq!(camera.target(), Some((1, S1)));
}

#[test]
fn av1_rtp_a_targets_that_are_not_sent_are_not_missed() {
    let mut camera = Camera::new(true);
    camera.send(true, Upper::Switch, None);
    (0..3).for_each(|_| camera.send(false, Upper::NotSent, Some(0b01)));
    assert_eq!(camera.layers(), [vec![0, 1], vec![0], vec![0], vec![0]]);
    assert_eq!((camera.target(), camera.receiver.asks()), (Some((0, S0)), false));
    camera.send(false, Upper::Switch, Some(0b11));
    assert_eq!(camera.layers().last(), Some(&vec![0, 1]));
    assert_eq!(camera.target(), Some((1, S1)));
}

#[test]
fn av1_rtp_a_a_target_without_the_lower_layer_does_without_it() {
    let mut camera = Camera::new(false);
    camera.send(true, Upper::Switch, None);
    (0..2).for_each(|_| camera.send(false, Upper::Required, None));
    assert_eq!(camera.layers(), [vec![0, 1], vec![1], vec![1]]);
    // Neither goes on: of the lower layer frames were left out.
    camera.send(false, Upper::Lost, None);
    (0..40).for_each(|_| camera.send(false, Upper::Required, None));
    assert_eq!(camera.layers().len(), 3);
    assert!(camera.receiver.asks());
    camera.send(true, Upper::Switch, None);
    assert_eq!(camera.layers().last(), Some(&vec![0, 1]));
}

proptest! {
    /// Whatever is lost or left out, and however the limit moves: a layer comes out only if the layer before it and the one below did,
    /// and the base of each picture does.
    #[test]
    fn what_comes_out_can_be_decoded(
        pictures in vec((prop_oneof![Just(Upper::Required), Just(Upper::Required), Just(Upper::Switch), Just(Upper::Lost)], any::<u8>()), 1..60),
    ) {
        let mut camera = Camera::new(true);
        camera.send(true, Upper::Switch, None);
        for (upper, chance) in pictures {
            match chance {
                0..10 => camera.receiver.buffer.set_max_layer(Some(S0)),
                10..30 => camera.receiver.buffer.set_max_layer(None),
                _ => {}
            }
            camera.send(chance > 240, upper, None);
            let whole = camera.layers();
            prop_assert_eq!(whole.len(), camera.picture as usize);
            camera.uppers.push(upper);
            let mut was_shown = true;
            for (layers, upper) in whole[1..].iter().zip(&camera.uppers) {
                prop_assert_eq!(layers[0], 0);
                let is_shown = layers.len() > 1;
                prop_assert!(!is_shown || *upper == Upper::Switch || (*upper == Upper::Required && was_shown));
                was_shown = is_shown;
            }
        }
    }
}
