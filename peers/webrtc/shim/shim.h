// The C face of libwebrtc that src/ffi.rs declares. Times are microseconds, rates bits per second, sizes bytes.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {

struct GoogCc;

struct GoogCcPacket {
  int64_t sequence;
  int64_t sent_us;
  int64_t received_us;  // -1: lost
  int64_t bytes;
  int32_t probe_id;  // -1: none
  int32_t probe_packets;
  int32_t probe_bytes;
};

struct GoogCcProbe {
  int32_t id;
  int32_t packets;
  int64_t rate_bps;
  int64_t duration_us;
};

// What changed: rates are -1 where they did not.
struct GoogCcUpdate {
  int64_t target_bps;
  int64_t pacing_bps;
  size_t probes;
  GoogCcProbe probe[8];
};

struct GoogCcLimits {
  int64_t start_bps;
  int64_t min_bps;
  int64_t max_bps;
};

GoogCc* goog_cc_new(const char* trials, bool alr_probing, const GoogCcLimits* limits, int64_t now_us, GoogCcUpdate* update);
void goog_cc_free(GoogCc* controller);
void goog_cc_sent(GoogCc* controller, const GoogCcPacket* packet, GoogCcUpdate* update);
void goog_cc_feedback(GoogCc* controller, int64_t now_us, const GoogCcPacket* packets, size_t count, GoogCcUpdate* update);
void goog_cc_rtt(GoogCc* controller, int64_t now_us, int64_t rtt_us, GoogCcUpdate* update);
void goog_cc_process(GoogCc* controller, int64_t now_us, GoogCcUpdate* update);

struct NetEqPeer;

struct NetEqSettings {
  int32_t rate;
  int32_t channels;
  int32_t max_packets;
  int32_t min_delay_ms;
  int32_t max_delay_ms;
  bool fast_accelerate;
};

struct NetEqFrame {
  size_t samples;  // per channel
  int32_t kind;    // webrtc::AudioFrame::SpeechType
  int32_t target_delay_ms;
  int32_t current_delay_ms;
  int64_t timestamp;  // of the last sample, -1: none
};

struct NetEqCounters {
  uint64_t total_samples;
  uint64_t concealed_samples;
  uint64_t silent_concealed_samples;
  uint64_t concealment_events;
  uint64_t inserted_samples;
  uint64_t removed_samples;
  uint64_t delay_ms;
  uint64_t emitted;
  uint64_t discarded_packets;
  uint64_t flushes;
  uint64_t interruptions;
  uint64_t interruption_ms;
};

NetEqPeer* neteq_new(const char* trials, const NetEqSettings* settings);
void neteq_free(NetEqPeer* peer);
bool neteq_insert(NetEqPeer* peer, int64_t now_us, uint16_t sequence, uint32_t timestamp, const uint8_t* payload, size_t length);
bool neteq_pull(NetEqPeer* peer, int64_t now_us, int16_t* samples, size_t capacity, NetEqFrame* frame);
void neteq_counters(const NetEqPeer* peer, NetEqCounters* counters);

struct FecPeer;

struct FecSlice {
  const uint8_t* data;
  size_t length;
};

FecPeer* fec_new(uint32_t ssrc);
void fec_free(FecPeer* peer);
// The number of repair payloads made, read by fec_repair until the next call; -1 if refused.
int32_t fec_encode(FecPeer* peer, const FecSlice* media, size_t count, uint8_t protection, bool bursty);
FecSlice fec_repair(const FecPeer* peer, size_t index);
void fec_receive(FecPeer* peer, uint16_t sequence, const uint8_t* data, size_t length, bool is_repair);
// The next packet brought back, of length 0 if there is none; readable until the next call.
FecSlice fec_recovered(FecPeer* peer);
void fec_reset(FecPeer* peer);

struct ApmPeer;

struct ApmSettings {
  int32_t rate;
  int32_t channels;
  int32_t noise_suppression;  // -1: off, 0 to 3: low to very high
  bool echo_canceller;
  bool gain_control;
};

ApmPeer* apm_new(const ApmSettings* settings);
void apm_free(ApmPeer* peer);
// 10 ms of as many planes as there are channels.
bool apm_render(ApmPeer* peer, const float* const* planes);
bool apm_capture(ApmPeer* peer, float* const* planes);

struct MixerPeer;

MixerPeer* mixer_new(int32_t rate, int32_t max_sources);
void mixer_free(MixerPeer* peer);
void mixer_resize(MixerPeer* peer, size_t count);
// 10 ms, interleaved.
bool mixer_set(MixerPeer* peer, size_t index, const int16_t* samples, size_t count, size_t channels);
bool mixer_mix(MixerPeer* peer, size_t channels, int16_t* samples, size_t capacity);

struct HeapCounters {
  uint64_t allocations;
  uint64_t live;  // bytes
};

HeapCounters heap_counters();
}
