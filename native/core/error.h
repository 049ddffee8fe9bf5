#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "core/value.h"

namespace espalier {

// The codes of the public API (README, Errors). The order is that of kErrorCodeNames.
enum class ErrorCode {
  kInvalidArgType,
  kOutOfRange,
  kModelLoad,
  kModelUnsafe,
  kModelUnsupported,
  kModelRun,
  kModelSave,
  kDataInvalid,
  kIo,
  kCheckpointInvalid,
  kCheckpointMismatch,
  kDiverged,
  kTargetUnreachable,
  kLimitExceeded,
  kDeviceUnavailable,
  kOutOfMemory,
  kDisposed,
  kInternal,
};

// "ERR_INVALID_ARG_TYPE", ...
std::string_view errorCodeName(ErrorCode code);

// What the core throws. The message is one or more sentences for the user who made the mistake: the thing,
// what was expected, what was found, what to do. `details` is a map of plain
// values and handles.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, Value details = {})
      : code_(code), message_(std::move(message)), details_(std::move(details)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const Value& details() const { return details_; }

 private:
  ErrorCode code_;
  std::string message_;
  Value details_;
};

// The parts, streamed one after another.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, text(parts...));
}

// Thrown at the next cancellation point of a run whose caller cancelled it; the binding rejects with the
// caller's reason. Not an Error: nothing went wrong.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace espalier
