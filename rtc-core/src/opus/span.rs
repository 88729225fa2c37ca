use core::time::Duration;

use crate::Bitrate;

/// Percentage of loss an encoder with DRED is told at least. The library makes the share of DRED depend on it: next to
/// nothing up to 5 %, 60 to 80 % of what the bit rate has over 12 kb/s above, all of that from here on. Whoever asks for a span
/// wants it.
pub(super) const LEAST_LOSS: i32 = 25;

/// Longest span, in frames of 10 ms.
const MOST_FRAMES: u128 = 104;

/// What of a span the library is asked for, in frames of 10 ms.
pub(super) fn frames(span: Duration) -> i32 {
    i32::try_from(span.as_millis().div_ceil(10).min(MOST_FRAMES)).unwrap_or(0)
}

/// The span in milliseconds at a bit rate in kb/s.
type Row = (u64, u64);

/// Median spans in the middle of speech, the least of three talkers (the generated one at 48 kHz, VCTK p286 at 48 kHz, a
/// speech recorded at 16 kHz), measured with libopus 1.6.1, variable rate, 25 % loss or more expected.
///
/// More rate is not always more span: where 12 kb/s and a power of two are passed (28.4 and 44.8 kb/s), and at 48 kb/s, the
/// library begins to code each part finer. Below the first row it spends up to half as much again as it is told, for a span
/// of one packet.
const MEASURED: [(Duration, &[Row]); 4] = [
    (
        Duration::from_millis(10),
        &[
            (36, 75),
            (40, 115),
            (44, 155),
            (48, 115),
            (52, 155),
            (56, 195),
            (64, 235),
            (72, 315),
            (80, 395),
            (88, 475),
            (96, 595),
            (112, 825),
            (128, 1_025),
        ],
    ),
    (
        Duration::from_millis(20),
        &[
            (20, 95),
            (22, 55),
            (24, 175),
            (26, 295),
            (28, 455),
            (30, 175),
            (32, 215),
            (36, 375),
            (40, 655),
            (44, 975),
            (48, 495),
            (52, 415),
            (56, 495),
            (64, 695),
            (72, 975),
            (80, 1_015),
        ],
    ),
    (
        Duration::from_millis(40),
        &[(20, 215), (24, 495), (28, 615), (32, 695), (36, 775), (40, 455), (48, 495), (52, 775), (64, 815), (80, 775)],
    ),
    (
        Duration::from_millis(60),
        &[(20, 535), (24, 575), (28, 655), (32, 755), (36, 415), (40, 375), (48, 535), (52, 735), (80, 775)],
    ),
];

/// The measurements for packets of this length; those longer than 60 ms are like those of 60 ms.
fn rows(packet: Duration) -> &'static [Row] {
    MEASURED.iter().rev().find(|(length, _)| *length <= packet).map_or(&[], |(_, rows)| *rows)
}

/// How far back DRED reaches in the middle of speech, at a bit rate of everything in packets this long.
///
/// Zero if the rate does not pay for any: then none is sent. Measured once; other voices, and the beginning of words, are
/// nearer or farther by a step of 40 ms or two. An [`OpusDecoder`](super::OpusDecoder::dred_in) tells of one packet exactly.
#[must_use]
pub fn dred_span(bitrate: Bitrate, packet: Duration) -> Duration {
    let rows = rows(packet);
    let above = rows.partition_point(|(kbps, _)| Bitrate::from_kbps(*kbps) <= bitrate);
    let Some((kbps, span)) = above.checked_sub(1).map(|below| rows[below]) else {
        return Duration::ZERO;
    };
    let next = rows.get(above).filter(|_| bitrate > Bitrate::from_kbps(kbps));
    Duration::from_millis(next.map_or(span, |(_, next)| span.min(*next)))
}

/// The least bit rate, of everything in packets this long, at which DRED reaches as far back as `span` in the middle of
/// speech; `None` if none does.
#[must_use]
pub fn dred_bitrate(span: Duration, packet: Duration) -> Option<Bitrate> {
    let row = rows(packet).iter().find(|(_, reached)| Duration::from_millis(*reached) >= span);
    row.map(|(kbps, _)| Bitrate::from_kbps(*kbps))
}
