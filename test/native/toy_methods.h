#pragma once

#include <atomic>
#include <functional>

#include "core/method.h"
#include "core/model.h"

// Three small methods that use everything a trainer offers: their only purpose is to be stopped anywhere and
// resumed.
namespace espalier::test {

// Called at the start of every step of every toy.
extern std::function<void()> onToyStep;

// A multilayer perceptron on 1 x 4 x 4 images.
std::shared_ptr<Model> makePerceptron(int64_t inputs, int64_t hidden, int64_t outputs, uint64_t seed);

Method toyGradual();      // prunes a little more after each epoch, keeps the best iterate
Method toyAdmm();         // a second network, dual variables, two phases
Method toyAdversarial();  // generator and discriminator, two optimisers, noise from a named generator
Method toyNested();       // a training that runs another before its first step and after each epoch
Method toyParent();       // a memo, then two sub-runs that build on each other

}  // namespace espalier::test
