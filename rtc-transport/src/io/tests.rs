use core::future::Future;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::ErrorKind;

use proptest::prelude::*;
use rtc_core::bwe::Ecn;

use super::pool::Pool;
use super::{Clock, Datagram, UdpConfig, UdpIo};

/// Loopback takes microseconds; this is how long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.unwrap() })
}

fn socket(clock: Clock, change: impl FnOnce(&mut UdpConfig)) -> UdpIo {
    let mut config = UdpConfig::default();
    change(&mut config);
    UdpIo::bind(SocketAddr::from(([127, 0, 0, 1], 0)), clock, config).unwrap()
}

async fn receive(io: &mut UdpIo, count: usize) -> Vec<Datagram> {
    let mut received = Vec::new();
    while received.len() < count {
        received.push(io.recv().await.unwrap());
    }
    received
}

#[test]
fn what_leaves_together_arrives_one_by_one_with_its_mark() {
    for (gso, local) in [(true, "127.0.0.1:0"), (false, "127.0.0.1:0"), (true, "[::1]:0")] {
        run(async {
            let clock = Clock::new();
            let bind = |gso| {
                let config = UdpConfig { gso, ..UdpConfig::default() };
                UdpIo::bind(local.parse().unwrap(), clock, config).ok()
            };
            // Not everywhere is there IPv6.
            let Some((mut a, mut b)) = bind(gso).zip(bind(true)) else { return };
            let sizes = [1_200, 1_200, 1_200, 500, 1_200, 1_200, 1_300, 0, 0, 90];
            let marks = [Ecn::Ect1, Ecn::Ect0, Ecn::Ce, Ecn::NotEct];
            for mark in marks {
                for (number, size) in (0..).zip(sizes) {
                    assert!(a.send(b.local_addr(), mark, &vec![number; size]));
                }
            }
            assert_eq!(a.send_stats().sent, 0, "nothing leaves before it is told to");
            a.flush().await.unwrap();
            let mut last = clock.now() - PATIENCE;
            let received = receive(&mut b, 40).await;
            for (number, datagram) in received.iter().enumerate() {
                let (size, value) = (sizes[number % 10], number % 10);
                assert!(datagram.data.len() == size && datagram.data.iter().all(|byte| usize::from(*byte) == value));
                assert_eq!(datagram.from, a.local_addr());
                assert_eq!(datagram.ecn, marks[number / 10]);
                assert!(last <= datagram.at && datagram.at <= clock.now());
                last = datagram.at;
            }
            assert_eq!(b.try_recv().unwrap(), None);
            let (sent, received) = (a.send_stats(), b.receive_stats());
            assert_eq!((sent.sent, sent.bytes), (40, 4 * sizes.iter().sum::<usize>() as u64));
            assert_eq!((received.received, received.bytes), (sent.sent, sent.bytes));
            // Of each ten: three and a shorter one, two, one, twice nothing, one.
            let together = a.into_split().0.max_segments() > 1;
            assert_eq!(sent.batches, if together { 24 } else { 40 });
        });
    }
}

#[test]
fn segments_leave_at_once_in_order_with_what_waits_before_them() {
    run(async {
        let clock = Clock::new();
        let (mut a, mut b) = (socket(clock, |_| {}), socket(clock, |_| {}));
        let to = b.local_addr();
        a.send(to, Ecn::Ect0, &[0; 700]);
        a.flush().await.unwrap();
        // Two that wait, then three and a shorter one that find them waiting.
        a.send(to, Ecn::Ect0, &[1; 300]);
        a.send(to, Ecn::Ect0, &[2; 300]);
        let contents: Vec<u8> = (3..7).flat_map(|number| vec![number; if number < 6 { 500 } else { 20 }]).collect();
        assert!(a.send_segments(to, Ecn::Ce, &contents, 500));
        assert_eq!((a.send_stats().sent, a.send_stats().bytes), (7, 700 + 600 + 1_520), "and nothing waits");
        assert!(a.send_segments(to, Ecn::Ce, &[], 500), "none are all of none");
        let received = receive(&mut b, 7).await;
        let sizes = [700, 300, 300, 500, 500, 500, 20];
        for (number, (datagram, size)) in received.iter().zip(sizes).enumerate() {
            assert!(datagram.data.len() == size && datagram.data.iter().all(|byte| usize::from(*byte) == number));
            assert_eq!(datagram.ecn, if number < 3 { Ecn::Ect0 } else { Ecn::Ce });
        }
        assert_eq!(b.receive_stats().received, 7);
    });
}

