#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "api/audio/audio_frame.h"
#include "modules/audio_mixer/audio_mixer_impl.h"
#include "modules/audio_processing/include/audio_processing.h"
#include "rtc_base/logging.h"
#include "shim.h"

struct ApmPeer {
  rtc::scoped_refptr<webrtc::AudioProcessing> apm;
  webrtc::StreamConfig format;
};

ApmPeer* apm_new(const ApmSettings* settings) {
  rtc::LogMessage::LogToDebug(rtc::LS_NONE);
  rtc::LogMessage::SetLogToStderr(false);
  webrtc::AudioProcessing::Config config;
  config.pipeline.multi_channel_render = settings->channels > 1;
  config.pipeline.multi_channel_capture = settings->channels > 1;
  config.echo_canceller.enabled = settings->echo_canceller;
  config.noise_suppression.enabled = settings->noise_suppression >= 0;
  if (config.noise_suppression.enabled)
    config.noise_suppression.level =
        static_cast<webrtc::AudioProcessing::Config::NoiseSuppression::Level>(settings->noise_suppression);
  config.gain_controller2.enabled = settings->gain_control;
  config.gain_controller2.adaptive_digital.enabled = settings->gain_control;
  auto peer = std::make_unique<ApmPeer>();
  peer->apm = webrtc::AudioProcessingBuilder().SetConfig(config).Create();
  peer->format = webrtc::StreamConfig(settings->rate, static_cast<size_t>(settings->channels));
  return peer->apm ? peer.release() : nullptr;
}

void apm_free(ApmPeer* peer) { delete peer; }

bool apm_render(ApmPeer* peer, const float* const* planes) { return peer->apm->AnalyzeReverseStream(planes, peer->format) == 0; }

bool apm_capture(ApmPeer* peer, float* const* planes) {
  peer->apm->set_stream_delay_ms(0);
  return peer->apm->ProcessStream(planes, peer->format, peer->format, planes) == 0;
}

namespace {

class Source final : public webrtc::AudioMixer::Source {
 public:
  Source(int ssrc, int rate) : ssrc_(ssrc), rate_(rate) {}

  void Set(const int16_t* samples, size_t count, size_t channels) {
    frame_.UpdateFrame(0, samples, count, rate_, webrtc::AudioFrame::kNormalSpeech, webrtc::AudioFrame::kVadActive, channels);
  }

  AudioFrameInfo GetAudioFrameWithInfo(int rate, webrtc::AudioFrame* frame) override {
    if (rate != rate_) return AudioFrameInfo::kError;
    frame->CopyFrom(frame_);
    return AudioFrameInfo::kNormal;
  }
  int Ssrc() const override { return ssrc_; }
  int PreferredSampleRate() const override { return rate_; }

 private:
  const int ssrc_;
  const int rate_;
  webrtc::AudioFrame frame_;
};

}  // namespace

struct MixerPeer {
  int rate;
  std::vector<std::unique_ptr<Source>> sources;
  rtc::scoped_refptr<webrtc::AudioMixerImpl> mixer;
  webrtc::AudioFrame out;
};

MixerPeer* mixer_new(int32_t rate, int32_t max_sources) {
  auto peer = std::make_unique<MixerPeer>();
  peer->rate = rate;
  peer->mixer = webrtc::AudioMixerImpl::Create(max_sources);
  return peer.release();
}

void mixer_free(MixerPeer* peer) {
  for (auto& source : peer->sources) peer->mixer->RemoveSource(source.get());
  delete peer;
}

void mixer_resize(MixerPeer* peer, size_t count) {
  for (; peer->sources.size() > count; peer->sources.pop_back()) peer->mixer->RemoveSource(peer->sources.back().get());
  while (peer->sources.size() < count) {
    peer->sources.push_back(std::make_unique<Source>(static_cast<int>(peer->sources.size()), peer->rate));
    peer->mixer->AddSource(peer->sources.back().get());
  }
}

bool mixer_set(MixerPeer* peer, size_t index, const int16_t* samples, size_t count, size_t channels) {
  if (index >= peer->sources.size() || count != static_cast<size_t>(peer->rate) / 100 || channels < 1 || channels > 2) return false;
  peer->sources[index]->Set(samples, count, channels);
  return true;
}

bool mixer_mix(MixerPeer* peer, size_t channels, int16_t* samples, size_t capacity) {
  peer->mixer->Mix(channels, &peer->out);
  const size_t total = peer->out.samples_per_channel_ * peer->out.num_channels_;
  if (total != capacity) return false;
  std::memcpy(samples, peer->out.data(), total * sizeof(int16_t));
  return true;
}
