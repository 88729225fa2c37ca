use core::ops::Range;
use core::time::Duration;

use crate::Frequency;

use super::Speech;

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Nobody.
    Silence,
    /// The far end alone.
    Far,
    /// The near end alone.
    Near,
    /// Both at once.
    Both,
}

/// Far-end single talk to converge in, near-end single talk, double talk, and far-end single talk to see what is left.
pub const DOUBLE_TALK: [(Turn, Duration); 4] = [
    (Turn::Far, Duration::from_secs(16)),
    (Turn::Near, Duration::from_secs(4)),
    (Turn::Both, Duration::from_secs(14)),
    (Turn::Far, Duration::from_secs(10)),
];

/// Two talkers who take turns, on separate tracks of equal length.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// What comes from afar, to be played.
    pub far: Vec<f32>,
    /// What is said into the microphone, clean.
    pub near: Vec<f32>,
    turns: Vec<(Turn, Range<usize>)>,
}

impl Conversation {
    /// The talkers of this seed, who speak as [`Speech`] does while it is their turn.
    #[must_use]
    pub fn new(rate: Frequency, seed: u64, turns: &[(Turn, Duration)]) -> Self {
        let [mut far_talker, mut near_talker] =
            [0, 1].map(|who| Speech::new(rate, seed.wrapping_mul(2).wrapping_add(who)));
        let mut conversation = Self { far: Vec::new(), near: Vec::new(), turns: Vec::new() };
        for (turn, time) in turns {
            let begin = conversation.far.len();
            let len = usize::try_from(rate.ticks_in(*time)).unwrap_or(0);
            let far = matches!(turn, Turn::Far | Turn::Both);
            let near = matches!(turn, Turn::Near | Turn::Both);
            speak(&mut conversation.far, len, far.then_some(&mut far_talker), rate);
            speak(&mut conversation.near, len, near.then_some(&mut near_talker), rate);
            conversation.turns.push((*turn, begin..begin + len));
        }
        conversation
    }

    /// The turns, and the samples each is made of.
    #[must_use]
    pub fn turns(&self) -> &[(Turn, Range<usize>)] {
        &self.turns
    }
}

/// Appends `len` samples of a talker, the last 10 ms fading out; of silence without one.
fn speak(track: &mut Vec<f32>, len: usize, talker: Option<&mut Speech>, rate: Frequency) {
    let begin = track.len();
    let Some(talker) = talker else {
        track.resize(begin + len, 0.0);
        return;
    };
    track.extend(talker.take(len));
    let fade = len.min((rate / 100) as usize);
    let end = track.len();
    for (left, sample) in (0..fade).rev().zip(&mut track[end - fade..]) {
        *sample *= left as f32 / fade as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_keeps_silent_out_of_turn() {
        let second = Duration::from_secs(1);
        let turns = [(Turn::Far, second), (Turn::Silence, second), (Turn::Both, second), (Turn::Near, second)];
        let talk = Conversation::new(Frequency::KHZ_8, 5, &turns);
        for (turn, span) in talk.turns() {
            let heard = |track: &[f32]| track[span.clone()].iter().any(|sample| *sample != 0.0);
            assert_eq!(heard(&talk.far), matches!(turn, Turn::Far | Turn::Both), "{turn:?}");
            assert_eq!(heard(&talk.near), matches!(turn, Turn::Near | Turn::Both), "{turn:?}");
        }
        assert_eq!((talk.far.len(), talk.near.len()), (32_000, 32_000));
        assert_ne!(talk.far[16_000..24_000], talk.near[16_000..24_000]);
    }
}
