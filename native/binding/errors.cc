#include "binding/errors.h"

#include <new>

#include <c10/util/Exception.h>

#include "binding/convert.h"
#include "core/error.h"

namespace espalier::binding {

namespace {

Failure outOfMemory(std::string message) {
  return {std::string(errorCodeName(ErrorCode::kOutOfMemory)),
          std::move(message) + "; use smaller batches or a smaller model, or free what is not needed",
          {},
          {}};
}

Failure internal(std::string message) {
  return {std::string(errorCodeName(ErrorCode::kInternal)), std::move(message), {}, {}};
}

Failure typed(const Error& error) {
  Failure failure = {std::string(errorCodeName(error.code())), error.message(), {}, {}};
  if (!error.details().isMap()) return failure;
  failure.details = Value::Map{};
  for (const auto& [name, entry] : error.details().asMap()) {
    if (!entry.isHandle()) {
      failure.details.set(name, entry);
      continue;
    }
    try {
      failure.handles.emplace_back(name, Finished(entry.asHandle()));
    } catch (const std::exception&) {
      continue;  // the error itself counts for more
    }
  }
  return failure;
}

// libtorch's CPU allocator tells of failure in words only.
bool saysOutOfMemory(const std::string& message) {
  return message.find("not enough memory") != std::string::npos ||
         message.find("can't allocate memory") != std::string::npos;
}

}  // namespace

Failure describeException(const std::exception_ptr& exception) noexcept {
  try {
    std::rethrow_exception(exception);
  } catch (const Cancelled&) {
    return {"CANCELLED", "cancelled", {}, {}};
  } catch (const Error& error) {
    return typed(error);
  } catch (const c10::OutOfMemoryError& error) {
    return outOfMemory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    if (saysOutOfMemory(message)) return outOfMemory(message);
    Failure failure = internal("libtorch failed: " + message);
    failure.details.set("backtrace", std::string(error.what()));
    return failure;
  } catch (const std::bad_alloc&) {
    return outOfMemory("memory ran out");
  } catch (const std::exception& error) {
    return internal(error.what());
  } catch (...) {
    return internal("an exception of unknown type");
  }
}

Napi::Error toJs(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", Napi::String::New(env, failure.code));
  if (failure.details.isNull()) return error;
  const Napi::Value details = plainToJs(env, failure.details);
  for (const auto& [name, finished] : failure.handles)
    details.As<Napi::Object>().Set(name, wrap(env, finished));
  error.Set("details", details);
  return error;
}

}  // namespace espalier::binding
