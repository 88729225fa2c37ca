use super::*;

fn endless(control: CongestionControl) -> TcpSender {
    let mut tcp = TcpSender::new(TcpConfig { control, ..TcpConfig::default() }).unwrap();
    tcp.write(DataSize::from_bytes(u64::MAX));
    tcp
}

fn burst(tcp: &mut TcpSender, now: Instant) -> Vec<u64> {
    core::iter::from_fn(|| tcp.poll_transmit(now)).collect()
}

#[test]
fn three_later_segments_mean_loss_and_half_the_window() {
    let mut tcp = endless(CongestionControl::Reno);
    assert_eq!(burst(&mut tcp, Instant::ZERO).len(), 10);
    let now = Instant::from_millis(100);
    (1..=3).for_each(|segment| tcp.on_ack(now, segment, Ecn::NotEct));
    // 10, then one more for each of two acknowledgements, then half.
    assert_eq!((tcp.window(), tcp.stats().lost, tcp.stats().reductions), (6.0, 1, 1));
    // RFC 6675 §5: what is outstanding is held to the new window; six are.
    assert_eq!((tcp.stats().outstanding, burst(&mut tcp, now).len()), (6, 0));
    // More losses of the same window are the same congestion.
    tcp.on_ack(now, 9, Ecn::NotEct);
    assert_eq!((tcp.window(), tcp.stats().lost, tcp.stats().reductions), (6.0, 4, 1));
    assert_eq!(burst(&mut tcp, now).len(), 4);
}

#[test]
fn silence_fires_the_timer_and_leaves_one_segment() {
    let mut tcp = endless(CongestionControl::Cubic);
    burst(&mut tcp, Instant::ZERO);
    assert_eq!(tcp.poll_timeout(), Some(Instant::from_millis(1_000)));
    tcp.handle_timeout(Instant::from_millis(999));
    assert_eq!(tcp.stats().timeouts, 0);
    let now = Instant::from_millis(1_000);
    tcp.handle_timeout(now);
    assert_eq!((burst(&mut tcp, now).len(), tcp.stats().lost), (1, 10));
    assert_eq!(tcp.poll_timeout(), Some(Instant::from_millis(3_000)));
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut tcp = TcpSender::new(TcpConfig::default()).unwrap();
    let mut now = Instant::ZERO;
    for _ in 0..50 {
        tcp.write(DataSize::from_bytes(3_000));
        let sent = burst(&mut tcp, now);
        now += core::time::Duration::from_millis(100);
        sent.iter().for_each(|segment| tcp.on_ack(now, *segment, Ecn::NotEct));
    }
    assert_eq!((tcp.window(), tcp.stats().acknowledged, tcp.is_idle()), (10.0, 100, true));
}

#[test]
fn rfc3168_s6_1_2_a_mark_is_as_good_as_a_loss_once_a_window() {
    let mut tcp = TcpSender::new(TcpConfig { ecn: true, ..TcpConfig::default() }).unwrap();
    assert_eq!(tcp.ecn(), Ecn::Ect0);
    tcp.write(DataSize::from_bytes(u64::MAX));
    burst(&mut tcp, Instant::ZERO);
    let now = Instant::from_millis(100);
    (0..5).for_each(|segment| tcp.on_ack(now, segment, Ecn::Ce));
    assert_eq!((tcp.window(), tcp.stats().reductions, tcp.stats().lost), (7.0, 1, 0));
}

/// A flow is what was acknowledged, lost and is outstanding; a second connection is new but for its numbers.
#[test]
fn everything_sent_is_accounted_for_and_numbers_go_on() {
    let mut tcp = endless(CongestionControl::Scalable);
    assert_eq!(tcp.ecn(), Ecn::Ect1);
    let mut now = Instant::ZERO;
    for _ in 0..20 {
        let sent = burst(&mut tcp, now);
        now += core::time::Duration::from_millis(50);
        for segment in sent.iter().filter(|segment| *segment % 7 != 0) {
            tcp.on_ack(now, *segment, if segment % 5 == 0 { Ecn::Ce } else { Ecn::Ect1 });
        }
    }
    let stats = tcp.stats();
    assert_eq!(stats.sent, stats.acknowledged + stats.lost + stats.outstanding);
    assert!(stats.lost > 5 && stats.reductions > 2, "{stats:?}");
    let next = tcp.next;
    tcp.restart();
    tcp.write(DataSize::from_bytes(u64::MAX));
    assert_eq!((tcp.window(), burst(&mut tcp, now)[0]), (10.0, next));
    assert_eq!(tcp.stats().sent, tcp.stats().acknowledged + tcp.stats().lost + tcp.stats().outstanding);
}

#[test]
fn impossible_settings_are_refused() {
    let setting = |config| TcpSender::new(config).unwrap_err().setting();
    assert_eq!(setting(TcpConfig { segment: DataSize::ZERO, ..TcpConfig::default() }), "segment");
    assert_eq!(setting(TcpConfig { initial_window: 0, ..TcpConfig::default() }), "initial_window");
}
