use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::RtpTime;
use rtc_core::video::{PixelFormat, Plane, VideoBuffer, VideoFrame};

const FORMATS: [PixelFormat; 2] = [PixelFormat::I420, PixelFormat::Nv12];

fn picture() -> impl Strategy<Value = VideoBuffer> {
    let bytes = vec(any::<u8>(), 20 * 20 * 3);
    (proptest::sample::select(&FORMATS[..]), 1..20_usize, 1..20_usize, bytes, any::<u32>()).prop_map(
        |(format, width, height, bytes, timestamp)| {
            let mut picture = VideoBuffer::new(format, width, height).unwrap();
            for plane in 0..format.planes() {
                let samples = picture.plane_mut(plane);
                samples.copy_from_slice(&bytes[plane * 400..][..samples.len()]);
            }
            picture.timestamp = RtpTime(timestamp);
            picture.user_data = bytes[..width].to_vec();
            picture
        },
    )
}

fn rows(frame: VideoFrame<'_>) -> Vec<Vec<&[u8]>> {
    (0..frame.format().planes()).map(|plane| frame.rows(plane).collect()).collect()
}

proptest! {
    #[test]
    fn strides_do_not_matter(picture in picture(), gap in 0..9_usize) {
        let frame = picture.as_frame();
        let spread: Vec<(Vec<u8>, usize)> = frame.planes().iter().enumerate().map(|(index, plane)| {
            let stride = plane.stride + gap;
            let mut data: Vec<u8> = frame.rows(index).flat_map(|row| [row, &vec![0xee; gap]].concat()).collect();
            // The last row needs no gap behind it.
            data.truncate(data.len() - gap);
            (data, stride)
        }).collect();
        let planes: Vec<Plane<'_>> = spread.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
        let strided = VideoFrame::new(frame.format(), frame.width(), frame.height(), &planes, frame.timestamp()).unwrap();
        prop_assert_eq!(rows(strided), rows(frame));
        prop_assert_eq!(VideoBuffer::copy_of(strided.with_user_data(frame.user_data())), picture);
    }

    #[test]
    fn a_byte_less_in_any_plane_is_refused(picture in picture()) {
        let frame = picture.as_frame();
        for short in 0..frame.planes().len() {
            let mut planes = frame.planes().to_vec();
            planes[short].data = &planes[short].data[1..];
            let refused = VideoFrame::new(frame.format(), frame.width(), frame.height(), &planes, frame.timestamp());
            prop_assert!(refused.is_err());
        }
        let missing = &frame.planes()[1..];
        prop_assert!(VideoFrame::new(frame.format(), frame.width(), frame.height(), missing, frame.timestamp()).is_err());
    }

    #[test]
    fn formats_convert_there_and_back(picture in picture()) {
        let frame = picture.as_frame();
        for format in FORMATS {
            let mut there = VideoBuffer::new(format, frame.width(), frame.height()).unwrap();
            there.copy_from(frame).unwrap();
            let mut back = VideoBuffer::new(frame.format(), frame.width(), frame.height()).unwrap();
            back.copy_from(there.as_frame()).unwrap();
            prop_assert_eq!(&back, &picture);
        }
        let mut wider = VideoBuffer::new(frame.format(), frame.width() + 1, frame.height()).unwrap();
        prop_assert!(wider.copy_from(frame).is_err());
    }

    #[test]
    fn chroma_keeps_its_place(picture in picture()) {
        let mut semi_planar = VideoBuffer::new(PixelFormat::Nv12, picture.as_frame().width(), picture.as_frame().height()).unwrap();
        let mut planar = VideoBuffer::new(PixelFormat::I420, picture.as_frame().width(), picture.as_frame().height()).unwrap();
        semi_planar.copy_from(picture.as_frame()).unwrap();
        planar.copy_from(picture.as_frame()).unwrap();
        let (pairs, u, v) = (rows(semi_planar.as_frame())[1].concat(), rows(planar.as_frame())[1].concat(), rows(planar.as_frame())[2].concat());
        for (index, pair) in pairs.chunks(2).enumerate() {
            prop_assert_eq!(pair, &[u[index], v[index]]);
        }
    }
}
