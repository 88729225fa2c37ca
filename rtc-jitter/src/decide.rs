//! What to do next, as pure functions of the situation: tables test them.

use crate::arrival::Nanos;

const MS: Nanos = 1_000_000;

/// What is being heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: before the first packet, or after concealment faded out.
    Silent,
    /// Audio from packets.
    Playing,
    /// Made-up audio, for this long.
    Concealing(Nanos),
}

/// The packet at the front, seen from the end of the audio decoded so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Nothing,
    Packet {
        lead: Lead,
        /// Media time between the end of what is held and its beginning; negative if they overlap.
        gap: Nanos,
        /// The delay it would have if it were next.
        delay: Nanos,
    },
}

/// What lies between the audio decoded last and the packet at the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Nothing.
    Continues,
    /// Packets that are missing.
    Loss,
    /// Time in which none was sent: the talker paused, or the stream begins. It may be made longer or shorter.
    Pause,
}

/// Where audio comes from when more is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The packet at the front.
    Packet,
    /// A copy of what is missing inside a packet that is here, or else what [`made_up`] says.
    Repair,
    Concealment,
    Silence,
}

/// Delay beyond the target at which a gap is not filled but skipped: concealing it would be heard as much, and last.
const SKIP: Nanos = 40 * MS;

/// Chooses the source of the next samples.
pub(crate) fn source(mode: Mode, front: Front, target: Nanos, conceal_limit: Nanos) -> Source {
    let Front::Packet { lead, gap, delay } = front else {
        return made_up(mode, conceal_limit);
    };
    match lead {
        Lead::Continues => Source::Packet,
        Lead::Loss if gap <= 0 || delay >= target.saturating_add(SKIP) => Source::Packet,
        Lead::Loss => Source::Repair,
        Lead::Pause if delay >= target => Source::Packet,
        Lead::Pause => made_up(mode, conceal_limit),
    }
}

/// What is heard where there is nothing else.
pub(crate) fn made_up(mode: Mode, conceal_limit: Nanos) -> Source {
    match mode {
        Mode::Concealing(time) if time >= conceal_limit => Source::Silence,
        Mode::Silent => Source::Silence,
        _ => Source::Concealment,
    }
}

/// How play-out is to be sped up or slowed down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Warp {
    pub(crate) direction: Direction,
    /// How alike (normalised correlation) the two ends of a cut must be; `None` allows cuts in quiet passages only.
    pub(crate) likeness: Option<f32>,
    /// The same of sound made of tones; what is less alike has to wait its turn.
    pub(crate) tonal: f32,
    /// Part of the time played that may be taken out or put in, from 0 to 1 of the limit set.
    pub(crate) effort: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Faster,
    Slower,
}

/// Below this the delay is near enough to the target to be left alone even where a cut goes unheard: the least cut there is.
const QUIET_BAND: Nanos = 2_500_000;
/// Below this it is left alone where a cut might be heard.
const BAND: Nanos = 10 * MS;
/// How far below the target it is left alone: a repeated period costs more than the few packets that come that late.
const LOW_BAND: Nanos = 2_500_000;
/// Distance beyond the band at which any cut is better than the delay.
const URGENT: Nanos = 100 * MS;
/// The same below the target, where packets are lost meanwhile.
const LOW_URGENT: Nanos = 30 * MS;
/// Likeness of the two ends of a cut that is not heard.
const ALIKE: f32 = 0.9;
/// The same of tones: with their phases 14 degrees off, their level dips by 0.1 dB in the cross-fade.
const ALIKE_TONES: f32 = 0.97;
/// Part of the speed limit used where there is no urgency.
const CALM: f32 = 0.4;

