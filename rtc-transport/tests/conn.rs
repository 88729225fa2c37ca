//! Sessions over `Conn`s of `webrtc-util`: its virtual network as an independent opinion, and our sockets seen as one.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rtc_core::bwe::Ecn;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::io::{Clock, ConnIo, UdpConfig, UdpConn, UdpIo};
use rtc_transport::rtcp::is_rtcp;
use rtc_transport::schedule::Profile;
use rtc_transport::session::{Event, Session, SessionConfig};
use webrtc_util::conn::Conn;
use webrtc_util::vnet::net::{Net, NetConfig};
use webrtc_util::vnet::router::{Router, RouterConfig};

/// A test that takes longer fails; it takes one or two seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// One way through the virtual network.
const DELAY: Duration = Duration::from_millis(25);
const PACKETS: u16 = 100;
const ALICE: Ssrc = Ssrc(0xa);

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.unwrap() });
}

/// Two nets on a router that delays all and loses the media packets of sequence numbers 7, 17, 27 ...
async fn network(lost: Arc<AtomicU64>) -> (Arc<tokio::sync::Mutex<Router>>, [Net; 2]) {
    let config = RouterConfig { cidr: "192.0.2.0/24".to_owned(), min_delay: DELAY, ..RouterConfig::default() };
    let router = Arc::new(tokio::sync::Mutex::new(Router::new(config).unwrap()));
    let nets = ["192.0.2.1", "192.0.2.2"]
        .map(|ip| Net::new(Some(NetConfig { static_ips: vec![ip.to_owned()], ..NetConfig::default() })));
    for net in &nets {
        let nic = net.get_nic().unwrap();
        router.lock().await.add_net(Arc::clone(&nic)).await.unwrap();
        nic.lock().await.set_router(Arc::clone(&router)).await.unwrap();
    }
    let passes = move |data: &[u8]| {
        let passes = is_rtcp(data) || data[3] % 10 != 7;
        lost.fetch_add(u64::from(!passes), Ordering::Relaxed);
        passes
    };
    router.lock().await.add_chunk_filter(Box::new(move |chunk| passes(&chunk.user_data()))).await;
    router.lock().await.start().await.unwrap();
    (router, nets)
}

fn session(now: Instant, ssrc: Ssrc) -> Session {
    let mut config = SessionConfig::default();
    config.clocks = vec![(PayloadType::new(111), Frequency::KHZ_48)];
    config.transport_sequence_id = Some(3);
    config.receiver.min_sequential = 1;
    config.scheduler.profile = Profile::Avpf { report_interval: Duration::from_millis(100), point_to_point: true };
    Session::new(now, NtpTime::from_bits(1 << 60), &[ssrc], config).unwrap()
}

/// What the one that sends learns from the other.
#[derive(Debug, Default)]
struct Learnt {
    lost: BTreeSet<u64>,
    received: BTreeSet<u64>,
    shortest: Option<Duration>,
    reported_lost: i32,
    highest: u32,
}

