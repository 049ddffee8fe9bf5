#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/functors/admm.h"
#include "kernels/functors/ltp.h"
#include "kernels/functors/masked_step.h"
#include "kernels/functors/scores.h"
#include "kernels/functors/statistics.h"

// The functors that go over elements, in the types that the operators ask for: what each device compiles.
namespace espalier::kernels {

// With T = float, and with the type H of effective weights and their gradients.
template <template <class...> class Of, class H>
using FloatFunctors =
    Of<MaskedSgd<float, H>, MaskedAdam<float, H>, LtpGate<float, H>, LtpStep<float, H>, ScoreApply<float, H>,
       ScoreAdam<float, H>, AdmmPenalty<float, H>, Statistics<H, float>, CountNotFinite<H, float>>;
template <template <class...> class Of>
using CommonFunctors = Of<AdmmShrink<float>, AdmmProject<float>, AdmmDual<float>>;
template <template <class...> class Of>
using DoubleFunctors =
    Of<MaskedSgd<double, double>, MaskedAdam<double, double>, LtpGate<double, double>,
       LtpStep<double, double>, ScoreApply<double, double>, ScoreAdam<double, double>,
       AdmmPenalty<double, double>, Statistics<double, double>, CountNotFinite<double, double>,
       AdmmShrink<double>, AdmmProject<double>, AdmmDual<double>>;

}  // namespace espalier::kernels
