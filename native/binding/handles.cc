#include "binding/handles.h"

#include "binding/convert.h"
#include "core/data/dataset.h"
#include "core/error.h"
#include "core/facts.h"
#include "core/lanes.h"
#include "core/model.h"

namespace espalier::binding {

namespace {

constexpr napi_type_tag kTag = {0x6573'7061'6c69'6572, 0x6861'6e64'6c65'0001};

struct Holder {
  HandlePtr handle;
  std::string noun;
  int64_t bytes = 0;
};

// Frees a handle on the lane; where it was closed, right here.
class Release : public Task {
 public:
  explicit Release(HandlePtr handle) : Task(nullptr), handle_(std::move(handle)) {}
  void run() noexcept override { handle_.reset(); }
  void drop() noexcept override { handle_.reset(); }
  void cancel() noexcept override {}

 private:
  HandlePtr handle_;
};

void adjustMemory(napi_env env, int64_t bytes) {
  int64_t total = 0;
  if (bytes != 0) napi_adjust_external_memory(env, bytes, &total);
}

void finalize(napi_env env, void* data, void*) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(data));
  adjustMemory(env, -holder->bytes);
  if (holder->handle) shortLane().submit(std::make_shared<Release>(std::move(holder->handle)));
}

Holder& holderOf(const Napi::Value& value, const std::string& name) {
  void* data = nullptr;
  if (!isHandle(value) || napi_unwrap(value.Env(), value, &data) != napi_ok) {
    fail(ErrorCode::kInvalidArgType, "expected a handle made by this thread for ", name, ", received none");
  }
  return *static_cast<Holder*>(data);
}

int64_t cpuBytes(const Handle& handle) {
  if (const auto* model = dynamic_cast<const Model*>(&handle)) {
    return model->device().is_cpu() ? model->bytes() : 0;
  }
  if (const auto* dataset = dynamic_cast<const Dataset*>(&handle)) return dataset->bytes();
  return 0;
}

}  // namespace

Finished::Finished(HandlePtr made)
    : handle(std::move(made)), facts(factsOf(*handle)), bytes(cpuBytes(*handle)) {}

Napi::Object wrap(Napi::Env env, const Finished& finished) {
  auto holder = std::make_unique<Holder>();
  holder->handle = finished.handle;
  holder->noun = std::string(finished.handle->kind());
  holder->bytes = finished.bytes;
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", Napi::String::New(env, holder->noun));
  object.Set("facts", plainToJs(env, finished.facts));
  object.TypeTag(&kTag);
  if (napi_wrap(env, object, holder.get(), finalize, nullptr, nullptr) != napi_ok) {
    throw Napi::Error::New(env);
  }
  adjustMemory(env, holder.release()->bytes);
  return object;
}

bool isHandle(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

HandlePtr unwrap(const Napi::Value& value, const std::string& name) {
  const Holder& holder = holderOf(value, name);
  if (!holder.handle) {
    fail(ErrorCode::kDisposed, "expected a usable ", holder.noun, " for ", name,
         ", received one that was disposed of; dispose of it after its last use");
  }
  return holder.handle;
}

HandlePtr release(const Napi::Value& value) {
  Holder& holder = holderOf(value, "the handle");
  adjustMemory(value.Env(), -holder.bytes);
  holder.bytes = 0;
  return std::move(holder.handle);
}

}  // namespace espalier::binding
