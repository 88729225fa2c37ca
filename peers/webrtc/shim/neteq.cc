#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "api/audio/audio_frame.h"
#include "api/audio_codecs/L16/audio_decoder_L16.h"
#include "api/audio_codecs/audio_decoder_factory_template.h"
#include "api/neteq/neteq.h"
#include "modules/audio_coding/neteq/default_neteq_factory.h"
#include "rtc_base/logging.h"
#include "shim.h"
#include "system_wrappers/include/clock.h"
#include "system_wrappers/include/field_trial.h"

struct NetEqPeer {
  webrtc::SimulatedClock clock{static_cast<int64_t>(0)};
  std::unique_ptr<webrtc::NetEq> neteq;
  webrtc::AudioFrame frame;
};

namespace {

constexpr int kPayloadType = 96;

void advance(NetEqPeer* peer, int64_t now_us) {
  const int64_t ahead = now_us - peer->clock.TimeInMicroseconds();
  if (ahead > 0) peer->clock.AdvanceTimeMicroseconds(ahead);
}

}  // namespace

NetEqPeer* neteq_new(const char* trials, const NetEqSettings* settings) {
  // NetEq reads the trials of the process while it is built, and the library keeps the pointer it is given.
  static std::mutex mutex;
  static std::set<std::string> kept;
  const std::lock_guard<std::mutex> lock(mutex);
  rtc::LogMessage::LogToDebug(rtc::LS_NONE);
  rtc::LogMessage::SetLogToStderr(false);
  webrtc::field_trial::InitFieldTrialsFromString(kept.insert(trials).first->c_str());

  webrtc::NetEq::Config config;
  config.sample_rate_hz = settings->rate;
  config.max_packets_in_buffer = static_cast<size_t>(settings->max_packets);
  config.min_delay_ms = settings->min_delay_ms;
  config.max_delay_ms = settings->max_delay_ms;
  config.enable_fast_accelerate = settings->fast_accelerate;
  auto peer = std::make_unique<NetEqPeer>();
  peer->neteq = webrtc::DefaultNetEqFactory().CreateNetEq(
      config, webrtc::CreateAudioDecoderFactory<webrtc::AudioDecoderL16>(), &peer->clock);
  const webrtc::SdpAudioFormat format("L16", settings->rate, static_cast<size_t>(settings->channels));
  const bool registered = peer->neteq->RegisterPayloadType(kPayloadType, format);
  webrtc::field_trial::InitFieldTrialsFromString("");
  return registered ? peer.release() : nullptr;
}

void neteq_free(NetEqPeer* peer) { delete peer; }

bool neteq_insert(NetEqPeer* peer, int64_t now_us, uint16_t sequence, uint32_t timestamp, const uint8_t* payload, size_t length) {
  advance(peer, now_us);
  webrtc::RTPHeader header;
  header.payloadType = kPayloadType;
  header.sequenceNumber = sequence;
  header.timestamp = timestamp;
  header.ssrc = 1;
  header.numCSRCs = 0;
  header.markerBit = false;
  return peer->neteq->InsertPacket(header, rtc::ArrayView<const uint8_t>(payload, length)) == 0;
}

bool neteq_pull(NetEqPeer* peer, int64_t now_us, int16_t* samples, size_t capacity, NetEqFrame* frame) {
  advance(peer, now_us);
  bool muted = false;
  if (peer->neteq->GetAudio(&peer->frame, &muted) != 0) return false;
  const size_t total = peer->frame.samples_per_channel_ * peer->frame.num_channels_;
  if (total > capacity) return false;
  std::memcpy(samples, peer->frame.data(), total * sizeof(int16_t));
  frame->samples = peer->frame.samples_per_channel_;
  frame->kind = peer->frame.speech_type_;
  frame->target_delay_ms = peer->neteq->TargetDelayMs();
  frame->current_delay_ms = peer->neteq->FilteredCurrentDelayMs();
  const auto timestamp = peer->neteq->GetPlayoutTimestamp();
  frame->timestamp = timestamp ? static_cast<int64_t>(*timestamp) : -1;
  return true;
}

void neteq_counters(const NetEqPeer* peer, NetEqCounters* counters) {
  const auto life = peer->neteq->GetLifetimeStatistics();
  const auto state = peer->neteq->GetOperationsAndState();
  counters->total_samples = life.total_samples_received;
  counters->concealed_samples = life.concealed_samples;
  counters->silent_concealed_samples = life.silent_concealed_samples;
  counters->concealment_events = life.concealment_events;
  counters->inserted_samples = life.inserted_samples_for_deceleration;
  counters->removed_samples = life.removed_samples_for_acceleration;
  counters->delay_ms = life.jitter_buffer_delay_ms;
  counters->emitted = life.jitter_buffer_emitted_count;
  counters->discarded_packets = life.packets_discarded;
  counters->flushes = state.packet_buffer_flushes;
  counters->interruptions = static_cast<uint64_t>(life.interruption_count);
  counters->interruption_ms = static_cast<uint64_t>(life.total_interruption_duration_ms);
}
