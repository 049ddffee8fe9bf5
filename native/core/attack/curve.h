#pragma once

#include <vector>

namespace espalier {

// Accuracy after training on so many samples.
struct CurvePoint {
  double samples = 0;
  double accuracy = 0;
};

// The signed area between two sample-wise learning curves over the logarithm of the samples: positive where
// the first is above.
struct CurveArea {
  double ln = 0;          // natural logarithm
  double log10 = 0;       // the same over the decadic logarithm
  double normalized = 0;  // divided by the length of the axis: the mean gap in accuracy
  template <class V>
  void fields(V&& visit) {
    visit("ln", ln);
    visit("log10", log10);
    visit("normalized", normalized);
  }
};

// Trapezoids; the order of the points is irrelevant. ERR_OUT_OF_RANGE where the two curves are not at the
// same samples, or at fewer than two.
CurveArea compareCurves(std::vector<CurvePoint> first, std::vector<CurvePoint> second);

// Mean and standard deviation (of a sample: n - 1) of what was measured once a seed.
struct Spread {
  double mean = 0;
  double deviation = 0;
  std::vector<double> values;
  template <class V>
  void fields(V&& visit) {
    visit("mean", mean);
    visit("deviation", deviation);
    visit("values", values);
  }
};
Spread spreadOf(std::vector<double> values);

}  // namespace espalier
