#include <list>
#include <memory>

#include "modules/rtp_rtcp/source/forward_error_correction.h"
#include "rtc_base/logging.h"
#include "shim.h"

using webrtc::ForwardErrorCorrection;

struct FecPeer {
  explicit FecPeer(uint32_t ssrc) : ssrc(ssrc), code(ForwardErrorCorrection::CreateUlpfec(ssrc)) {}

  const uint32_t ssrc;
  std::unique_ptr<ForwardErrorCorrection> code;
  std::list<ForwardErrorCorrection::Packet*> repair;
  ForwardErrorCorrection::RecoveredPacketList recovered;
};

FecPeer* fec_new(uint32_t ssrc) {
  rtc::LogMessage::LogToDebug(rtc::LS_NONE);
  rtc::LogMessage::SetLogToStderr(false);
  return new FecPeer(ssrc);
}

void fec_free(FecPeer* peer) {
  peer->code->ResetState(&peer->recovered);
  delete peer;
}

int32_t fec_encode(FecPeer* peer, const FecSlice* media, size_t count, uint8_t protection, bool bursty) {
  ForwardErrorCorrection::PacketList packets;
  for (size_t i = 0; i < count; i++) {
    auto packet = std::make_unique<ForwardErrorCorrection::Packet>();
    packet->data.SetData(media[i].data, media[i].length);
    packets.push_back(std::move(packet));
  }
  peer->repair.clear();
  const auto masks = bursty ? webrtc::kFecMaskBursty : webrtc::kFecMaskRandom;
  if (peer->code->EncodeFec(packets, protection, 0, false, masks, &peer->repair) != 0) return -1;
  return static_cast<int32_t>(peer->repair.size());
}

FecSlice fec_repair(const FecPeer* peer, size_t index) {
  if (index >= peer->repair.size()) return {nullptr, 0};
  const auto& data = (*std::next(peer->repair.begin(), static_cast<std::ptrdiff_t>(index)))->data;
  return {data.cdata(), data.size()};
}

void fec_receive(FecPeer* peer, uint16_t sequence, const uint8_t* data, size_t length, bool is_repair) {
  ForwardErrorCorrection::ReceivedPacket received;
  received.ssrc = peer->ssrc;
  received.seq_num = sequence;
  received.is_fec = is_repair;
  received.is_recovered = false;
  received.pkt = rtc::scoped_refptr<ForwardErrorCorrection::Packet>(new ForwardErrorCorrection::Packet());
  received.pkt->data.SetData(data, length);
  peer->code->DecodeFec(received, &peer->recovered);
}

FecSlice fec_recovered(FecPeer* peer) {
  for (auto& packet : peer->recovered) {
    if (packet->returned) continue;
    packet->returned = true;
    if (packet->was_recovered) return {packet->pkt->data.cdata(), packet->pkt->data.size()};
  }
  return {nullptr, 0};
}

void fec_reset(FecPeer* peer) { peer->code->ResetState(&peer->recovered); }
