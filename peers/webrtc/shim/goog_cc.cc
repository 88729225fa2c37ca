#include <cstdlib>
#include <memory>
#include <vector>

#include "api/field_trials.h"
#include "api/rtc_event_log/rtc_event_log.h"
#include "api/transport/goog_cc_factory.h"
#include "rtc_base/logging.h"
#include "shim.h"

using webrtc::DataRate;
using webrtc::DataSize;
using webrtc::TimeDelta;
using webrtc::Timestamp;

struct GoogCc {
  std::unique_ptr<webrtc::FieldTrials> trials;
  webrtc::RtcEventLogNull log;  // without one, the library aborts
  std::unique_ptr<webrtc::NetworkControllerInterface> controller;
};

namespace {

Timestamp at(int64_t us) { return Timestamp::Micros(us); }

webrtc::SentPacket sent(const GoogCcPacket& packet) {
  webrtc::SentPacket out;
  out.send_time = at(packet.sent_us);
  out.size = DataSize::Bytes(packet.bytes);
  out.sequence_number = packet.sequence;
  if (packet.probe_id >= 0)
    out.pacing_info = webrtc::PacedPacketInfo(packet.probe_id, packet.probe_packets, packet.probe_bytes);
  return out;
}

void report(const webrtc::NetworkControlUpdate& from, GoogCcUpdate* to) {
  if (from.target_rate) to->target_bps = from.target_rate->target_rate.bps();
  if (from.pacer_config) to->pacing_bps = from.pacer_config->data_rate().bps();
  for (const auto& probe : from.probe_cluster_configs) {
    if (to->probes == sizeof(to->probe) / sizeof(to->probe[0])) std::abort();
    to->probe[to->probes++] = {probe.id, probe.target_probe_count, probe.target_data_rate.bps(),
                               probe.target_duration.us()};
  }
}

}  // namespace

GoogCc* goog_cc_new(const char* trials, bool alr_probing, const GoogCcLimits* limits, int64_t now_us, GoogCcUpdate* update) {
  rtc::LogMessage::LogToDebug(rtc::LS_NONE);
  rtc::LogMessage::SetLogToStderr(false);
  auto* out = new GoogCc;
  out->trials = webrtc::FieldTrials::CreateNoGlobal(trials);
  webrtc::GoogCcFactoryConfig factory;
  factory.feedback_only = true;  // otherwise loss is taken from receiver reports, of which there are none
  webrtc::NetworkControllerConfig config;
  config.key_value_config = out->trials.get();
  config.event_log = &out->log;
  config.constraints.at_time = at(now_us);
  config.constraints.starting_rate = DataRate::BitsPerSec(limits->start_bps);
  config.constraints.min_data_rate = DataRate::BitsPerSec(limits->min_bps);
  config.constraints.max_data_rate = DataRate::BitsPerSec(limits->max_bps);
  config.stream_based_config.requests_alr_probing = alr_probing;
  out->controller = webrtc::GoogCcNetworkControllerFactory(std::move(factory)).Create(config);
  webrtc::NetworkAvailability available;
  available.at_time = at(now_us);
  available.network_available = true;
  report(out->controller->OnNetworkAvailability(available), update);
  goog_cc_process(out, now_us, update);
  return out;
}

void goog_cc_free(GoogCc* controller) { delete controller; }

void goog_cc_sent(GoogCc* controller, const GoogCcPacket* packet, GoogCcUpdate* update) {
  report(controller->controller->OnSentPacket(sent(*packet)), update);
}

void goog_cc_feedback(GoogCc* controller, int64_t now_us, const GoogCcPacket* packets, size_t count,
                      GoogCcUpdate* update) {
  webrtc::TransportPacketsFeedback message;
  message.feedback_time = at(now_us);
  message.packet_feedbacks.reserve(count);
  for (size_t i = 0; i < count; i++) {
    webrtc::PacketResult result;
    result.sent_packet = sent(packets[i]);
    if (packets[i].received_us >= 0) result.receive_time = at(packets[i].received_us);
    message.packet_feedbacks.push_back(result);
  }
  report(controller->controller->OnTransportPacketsFeedback(std::move(message)), update);
}

void goog_cc_rtt(GoogCc* controller, int64_t now_us, int64_t rtt_us, GoogCcUpdate* update) {
  webrtc::RoundTripTimeUpdate message;
  message.receive_time = at(now_us);
  message.round_trip_time = TimeDelta::Micros(rtt_us);
  report(controller->controller->OnRoundTripTimeUpdate(message), update);
}

void goog_cc_process(GoogCc* controller, int64_t now_us, GoogCcUpdate* update) {
  webrtc::ProcessInterval message;
  message.at_time = at(now_us);
  report(controller->controller->OnProcessInterval(message), update);
}
