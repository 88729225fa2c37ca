use rtc_core::{PayloadType, RtpTime, SeqNum, Ssrc};

use super::*;

const PTIME: u64 = 20;

fn buffer() -> AudioJitterBuffer {
    let mut config = JitterConfig::default();
    config.delay.start_delay = Duration::from_millis(40);
    AudioJitterBuffer::new(config).unwrap()
}

fn packet_at(n: u16, media: u64, marker: bool) -> RtpPacket {
    let ticks = u32::try_from(media * 48).unwrap();
    let time = RtpTime(u32::MAX - 2_000) + ticks;
    RtpPacket::builder(PayloadType::new(96), SeqNum(65_534) + n, time, Ssrc(1)).marker(marker).build(&[0; 10]).unwrap()
}

fn packet(n: u16) -> RtpPacket {
    packet_at(n, u64::from(n) * PTIME, false)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000 + millis)
}

/// All that comes out, with the time in milliseconds.
fn drain(buffer: &mut AudioJitterBuffer) -> Vec<(u64, Option<RtpPacket>)> {
    let mut out = Vec::new();
    while let Some(due) = buffer.poll_timeout() {
        let since = due.as_millis() - at(0).as_millis();
        match buffer.poll(due) {
            Playout::Ready(packet) => out.push((since, Some(packet))),
            Playout::Missing { .. } => out.push((since, None)),
            _ => panic!("a deadline brings something"),
        }
    }
    out
}

#[test]
fn packets_leave_in_order_at_their_time() {
    let mut buffer = buffer();
    for (now, n) in [(0, 0), (45, 2), (50, 1), (60, 3)] {
        assert_eq!(buffer.insert(at(now), packet(n)), Inserted::Accepted);
    }
    assert_eq!(buffer.poll(at(39)), Playout::Empty);
    let expected: Vec<_> = (0..4).map(|n| (40 + u64::from(n) * PTIME, Some(packet(n)))).collect();
    assert_eq!(drain(&mut buffer), expected);
    assert_eq!(buffer.stats().packets_played, 4);
}

#[test]
fn what_is_missing_is_told_with_what_follows() {
    let mut buffer = buffer();
    for n in [0, 1, 4] {
        buffer.insert(at(u64::from(n) * PTIME), packet(n));
    }
    for n in [0, 1] {
        assert_eq!(buffer.poll(at(40 + u64::from(n) * PTIME)), Playout::Ready(packet(n)));
    }
    assert_eq!(buffer.poll(at(79)), Playout::Empty);
    assert_eq!(buffer.poll(at(80)), Playout::Missing { timestamp: packet(2).timestamp(), next: None });
    assert_eq!(buffer.insert(at(90), packet(2)), Inserted::Late);
    let timestamp = packet(3).timestamp();
    let due = buffer.poll_timeout().unwrap();
    assert_eq!(buffer.poll(due), Playout::Missing { timestamp, next: Some(packet(4)) });
    assert_eq!(drain(&mut buffer).pop(), Some((130, Some(packet(4)))), "packet 2 was late: more delay");
    assert_eq!(buffer.stats().packets_missing, 2);
}

#[test]
fn a_pause_is_no_loss() {
    let mut buffer = buffer();
    buffer.insert(at(0), packet(0));
    buffer.insert(at(20), packet(1));
    buffer.insert(at(440), packet_at(2, 440, false));
    let times: Vec<u64> = drain(&mut buffer).into_iter().map(|(time, packet)| packet.map_or(0, |_| time)).collect();
    assert_eq!(times, [40, 60, 480]);
}

#[test]
fn an_underrun_delays_what_follows_until_it_is_worked_off() {
    let mut buffer = buffer();
    let mut times = Vec::new();
    for n in 0..400 {
        let stalled = (200..210).contains(&n);
        let arrival = if stalled { 210 * PTIME } else { u64::from(n) * PTIME };
        buffer.insert(at(arrival), packet(n));
        if !stalled {
            times.extend(drain(&mut buffer).into_iter().map(|(time, _)| time.max(arrival)));
        }
    }
    let delays: Vec<u64> = times.iter().zip(0..).map(|(time, n)| time - n * PTIME).collect();
    assert_eq!((delays[199], delays[200]), (5, 200), "released on arrival");
    let steps: Vec<u64> = times[200..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (15..=20).contains(step)), "a quarter faster at most: {steps:?}");
    assert_eq!(delays[399], 5, "back at the target");
}

#[test]
fn a_pause_changes_the_delay_at_once() {
    for (marker, media) in [(true, 100 * PTIME), (false, 120 * PTIME)] {
        let mut buffer = buffer();
        for n in 0..100 {
            buffer.insert(at(u64::from(n) * PTIME), packet(n));
        }
        drain(&mut buffer);
        buffer.set_min_delay(Duration::from_millis(200));
        buffer.insert(at(media), packet_at(100, media, marker));
        assert_eq!(drain(&mut buffer)[0].0, media + 200);
    }
}

#[test]
fn inside_talk_the_delay_grows_slowly() {
    let mut buffer = buffer();
    for n in 0..100 {
        buffer.insert(at(u64::from(n) * PTIME), packet(n));
    }
    drain(&mut buffer);
    buffer.set_min_delay(Duration::from_millis(200));
    for n in 100..200 {
        buffer.insert(at(u64::from(n) * PTIME), packet(n));
    }
    let times: Vec<u64> = drain(&mut buffer).into_iter().map(|(time, _)| time).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 25));
    assert_eq!(times[99], 199 * PTIME + 200);
}

#[test]
fn a_new_stream_begins_afresh() {
    let mut buffer = buffer();
    buffer.insert(at(0), packet(0));
    let other = |n: u16| {
        RtpPacket::builder(PayloadType::new(96), SeqNum(n), RtpTime(960 * u32::from(n)), Ssrc(9)).build(&[]).unwrap()
    };
    for n in 0..4 {
        buffer.insert(at(100 + u64::from(n) * PTIME), other(n));
    }
    let out = drain(&mut buffer);
    assert_eq!(out, [(180, Some(other(2))), (200, Some(other(3)))]);
    assert_eq!((buffer.stats().restarts, buffer.stats().packets_flushed), (1, 1));
}

#[test]
fn slew_is_checked() {
    let config = JitterConfig { max_slew: f64::NAN, ..JitterConfig::default() };
    assert_eq!(AudioJitterBuffer::new(config).err().map(|error| error.setting()), Some("max_slew"));
}
