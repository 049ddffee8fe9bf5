#pragma once

#include "core/value.h"
#include "methods/evaluate/authorization_fields.h"

// What a way to bind a model keeps and takes before any attack, and what its manifest says that it needed.
namespace espalier::authorization {

// The protected model second. Interval of the lost accuracy: Agresti and Min 2005 for matched pairs, half an
// image added to each of the four counts.
DomainChange changeOf(const PublishedPairs& pairs);

// Of the manifest's entry of the protecting run; none where it does not tell.
std::optional<DataNeeded> dataNeeded(const Value& entry);
std::optional<double> secondsTaken(const Value& entry);

// Whether what was taken from the model can be given back; none for a method that nothing is known of.
std::optional<bool> isRevocable(const std::string& method);

}  // namespace espalier::authorization
