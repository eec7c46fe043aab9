// A machine that follows a script instead of running a kernel: for the tests of what the
// grader does with a machine's output, end, or silence.
#pragma once
#include <fstream>

#include "grader/lib/machine.h"

struct FakeStep {
    double at;  // seconds of progress
    Channel channel;
    std::string text;
};

class FakeMachine : public Machine {
  public:
    // Ends with `ending` at `end`, or never when there is none. Its clock goes `speed` times
    // as fast as the host's.
    FakeMachine(std::vector<FakeStep> steps, double end, std::optional<Ending> ending,
                double speed = 1)
        : steps_(std::move(steps)), end_(end), ending_(ending), speed_(speed) {}

    void start() override { began_ = monotonic_seconds(); }

    std::optional<Ending> ending() override {
        play();
        return !killed_ && progress_seconds() >= end_ ? ending_ : std::nullopt;
    }

    fs::path channel(Channel channel) const override {
        return folder_.path() / std::to_string(static_cast<int>(channel));
    }

    double progress_seconds() override { return (monotonic_seconds() - began_) * speed_; }

    std::string diagnose(const Symbols&) override { return "fake: every CPU is idle\n"; }

    void kill() override { killed_ = true; }

    bool killed() const { return killed_; }

  private:
    void play() {
        while (next_ < steps_.size() && steps_[next_].at <= progress_seconds()) {
            const FakeStep& step = steps_[next_++];
            std::ofstream(channel(step.channel), std::ios::app) << step.text;
        }
    }

    std::vector<FakeStep> steps_;
    double end_;
    std::optional<Ending> ending_;
    double speed_;
    double began_ = 0;
    size_t next_ = 0;
    bool killed_ = false;
    TempDir folder_{"mello-fake"};
};
