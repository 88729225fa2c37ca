use crate::ffi;

/// Most bytes in a packet.
const MAX_LEN: usize = 4_096;

/// libspeexdsp's adaptive jitter buffer, in units of the media clock.
#[derive(Debug)]
pub struct JitterBuffer {
    jitter: ffi::Jitter,
    span: u32,
    data: Vec<u8>,
}

/// What there is to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got<'a> {
    /// A packet.
    Packet {
        /// Its timestamp.
        timestamp: u32,
        /// What was put in.
        data: &'a [u8],
    },
    /// The packet of this timestamp is lost or late: to be concealed.
    Missing {
        /// Where the gap begins.
        timestamp: u32,
    },
    /// So much is to be made up and inserted, because the delay is to grow.
    Insertion {
        /// Units of the media clock.
        span: u32,
    },
}

impl JitterBuffer {
    /// For packets of `span` units each, which is also the step the delay changes by.
    ///
    /// # Panics
    /// If there is no memory, or `span` is beyond `i32`.
    #[must_use]
    pub fn new(span: u32) -> Self {
        let jitter = i32::try_from(span).ok().and_then(ffi::Jitter::new).expect("memory for a few hundred pointers");
        Self { jitter, span, data: vec![0; MAX_LEN] }
    }

    /// Takes a packet as it arrives, in any order.
    pub fn put(&mut self, sequence: u16, timestamp: u32, data: &[u8]) {
        if data.len() <= MAX_LEN {
            self.jitter.put(timestamp, self.span, sequence, data);
        }
    }

    /// What to play next; to be called each `span` of time.
    pub fn get(&mut self) -> Got<'_> {
        let answer = self.jitter.get(self.span.cast_signed(), &mut self.data);
        self.jitter.tick();
        match answer.code {
            ffi::OK => {
                Got::Packet { timestamp: answer.timestamp, data: self.data.get(..answer.len).unwrap_or_default() }
            }
            ffi::INSERTION => Got::Insertion { span: answer.span },
            _ => Got::Missing { timestamp: answer.timestamp },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: u32 = 320;

    #[test]
    fn packets_come_out_in_order() {
        let mut buffer = JitterBuffer::new(SPAN);
        for number in [0_u16, 2, 1, 3] {
            buffer.put(number, u32::from(number) * SPAN, &number.to_be_bytes());
        }
        for number in 0..4_u16 {
            let timestamp = u32::from(number) * SPAN;
            assert_eq!(buffer.get(), Got::Packet { timestamp, data: &number.to_be_bytes() });
        }
    }

    #[test]
    fn a_lost_packet_is_missing() {
        let mut buffer = JitterBuffer::new(SPAN);
        for number in [0_u16, 2, 3] {
            buffer.put(number, u32::from(number) * SPAN, &[0; 4]);
        }
        buffer.get();
        assert_eq!(buffer.get(), Got::Missing { timestamp: SPAN });
        assert!(matches!(buffer.get(), Got::Packet { timestamp, .. } if timestamp == 2 * SPAN));
    }

    #[test]
    fn jitter_makes_the_delay_grow() {
        let mut buffer = JitterBuffer::new(SPAN);
        let mut inserted = 0;
        // Every second packet comes 60 ms late.
        for step in 0..500_u32 {
            let late = step.checked_sub(3).filter(|number| number % 2 == 1);
            for number in late.into_iter().chain((step % 2 == 0).then_some(step)) {
                buffer.put((number & 0xffff) as u16, number * SPAN, &[0; 4]);
            }
            inserted += u32::from(matches!(buffer.get(), Got::Insertion { .. }));
        }
        assert!(inserted >= 2, "{inserted}");
    }
}
