/// What a [`Session`](super::Session) did.
///
/// `datagrams = rtp_received + rtcp_received + collisions + refused + malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Datagrams that arrived.
    pub datagrams: u64,
    /// RTP packets given out.
    pub rtp_received: u64,
    /// RTCP datagrams taken in.
    pub rtcp_received: u64,
    /// RTP packets that came from one of our own sources, and were dropped.
    pub collisions: u64,
    /// Datagrams, RTP or RTCP, that were our own and came back: after a collision, what bears our SSRCs from the same address is
    /// taken for a loop (RFC 3550 §8.2).
    pub loops: u64,
    /// Times one of our streams changed its SSRC because of a collision.
    pub ssrc_changes: u64,
    /// RTP packets dropped because they were of one source too many.
    pub refused: u64,
    /// Datagrams that were neither RTP nor RTCP.
    pub malformed: u64,
    /// Packets of RTCP datagrams that were not what they claimed; the others were taken in.
    pub malformed_rtcp: u64,
    /// Reports and feedback about sources that are not ours.
    pub foreign: u64,
    /// Events dropped because nobody polled them.
    pub events_dropped: u64,
    /// RTP packets sent.
    pub rtp_sent: u64,
    /// Of these, packets that no stream counts because there are 31 already.
    pub untracked: u64,
    /// RTCP datagrams sent.
    pub rtcp_sent: u64,
    /// Bytes of them, headers below not counted.
    pub rtcp_bytes_sent: u64,
    /// Messages not sent because they were too long, too many, or of a stream that is not ours.
    pub messages_refused: u64,
    /// Messages that had arrived before.
    pub messages_repeated: u64,
    /// Requests for retransmission or key frames dropped because too many waited.
    pub requests_dropped: u64,
}
