#pragma once

#include <chrono>
#include <string>

#include "core/job.h"
#include "core/metrics.h"
#include "core/model.h"

// What the attacks share that change weights without a training, whose steps nobody else counts.
namespace espalier {

// A phase of the run of its own, `units` of its planned work: with progress, and on resume taken from the
// checkpoint. Asked for in the same order each time.
Answers measureAnswers(const Model& model, const SelectData& data, const std::string& phase, double units,
                       Job& job);
PublishedAnswers measureAnswers(const Model& model, const ReportData& data, const std::string& phase,
                                double units, Job& job);

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace espalier
