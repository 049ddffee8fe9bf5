#pragma once

#include "methods/evaluate/authorization_fields.h"

// What follows from the courses of scratch and of the attacks: arithmetic among published figures.
namespace espalier::authorization {

// The accuracy after exactly so many steps; the only reading of an attack that has one and trains otherwise.
const Reading* readingAt(const Course& course, int64_t steps);

// Below, training from scratch has learnt so little that to reach it means nothing: twice the share of a
// guess, with the lower end of its interval.
bool saysSomething(const Course& scratch, int64_t steps, int64_t classes);

// Fills in the cost factors (steps after which the attack is seen to have what scratch has after `steps`,
// over `steps`) and, for each number of steps that both were read at, the area between the curves.
void compareWithScratch(AttackCurve& curve, const std::vector<Course>& scratch, int64_t steps,
                        int64_t classes);

// The area after `steps`; none where there is one number of samples only.
std::optional<double> areaAfter(const AttackCurve& curve, int64_t steps);

// 'fails': an attack has what scratch has for no more steps; 'delays': for more; 'holds': none within the
// grid.
Verdict judge(const Report& report, int64_t classes);

}  // namespace espalier::authorization