/// The socket is set to a size that comes twice; what is of another size, longer, or marked must not be cut by it.
#[test]
fn a_size_the_socket_is_set_to_cuts_nothing_else() {
    run(async {
        let clock = Clock::new();
        let (mut a, mut b) = (socket(clock, |_| {}), socket(clock, |_| {}));
        let to = b.local_addr();
        a.send(to, Ecn::NotEct, &[0; 10]);
        a.flush().await.unwrap();
        let mut sizes = vec![10];
        let mut marks = vec![Ecn::NotEct];
        let runs = [500, 500, 500, 90, 500, 400, 400, 400, 500];
        let singles = [1_300, 450, 0, 1_300, 500, 501, 401, 400, 300];
        for (segment, single) in runs.into_iter().zip(singles) {
            for (ecn, len) in [(Ecn::NotEct, 3 * segment), (Ecn::Ect1, 2 * segment + 1)] {
                assert!(a.send_segments(to, ecn, &vec![7; len], segment));
                sizes.extend([segment, segment, len - 2 * segment]);
                marks.extend([ecn; 3]);
            }
            for ecn in [Ecn::NotEct, Ecn::Ect0] {
                assert!(a.send_segments(to, ecn, &vec![7; single], single));
                sizes.extend((single > 0).then_some(single));
                marks.extend((single > 0).then_some(ecn));
            }
        }
        let received = receive(&mut b, sizes.len()).await;
        assert_eq!(received.iter().map(|datagram| datagram.data.len()).collect::<Vec<_>>(), sizes);
        assert_eq!(received.iter().map(|datagram| datagram.ecn).collect::<Vec<_>>(), marks);
        assert_eq!(a.send_stats().sent, sizes.len() as u64);
    });
}

#[test]
fn segments_nobody_can_be_sent_are_counted() {
    run(async {
        let mut a = socket(Clock::new(), |_| {});
        assert!(!a.send_segments(SocketAddr::from(([127, 0, 0, 1], 0)), Ecn::NotEct, &[0; 90], 30));
        assert_eq!((a.send_stats().failed, a.send_stats().sent), (3, 0));
        // Too much for the queue of a socket that is not writable yet, or sent: each is accounted for.
        let mut small = socket(Clock::new(), |config| config.max_queue = 65_507);
        let b = socket(Clock::new(), |_| {});
        for _ in 0..100 {
            small.send_segments(b.local_addr(), Ecn::NotEct, &[0; 4_800], 1_200);
        }
        small.flush().await.unwrap();
        let stats = small.send_stats();
        assert_eq!(stats.sent + stats.overflowed, 400, "{stats:?}");
    });
}

#[test]
fn what_cannot_be_sent_is_counted_and_the_socket_goes_on() {
    run(async {
        let clock = Clock::new();
        let (mut a, mut b) = (socket(clock, |_| {}), socket(clock, |_| {}));
        let gone = socket(clock, |_| {}).local_addr();
        assert!(!a.send(b.local_addr(), Ecn::NotEct, &vec![0; 65_508]), "larger than any datagram");
        assert!(!a.send(SocketAddr::from(([127, 0, 0, 1], 0)), Ecn::NotEct, b"no port"));
        assert!(!a.send("[::1]:9".parse().unwrap(), Ecn::NotEct, b"another family"));
        a.send(gone, Ecn::NotEct, b"nobody listens");
        a.flush().await.unwrap();
        // To all of a network takes a permission this socket has not: three at once, then each by itself.
        for _ in 0..3 {
            a.send(SocketAddr::from(([255, 255, 255, 255], 9)), Ecn::NotEct, b"to all");
        }
        a.send(b.local_addr(), Ecn::Ect0, b"still there");
        a.flush().await.unwrap();
        let datagram = b.recv().await.unwrap();
        assert_eq!((&datagram.data[..], datagram.ecn), (&b"still there"[..], Ecn::Ect0));
        let stats = a.send_stats();
        assert_eq!(stats.too_large + stats.failed + stats.unreachable + stats.sent, 8, "{stats:?}");
        assert_eq!((stats.too_large, stats.sent), (1, 2), "{stats:?}");
        assert!(stats.last_error.is_some());
        // And it still receives.
        b.send(a.local_addr(), Ecn::NotEct, b"back");
        b.flush().await.unwrap();
        assert_eq!(&a.recv().await.unwrap().data[..], b"back");
    });
}

#[test]
fn a_large_datagram_leaves_by_itself_and_too_large_a_one_is_not_handed_out() {
    run(async {
        let clock = Clock::new();
        let mut a = socket(clock, |config| config.max_segment_size = 1_000);
        let mut b = socket(clock, |config| config.max_datagram = 3_000);
        for size in [3_001, 3_000, 3_000, 1_000, 1_000, 3_001, 1] {
            a.send(b.local_addr(), Ecn::NotEct, &vec![7; size]);
        }
        a.flush().await.unwrap();
        let sizes: Vec<_> = receive(&mut b, 5).await.iter().map(|datagram| datagram.data.len()).collect();
        assert_eq!(sizes, [3_000, 3_000, 1_000, 1_000, 1]);
        assert_eq!(b.receive_stats().too_large, 2);
    });
}

