use bytes::Bytes;

use crate::codec::{EncodeError, EncodedFrame, VideoDecoder, VideoEncoder};
use crate::testkit::rng::Rng;
use crate::video::{PixelFormat, VideoBuffer};
use crate::{Bitrate, RtpTime};

use super::assert_same;

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn VideoEncoder>();
    object_safe_and_send::<dyn VideoDecoder>();
};

/// Pictures in a run, and the one a key frame is asked for.
const PICTURES: u32 = 40;
const KEY: u32 = 25;

/// The laws of [`VideoEncoder`] and [`VideoDecoder`] of one codec, for I420 pictures of one size.
///
/// # Panics
/// If a law is broken, naming it.
pub fn video_codec<E: VideoEncoder, D: VideoDecoder>(
    encoder: impl Fn() -> E,
    decoder: impl Fn() -> D,
    width: usize,
    height: usize,
) {
    let pictures: Vec<VideoBuffer> = (0..PICTURES).map(|number| picture(number, width, height)).collect();
    let frames = encode(&mut encoder(), &pictures);
    assert_same(&frames, &encode(&mut encoder(), &pictures), "the same pictures give the same frames");
    let decoded = decode(&mut decoder(), &frames);
    pictures_come_through(&pictures, &decoded);
    key_frames_are_where_they_must_be(&frames, &pictures);
    if let Some(delta) = frames.iter().find(|frame| !frame.key) {
        assert!(decoder().decode(delta).is_err(), "a frame that refers to one never decoded is refused");
    }
    other_sizes_are_refused(&mut encoder(), width, height);
    losses_end_with_a_key_frame(&mut decoder(), &frames, &decoded);
}

/// A gradient that moves, with a time that wraps in the middle of the run and data of its own.
fn picture(number: u32, width: usize, height: usize) -> VideoBuffer {
    let mut picture = VideoBuffer::new(PixelFormat::I420, width, height)
        .unwrap_or_else(|error| panic!("laws are for sizes there are: {error}"));
    for plane in 0..3 {
        let (row, _) = PixelFormat::I420.plane_size(plane, width, height).unwrap_or((1, 1));
        for (index, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
            // Within 256 by construction: no edge that an encoder might blur.
            let slope =
                64 + (index % row + 2 * number as usize) * 100 / width.max(1) + index / row * 40 / height.max(1);
            *sample = u8::try_from(slope).unwrap_or(u8::MAX);
        }
    }
    picture.timestamp = RtpTime(0) - 60_000 + number * 3_000;
    picture.user_data = vec![0xda, number.to_le_bytes()[0]];
    picture
}

fn encode<E: VideoEncoder>(encoder: &mut E, pictures: &[VideoBuffer]) -> Vec<EncodedFrame> {
    let mut frames = Vec::new();
    for (number, picture) in (0..).zip(pictures) {
        encoder.set_bitrate(if number < 10 { Bitrate::from_kbps(2_000) } else { Bitrate::from_kbps(1_000) });
        let taken = encoder.encode(picture.as_frame(), number == KEY);
        assert_eq!(taken, Ok(()), "a picture of the right size can be encoded");
        let before = frames.len();
        while let Some(frame) = encoder.poll_frame() {
            frames.push(frame);
            assert!(frames.len() - before < 1_000, "polling for frames comes to an end");
        }
    }
    assert!(!frames.is_empty(), "frames come out before {PICTURES} pictures are in");
    frames
}

fn decode<D: VideoDecoder>(decoder: &mut D, frames: &[EncodedFrame]) -> Vec<VideoBuffer> {
    let mut pictures = Vec::new();
    for frame in frames {
        assert_eq!(decoder.decode(frame), Ok(()), "the decoder takes the frames of its encoder");
        pictures.extend(drain(decoder));
    }
    pictures
}

fn drain<D: VideoDecoder>(decoder: &mut D) -> Vec<VideoBuffer> {
    let mut pictures = Vec::new();
    while let Some(picture) = decoder.poll_picture() {
        pictures.push(VideoBuffer::copy_of(picture));
        assert!(pictures.len() < 1_000, "polling for pictures comes to an end");
    }
    pictures
}

/// All that came out went in: in order, with its time and data, and looking alike. The last few may still be inside.
fn pictures_come_through(sent: &[VideoBuffer], decoded: &[VideoBuffer]) {
    assert!(decoded.len() >= sent.len() / 2, "most pictures come out: {} of {}", decoded.len(), sent.len());
    assert!(decoded.len() <= sent.len(), "no picture comes out twice");
    for (sent, decoded) in sent.iter().zip(decoded) {
        assert_eq!(decoded.timestamp, sent.timestamp, "pictures come out in order and with their time");
        assert_eq!(decoded.user_data, sent.user_data, "user data comes out with its picture");
        let (sent, decoded) = (sent.as_frame(), decoded.as_frame());
        assert_eq!((decoded.width(), decoded.height()), (sent.width(), sent.height()), "pictures keep their size");
        let differences = sent.rows(0).flatten().zip(decoded.rows(0).flatten()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / (sent.width() * sent.height()) as f64;
        assert!(mean < 16.0, "pictures look alike: {mean:.1} steps apart on average");
    }
}

fn key_frames_are_where_they_must_be(frames: &[EncodedFrame], pictures: &[VideoBuffer]) {
    assert!(frames[0].key, "the first frame is a key frame");
    let asked = frames.iter().find(|frame| frame.timestamp == pictures[KEY as usize].timestamp);
    assert!(asked.is_some_and(|frame| frame.key), "a key frame comes when it is asked for");
}

fn other_sizes_are_refused<E: VideoEncoder>(encoder: &mut E, width: usize, height: usize) {
    let other = picture(0, width + 2, height);
    assert_eq!(encoder.encode(other.as_frame(), false), Err(EncodeError::Shape), "another size is refused");
}

/// Whatever is lost or broken before, after a key frame all is as if nothing had been.
fn losses_end_with_a_key_frame<D: VideoDecoder>(decoder: &mut D, frames: &[EncodedFrame], whole: &[VideoBuffer]) {
    let mut rng = Rng::new(2);
    let key = frames.iter().rposition(|frame| frame.key).unwrap_or(0);
    for (number, frame) in frames[..key].iter().enumerate() {
        let mut payload = frame.payload.to_vec();
        match number % 4 {
            0 if number > 0 => continue,
            1 => payload.truncate(rng.next_u32() as usize % (payload.len() + 1)),
            2 => {
                let start = rng.next_u32() as usize % (payload.len() + 1);
                rng.fill(&mut payload[start..]);
            }
            _ => {}
        }
        let _ = decoder.decode(&EncodedFrame { payload: Bytes::from(payload), ..frame.clone() });
        drain(decoder);
    }
    let after = decode(decoder, &frames[key..]);
    let begin = frames[key].timestamp;
    let expected: Vec<VideoBuffer> =
        whole.iter().filter(|picture| picture.timestamp.distance_from(begin) >= 0).cloned().collect();
    let after: Vec<VideoBuffer> =
        after.into_iter().filter(|picture| picture.timestamp.distance_from(begin) >= 0).collect();
    assert_same(&expected, &after, "a key frame ends all damage");
}
