#pragma once

#include <string_view>

#include "core/attack/attack.h"
#include "core/inputs.h"

// What the attacks share that train on authorised data alone: the attacked domain only measures them.
namespace espalier {

struct ModelOnSource : ModelOnDomain {
  std::shared_ptr<Domain> source;
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("source", source);
  }
};

// An attack that ruins the source is none.
struct SourceFigures {
  PublishedAnswers before;
  PublishedAnswers after;
  template <class V>
  void fields(V&& visit) {
    visit("before", before);
    visit("after", after);
  }
};

struct SourceAttackFigures : TrainedAttackFigures {
  SourceFigures source;
  template <class V>
  void fields(V&& visit) {
    TrainedAttackFigures::fields(visit);
    visit("source", source);
  }
};

// Refuses a model that cannot be attacked on the domain, or a source of other classes.
void requireAttackable(const ModelOnSource& inputs, std::string_view method);

// trainAttack on samples of the source, with its figures.
std::shared_ptr<Model> trainOnSource(const Model& given, const Model& start, const FitData& samples,
                                     const TransferOptions& options, const ModelOnSource& inputs,
                                     const AttackObjective& objective, SourceAttackFigures& figures,
                                     Job& job);

}  // namespace espalier