impl Learnt {
    fn listen(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            match event {
                Event::PacketResults(results) => {
                    for result in results {
                        let seen = if result.received.is_some() { &mut self.received } else { &mut self.lost };
                        seen.insert(result.packet.id);
                    }
                }
                Event::Report(view) => {
                    self.shortest = [self.shortest, view.round_trip].into_iter().flatten().min();
                    self.reported_lost = view.block.lost;
                    self.highest = view.block.highest_seq;
                }
                _ => {}
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.shortest.is_some()
            && self.lost.len() + self.received.len() >= usize::from(PACKETS)
            && self.highest >= u32::from(PACKETS)
    }
}

/// Sends a packet each 5 ms if it is to, and RTCP, until `done`.
async fn talk(
    io: &mut ConnIo,
    session: &mut Session,
    to: SocketAddr,
    packets: u16,
    mut done: impl FnMut(&mut Session) -> bool,
) {
    let clock = Clock::new();
    let offset = io.now() - clock.now();
    let (mut next, mut due) = (1, io.now());
    while !done(session) {
        let now = io.now();
        while next <= packets && due <= now {
            let packet = RtpPacket::builder(PayloadType::new(111), SeqNum(next), RtpTime(240 * u32::from(next)), ALICE);
            let packet = packet.extensions(&[(3, &[0, 0])]).build(b"voice").unwrap();
            let outgoing = session.send_rtp(now, packet, None);
            io.send(to, Ecn::NotEct, &outgoing.datagram);
            next += 1;
            due += Duration::from_millis(5);
        }
        while let Some(datagram) = session.poll_rtcp(now) {
            io.send(to, Ecn::NotEct, &datagram);
        }
        io.flush().await.unwrap();
        let media = (next <= packets).then_some(due);
        let wake = earliest([media, session.poll_timeout(), Some(now + Duration::from_millis(50))]).unwrap();
        let wake = clock.to_std(wake - offset);
        tokio::select! {
            datagram = io.recv() => {
                let datagram = datagram.unwrap();
                session.receive_marked(datagram.at, datagram.data.freeze(), datagram.ecn).unwrap();
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
}

#[test]
fn a_virtual_network_of_others_delays_and_loses_what_our_session_says_it_does() {
    run(async {
        let lost = Arc::new(AtomicU64::new(0));
        let (_router, [near, far]) = network(Arc::clone(&lost)).await;
        let addresses: [SocketAddr; 2] = ["192.0.2.1:5004", "192.0.2.2:5004"].map(|addr| addr.parse().unwrap());
        let clock = Clock::new();
        let mut alice_io = ConnIo::new(near.bind(addresses[0]).await.unwrap(), clock);
        let mut bob_io = ConnIo::new(far.bind(addresses[1]).await.unwrap(), clock);
        let (mut alice, mut bob) = (session(clock.now(), ALICE), session(clock.now(), Ssrc(0xb)));
        let (learnt, over) = (Mutex::new(Learnt::default()), Mutex::new(false));
        let alice_done = |session: &mut Session| {
            let mut learnt = learnt.lock().unwrap();
            learnt.listen(session);
            *over.lock().unwrap() = learnt.is_complete();
            learnt.is_complete()
        };
        let bob_done = |session: &mut Session| {
            while session.poll_event().is_some() {}
            *over.lock().unwrap()
        };
        tokio::join!(
            talk(&mut alice_io, &mut alice, addresses[1], PACKETS, alice_done),
            talk(&mut bob_io, &mut bob, addresses[0], 0, bob_done),
        );

        let learnt = learnt.into_inner().unwrap();
        assert_eq!(lost.load(Ordering::Relaxed), 10, "the filter's own count");
        let stream = bob.receiver(ALICE).unwrap();
        assert_eq!((stream.lost(), stream.stats().received()), (10, 90));
        assert_eq!(learnt.reported_lost, 10, "receiver report");
        // Transport-wide numbers begin with 1, as the sequence numbers do.
        assert_eq!(learnt.lost.into_iter().collect::<Vec<_>>(), (0..10).map(|ten| 10 * ten + 7).collect::<Vec<_>>());
        assert_eq!(learnt.received.len(), 90, "transport-wide feedback");
        // Each way takes the delay at least; the clocks of reports count in 15 us.
        let shortest = learnt.shortest.unwrap();
        assert!(shortest + Duration::from_millis(1) >= 2 * DELAY, "{shortest:?}");
        assert_eq!((alice_io.stats().failed, bob_io.stats().failed), (0, 0));
        assert_eq!(alice.stats().malformed + bob.stats().malformed, 0);
    });
}

fn udp(clock: Clock) -> UdpConn {
    UdpConn::new(UdpIo::bind(SocketAddr::from(([127, 0, 0, 1], 0)), clock, UdpConfig::default()).unwrap())
}

#[test]
fn our_socket_is_a_conn_and_a_conn_is_our_socket() {
    run(async {
        let clock = Clock::new();
        let (a, b, stranger) = (udp(clock), udp(clock), udp(clock));
        let [to_a, to_b] = [&a, &b].map(|conn| conn.local_addr().unwrap());
        assert!(a.send(b"to whom?").await.is_err());
        a.connect(to_b).await.unwrap();
        assert_eq!(a.remote_addr(), Some(to_b));
        stranger.send_to(b"let me in", to_a).await.unwrap();

        // Once through the trait, and once through the adapter on top of it, which knows not what is below.
        let (a, b): (Arc<dyn Conn + Send + Sync>, Arc<dyn Conn + Send + Sync>) = (Arc::new(a), Arc::new(b));
        let mut io = ConnIo::new(Arc::clone(&b), clock);
        a.send(b"question").await.unwrap();
        let question = io.recv().await.unwrap();
        assert_eq!((&question.data[..], question.from, question.ecn), (&b"question"[..], to_a, Ecn::NotEct));
        io.send(question.from, Ecn::Ect1, b"answer");
        io.flush().await.unwrap();
        let mut room = [0; 100];
        let len = a.recv(&mut room).await.unwrap();
        assert_eq!(&room[..len], b"answer", "and nothing of the stranger's");

        io.send(to_a, Ecn::NotEct, b"longer than the room for it");
        io.flush().await.unwrap();
        assert!(a.recv(&mut [0; 5]).await.is_err());
        assert_eq!((io.stats().sent, io.stats().received, io.stats().failed), (2, 1, 0));
    });
}

#[test]
fn closing_ends_whoever_waits() {
    run(async {
        let conn = udp(Clock::new());
        let to = conn.local_addr().unwrap();
        let mut room = [0; 10];
        let (received, ()) = tokio::join!(conn.recv(&mut room), async {
            tokio::task::yield_now().await;
            conn.close().await.unwrap();
        });
        assert!(received.is_err());
        assert!(conn.recv(&mut [0; 10]).await.is_err() && conn.send_to(b"late", to).await.is_err());
    });
}

#[test]
fn what_waits_for_a_conn_is_bounded_and_what_it_refuses_is_counted() {
    run(async {
        let mut io = ConnIo::new(Arc::new(udp(Clock::new())), Clock::new());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let queued = (0..1_030).filter(|_| io.send(nowhere, Ecn::NotEct, b"x")).count();
        assert_eq!((queued, io.stats().overflowed), (1_024, 6));
        io.flush().await.unwrap();
        assert_eq!((io.stats().sent, io.stats().failed), (0, 1_024));
        assert!(io.stats().last_error.is_some());
    });
}
