use crate::Malformed;

use super::{HeaderExtension, exactly};

/// How the picture is to be turned before it is shown (CVO, 3GPP TS 26.114 §7.4.5, two bits of rotation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VideoOrientation {
    /// Whether the camera faces away from the user; false if unknown.
    pub back_camera: bool,
    /// Whether the picture as sent is mirrored left to right.
    pub flipped: bool,
    /// What the receiver does about it.
    pub rotation: Rotation,
}

/// A clockwise turn that brings a picture upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rotation {
    /// It is upright.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl HeaderExtension<'_> for VideoOrientation {
    const URI: &'static str = "urn:3gpp:video-orientation";
    type Value = [u8; 1];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let [byte] = exactly("video-orientation", value)?;
        // The wire has the counterclockwise turn of the picture as sent, which a clockwise one undoes.
        let rotation = match byte & 3 {
            0 => Rotation::None,
            1 => Rotation::Quarter,
            2 => Rotation::Half,
            _ => Rotation::ThreeQuarters,
        };
        Ok(Self { back_camera: byte & 8 != 0, flipped: byte & 4 != 0, rotation })
    }

    fn to_value(&self) -> [u8; 1] {
        let rotation = match self.rotation {
            Rotation::None => 0,
            Rotation::Quarter => 1,
            Rotation::Half => 2,
            Rotation::ThreeQuarters => 3,
        };
        [(u8::from(self.back_camera) << 3) | (u8::from(self.flipped) << 2) | rotation]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ts26114_s7_4_5_four_low_bits_hold_the_orientation() {
        let sideways = VideoOrientation { back_camera: true, flipped: false, rotation: Rotation::Quarter };
        assert_eq!(sideways.to_value(), [0b1001]);
        for byte in 0..16 {
            assert_eq!(VideoOrientation::parse(&[byte]).map(|orientation| orientation.to_value()), Ok([byte]));
        }
        assert_eq!(VideoOrientation::parse(&[0xf0]), Ok(VideoOrientation::default()));
        assert!(VideoOrientation::parse(&[]).is_err());
    }
}
