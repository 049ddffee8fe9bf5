#include "core/data/domain.h"

#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr std::string_view kRoleNames[] = {"fit", "select", "report"};

std::string_view roleName(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

DatasetPtr required(const DatasetPtr& dataset, Role role, const std::string& domain,
                    std::string_view method) {
  if (dataset) return dataset;
  fail(ErrorCode::kDataInvalid, method, " needs ", roleName(role), " data of domain ", domain,
       ", which has none. Open the domain with ", roleName(role));
}

Value describeOrNull(const DatasetPtr& dataset) { return dataset ? dataset->describe() : Value(); }

}  // namespace

Domain::Domain(std::string name, DatasetPtr fit, DatasetPtr select, DatasetPtr report)
    : name_(std::move(name)), fit_(std::move(fit)), select_(std::move(select)), report_(std::move(report)) {
  const DatasetPtr* first = nullptr;
  std::string_view firstRole;
  for (const auto& [dataset, role] :
       {std::pair(&fit_, Role::kFit), {&select_, Role::kSelect}, {&report_, Role::kReport}}) {
    if (!*dataset) continue;
    if (first == nullptr) {
      first = dataset;
      firstRole = roleName(role);
      continue;
    }
    const auto shape = (*first)->sampleShape(), otherShape = (*dataset)->sampleShape();
    if (shape != otherShape) {
      fail(ErrorCode::kDataInvalid, "domain ", name_, ": expected samples of one shape, found ",
           shapeText(shape), " in ", firstRole, " and ", shapeText(otherShape), " in ", roleName(role),
           ". Resize one of them");
    }
    if ((*first)->classes() != (*dataset)->classes()) {
      fail(ErrorCode::kDataInvalid, "domain ", name_, ": expected one number of classes, found ",
           (*first)->classes(), " in ", firstRole, " and ", (*dataset)->classes(), " in ", roleName(role),
           ". Give classes where the datasets are opened");
    }
  }
  if (first == nullptr) {
    fail(ErrorCode::kDataInvalid, "domain ", name_, ": expected fit, select or report data, found none");
  }
}

std::shared_ptr<Domain> Domain::holdingOut(std::string name, const DatasetPtr& fit, double fraction,
                                           DatasetPtr report) {
  auto [kept, heldOut] = fit->holdOut(fraction);
  return std::make_shared<Domain>(std::move(name), std::move(kept), std::move(heldOut), std::move(report));
}

std::shared_ptr<Domain> Domain::overlay(std::string name, const at::Tensor& pattern,
                                        const std::string& patternName) const {
  const auto over = [&](const DatasetPtr& dataset) {
    return dataset ? dataset->overlay(pattern, patternName) : nullptr;
  };
  return std::make_shared<Domain>(std::move(name), over(fit_), over(select_), over(report_));
}

int64_t Domain::classes() const { return (fit_ ? fit_ : select_ ? select_ : report_)->classes(); }

std::vector<int64_t> Domain::sampleShape() const {
  return (fit_ ? fit_ : select_ ? select_ : report_)->sampleShape();
}

bool Domain::has(Role role) const {
  return (role == Role::kFit ? fit_ : role == Role::kSelect ? select_ : report_) != nullptr;
}

FitData Domain::fit(std::string_view method) const {
  return FitData(required(fit_, Role::kFit, name_, method));
}

SelectData Domain::select(std::string_view method) const {
  return SelectData(required(select_, Role::kSelect, name_, method));
}

ReportData Domain::report(std::string_view method) const {
  return ReportData(required(report_, Role::kReport, name_, method));
}

Value Domain::describe() const {
  Value out;
  out.set("name", name_);
  out.set("fit", describeOrNull(fit_));
  out.set("select", describeOrNull(select_));
  out.set("report", describeOrNull(report_));
  return out;
}

}  // namespace espalier
