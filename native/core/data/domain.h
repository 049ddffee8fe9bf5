#pragma once

#include <string>
#include <string_view>

#include "core/data/dataset.h"

namespace espalier {

// What data may be used for. `fit` trains; `select` chooses thresholds, stops and best iterates; `report` is
// only ever read for published figures: code that decides takes SelectData, so handing it ReportData does not
// compile.
enum class Role { kFit, kSelect, kReport };

template <Role kRole>
class RoleData {
 public:
  explicit RoleData(DatasetPtr dataset) : dataset_(std::move(dataset)) {}
  const Dataset& operator*() const { return *dataset_; }
  const Dataset* operator->() const { return dataset_.get(); }
  const DatasetPtr& dataset() const { return dataset_; }

 private:
  DatasetPtr dataset_;
};
using FitData = RoleData<Role::kFit>;
using SelectData = RoleData<Role::kSelect>;
using ReportData = RoleData<Role::kReport>;

// One data domain: a name and up to three datasets with roles, all of one sample shape and class count.
class Domain : public Handle {
 public:
  static constexpr std::string_view kKind = "Domain";
  std::string_view kind() const override { return kKind; }

  // Each may be null, not all. ERR_DATA_INVALID where sample shapes or class counts differ.
  Domain(std::string name, DatasetPtr fit, DatasetPtr select, DatasetPtr report);
  // `select` is a fraction of `fit`, held out by content.
  static constexpr double kSelectFraction = 0.1;
  static std::shared_ptr<Domain> holdingOut(std::string name, const DatasetPtr& fit, double fraction,
                                            DatasetPtr report);

  // The same in another guise, called `name`: each of its datasets with a pattern on it (Dataset::overlay).
  std::shared_ptr<Domain> overlay(std::string name, const at::Tensor& pattern,
                                  const std::string& patternName) const;

  const std::string& name() const { return name_; }
  int64_t classes() const;
  std::vector<int64_t> sampleShape() const;
  bool has(Role role) const;
  // ERR_DATA_INVALID naming `method`, the role and the domain when it lacks one.
  FitData fit(std::string_view method) const;
  SelectData select(std::string_view method) const;
  ReportData report(std::string_view method) const;
  // { name, fit: { samples, digest } | null, select: ..., report: ... }
  Value describe() const override;

 private:
  std::string name_;
  DatasetPtr fit_;
  DatasetPtr select_;
  DatasetPtr report_;
};

}  // namespace espalier