#[test]
fn what_waits_is_bounded() {
    run(async {
        let clock = Clock::new();
        let (mut a, mut b) = (socket(clock, |config| config.max_queue = 65_507), socket(clock, |_| {}));
        // The runtime has not looked at the socket yet, so that nothing can leave.
        let queued = (0..70).filter(|_| a.send(b.local_addr(), Ecn::NotEct, &[0; 1_000])).count();
        assert_eq!((queued, a.send_stats().overflowed), (65, 5));
        a.flush().await.unwrap();
        receive(&mut b, 65).await;
        assert_eq!((a.send_stats().sent, a.into_split().0.waiting()), (65, 0));
    });
}

#[test]
fn both_halves_work_at_once() {
    run(async {
        let clock = Clock::new();
        let (mut echo, mut here) = (socket(clock, |_| {}), socket(clock, |_| {}).into_split());
        let there = echo.local_addr();
        let answers = async {
            for _ in 0..20 {
                let datagram = echo.recv().await.unwrap();
                echo.send(datagram.from, datagram.ecn, &datagram.data);
                echo.flush().await.unwrap();
            }
        };
        let questions = async {
            for number in 0..20 {
                here.0.send(there, Ecn::Ect1, &[number]);
                here.0.flush().await.unwrap();
            }
        };
        let heard = async {
            for number in 0..20 {
                assert_eq!(here.1.recv().await.unwrap().data[..], [number]);
            }
        };
        tokio::join!(answers, questions, heard);
    });
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    run(async {
        let changes: [fn(&mut UdpConfig); 5] = [
            |config| config.max_segments = 0,
            |config| config.max_segments = 65,
            |config| config.max_segment_size = 0,
            |config| config.max_queue = 1_000,
            |config| config.max_datagram = 0,
        ];
        for change in changes {
            let mut config = UdpConfig::default();
            change(&mut config);
            let error = UdpIo::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Clock::new(), config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn an_ipv6_socket_speaks_ipv4_as_such() {
    run(async {
        let clock = Clock::new();
        // Where there is no IPv6, there is nothing to see.
        let Ok(mut a) = UdpIo::bind("[::]:0".parse().unwrap(), clock, UdpConfig::default()) else { return };
        let mut b = socket(clock, |_| {});
        a.send(b.local_addr(), Ecn::Ect1, b"over");
        a.flush().await.unwrap();
        if a.send_stats().sent == 0 {
            println!("skipped: sockets of both families are switched off here");
            return;
        }
        let there = b.recv().await.unwrap();
        assert_eq!((there.from.is_ipv4(), there.ecn), (true, Ecn::Ect1));
        b.send(there.from, Ecn::NotEct, b"and back");
        b.flush().await.unwrap();
        assert_eq!(a.recv().await.unwrap().from, b.local_addr());
    });
}

#[test]
fn memory_is_used_again_once_its_datagrams_are_gone() {
    let mut pool = Pool::default();
    let mut places = std::collections::BTreeSet::new();
    for number in 0..10_000_u32 {
        let held = [pool.copy(&number.to_be_bytes()), pool.copy(&[1; 1_200])];
        assert_eq!(held[0][..], number.to_be_bytes());
        places.insert(held[1].as_ptr());
    }
    // A piece has room for 54, and a few pieces take turns.
    assert!(places.len() < 500, "{} places", places.len());
}

#[test]
fn clocks_show_one_time() {
    let clock = Clock::new();
    let copy = clock;
    let now = clock.now();
    assert!(now.as_millis() >= 1_000 && copy.now() >= now);
    let later = now + Duration::from_millis(250);
    assert_eq!(clock.to_std(later) - clock.to_std(now), Duration::from_millis(250));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 8))]

    /// Whatever is sent to whomever, each hears what was for it, in order, as it was.
    #[test]
    fn batches_change_nothing(
        datagrams in prop::collection::vec((0..2_usize, 0..3_usize, prop_oneof![Just(900), 0..1_600_usize]), 0..40),
        max_segments in 1..=64_usize,
    ) {
        run(async {
            let clock = Clock::new();
            let mut a = socket(clock, |config| config.max_segments = max_segments);
            let mut others = [socket(clock, |_| {}), socket(clock, |_| {})];
            let marks = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1];
            for (number, (to, mark, size)) in (0..).zip(&datagrams) {
                prop_assert!(a.send(others[*to].local_addr(), marks[*mark], &vec![number; *size]));
            }
            a.flush().await.unwrap();
            for (place, other) in others.iter_mut().enumerate() {
                for (number, (to, mark, size)) in (0_u8..).zip(&datagrams) {
                    if *to == place {
                        let datagram = other.recv().await.unwrap();
                        prop_assert!(datagram.data == vec![number; *size], "number {}", number);
                        prop_assert_eq!(datagram.ecn, marks[*mark]);
                    }
                }
            }
            prop_assert_eq!(a.send_stats().sent, datagrams.len() as u64);
            Ok(())
        })?;
    }
}
