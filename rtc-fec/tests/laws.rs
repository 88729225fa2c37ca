//! What every encoder and decoder of error correction must keep to.

use rtc_core::testkit::laws::{self, Stream};
use rtc_fec::ulpfec::{Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig};

#[test]
fn ulpfec_keeps_the_laws() {
    for (pattern, media, repair) in [
        (Pattern::Interleaved, 1, 1),
        (Pattern::Interleaved, 10, 5),
        (Pattern::Interleaved, 48, 12),
        (Pattern::Crossed, 10, 5),
        (Pattern::Crossed, 48, 48),
    ] {
        let mut config = UlpfecEncoderConfig::default();
        (config.pattern, config.protection) = (pattern, Protection { media, repair });
        let encoder = || UlpfecEncoder::new(config).expect("within range");
        let decoder = || UlpfecDecoder::new(UlpfecDecoderConfig::default()).expect("within range");
        for stream in [Stream::audio(), Stream::video()] {
            laws::fec(encoder, decoder, &stream);
        }
    }
}