/// Chooses how to move the delay to its target, `excess` away.
pub(crate) fn warp(excess: Nanos) -> Option<Warp> {
    let distance = excess.saturating_abs();
    let (direction, nothing, band, urgent) = match excess > 0 {
        true => (Direction::Faster, QUIET_BAND, BAND, URGENT),
        false => (Direction::Slower, LOW_BAND, LOW_BAND, LOW_URGENT),
    };
    if distance <= nothing {
        return None;
    }
    let urgency = ((distance - band) as f32 / urgent as f32).clamp(0.0, 1.0);
    let near = distance <= band;
    Some(Warp {
        direction,
        likeness: (!near).then_some(ALIKE * (1.0 - urgency)),
        tonal: if urgency < 1.0 { ALIKE_TONES } else { 0.0 },
        effort: CALM + (1.0 - CALM) * urgency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_table() {
        use Lead::{Continues, Loss, Pause};
        use Mode::{Concealing, Playing, Silent};
        let packet = |lead, gap: Nanos, delay: Nanos| Front::Packet { lead, gap: gap * MS, delay: delay * MS };
        let short = Concealing(10 * MS);
        let long = Concealing(240 * MS);
        // Target 60 ms, concealment up to 240 ms.
        let table = [
            (Silent, Front::Nothing, Source::Silence, "nothing came yet"),
            (Silent, packet(Pause, 400, 50), Source::Silence, "the first packet waits for the target"),
            (Silent, packet(Pause, 400, 60), Source::Packet, "and starts"),
            (Silent, packet(Continues, 0, 50), Source::Packet, "after a stall there is no time to lose"),
            (Silent, packet(Loss, 0, 50), Source::Packet, "nor after a loss that lasted"),
            (Silent, packet(Loss, 500, 50), Source::Repair, "which is not over here"),
            (Playing, packet(Continues, 0, 5), Source::Packet, "what continues is played with any delay"),
            (Playing, packet(Continues, -10, 5), Source::Packet, "so is what overlaps"),
            (Playing, Front::Nothing, Source::Concealment, "underrun"),
            (Playing, packet(Pause, 400, 20), Source::Concealment, "the talker pauses"),
            (Playing, packet(Pause, 0, 50), Source::Concealment, "and may pause longer"),
            (Playing, packet(Pause, 400, 60), Source::Packet, "or shorter"),
            (Playing, packet(Loss, 20, 50), Source::Repair, "loss"),
            (Playing, packet(Loss, 20, 70), Source::Repair, "loss, a little behind"),
            (Playing, packet(Loss, 20, 100), Source::Packet, "loss, far behind"),
            (short, Front::Nothing, Source::Concealment, "underrun goes on"),
            (short, packet(Continues, 0, 5), Source::Packet, "underrun ends"),
            (short, packet(Loss, 10, 50), Source::Repair, "loss goes on"),
            (long, Front::Nothing, Source::Silence, "concealment ends"),
            (long, packet(Loss, 500, 10), Source::Repair, "long loss"),
            (long, packet(Continues, 0, 5), Source::Packet, "it is back"),
        ];
        for (mode, front, expected, case) in table {
            assert_eq!(source(mode, front, 60 * MS, 240 * MS), expected, "{case}");
        }
        for (mode, expected) in [(Playing, Source::Concealment), (short, Source::Concealment), (long, Source::Silence)]
        {
            assert_eq!(made_up(mode, 240 * MS), expected, "without a copy");
        }
        assert_eq!(made_up(Silent, 240 * MS), Source::Silence, "without a copy");
    }

    #[test]
    fn warp_table() {
        let told = |excess: Nanos| {
            warp(excess * MS).map(|warp| {
                (
                    warp.direction,
                    warp.likeness.map(|likeness| (100.0 * likeness).round()),
                    (100.0 * warp.effort).round(),
                )
            })
        };
        use Direction::{Faster, Slower};
        assert_eq!(told(2), None, "near enough");
        assert_eq!(told(-2), None, "near enough");
        assert_eq!(told(3), Some((Faster, None, 40.0)), "only where it goes unheard");
        assert_eq!(told(10), Some((Faster, None, 40.0)));
        assert_eq!(told(11), Some((Faster, Some(89.0), 41.0)), "a good cut will do");
        assert_eq!(told(60), Some((Faster, Some(45.0), 70.0)));
        assert_eq!(told(1_000), Some((Faster, Some(0.0), 100.0)), "any cut will do");
        assert_eq!(told(-8), Some((Slower, Some(73.0), 51.0)));
        assert_eq!(told(-20), Some((Slower, Some(38.0), 75.0)), "less delay is more urgent than more");
        assert_eq!(told(-500), Some((Slower, Some(0.0), 100.0)));
        let tonal = |excess: Nanos| warp(excess * MS).map(|warp| warp.tonal);
        assert_eq!([tonal(11), tonal(60), tonal(-20)], [Some(0.97); 3], "tones are cut by whole periods");
        assert_eq!([tonal(200), tonal(-50)], [Some(0.0); 2], "unless there is no time for it");
    }
}
