//! What every encoder and decoder of error correction must keep to.

use rtc_core::testkit::laws::{self, Stream};
use rtc_fec::cauchy::{Block, CauchyEncoder, CauchyEncoderConfig};
use rtc_fec::flexfec::{
    FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection, FlexfecVariant,
};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};
use rtc_fec::ulpfec::{
    Level, Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig,
};

#[test]
fn ulpfec_keeps_the_laws() {
    let even = |media, repair| Protection::even(media, repair).expect("within range");
    let level = |len, repair| Level { len, repair };
    let uneven = Protection::uneven(12, &[level(40, 4), level(300, 2), level(u16::MAX, 1)]).expect("within range");
    for protection in [
        even(1, 1),
        even(10, 5),
        even(48, 12),
        even(10, 5).with_pattern(Pattern::Crossed),
        even(48, 48).with_pattern(Pattern::Crossed),
        uneven,
        uneven.with_pattern(Pattern::Crossed),
    ] {
        let mut config = UlpfecEncoderConfig::default();
        config.protection = protection;
        let encoder = || UlpfecEncoder::new(config).expect("within range");
        let decoder = || UlpfecDecoder::new(UlpfecDecoderConfig::default()).expect("within range");
        for stream in [Stream::audio(), Stream::video()] {
            laws::fec(encoder, decoder, &stream);
        }
    }
}

#[test]
fn rlc_keeps_the_laws() {
    for (window, density, overhead) in [(1, 15, 1.0), (10, 15, 0.5), (32, 15, 0.2), (64, 15, 2.0), (20, 8, 0.7)] {
        let mut config = RlcEncoderConfig::default();
        (config.window, config.density, config.overhead) = (window, density, overhead);
        let encoder = || RlcEncoder::new(config).expect("within range");
        let decoder = || RlcDecoder::new(RlcDecoderConfig::default()).expect("within range");
        for stream in [Stream::audio(), Stream::video()] {
            laws::fec(encoder, decoder, &stream);
        }
    }
}

#[test]
fn flexfec_keeps_the_laws() {
    let shapes = [
        FlexfecProtection::even(1, 1),
        FlexfecProtection::even(10, 5),
        FlexfecProtection::even(110, 20).map(|even| even.with_pattern(Pattern::Crossed)),
        FlexfecProtection::rows(5),
        FlexfecProtection::columns(4, 5),
        FlexfecProtection::grid(5, 4),
        FlexfecProtection::grid(5, 4).map(FlexfecProtection::with_masks),
    ];
    for (protection, variant) in shapes.into_iter().flat_map(|shape| {
        [FlexfecVariant::Rfc8627, FlexfecVariant::Draft03].map(|variant| (shape.expect("within range"), variant))
    }) {
        let (mut sender, mut receiver) = (FlexfecEncoderConfig::default(), FlexfecDecoderConfig::default());
        (sender.protection, sender.variant, sender.ssrc) = (protection, variant, rtc_core::Ssrc(0xfec));
        receiver.variant = variant;
        let encoder = || FlexfecEncoder::new(sender).expect("within range");
        let decoder = || FlexfecDecoder::new(receiver.clone()).expect("within range");
        for stream in [Stream::audio(), Stream::video()] {
            laws::fec(encoder, decoder, &stream);
        }
    }
}

#[test]
fn cauchy_keeps_the_laws() {
    for (media, repair) in [(1, 1), (10, 5), (64, 8), (20, 64)] {
        let mut config = CauchyEncoderConfig::default();
        config.block = Block::new(media, repair).expect("within range");
        let encoder = || CauchyEncoder::new(config).expect("within range");
        let decoder = || RlcDecoder::new(RlcDecoderConfig::default()).expect("within range");
        for stream in [Stream::audio(), Stream::video()] {
            laws::fec(encoder, decoder, &stream);
        }
    }
}
