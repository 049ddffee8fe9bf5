#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <node_api.h>
#include <string>
#include <vector>

// Opens libtorch before the addon is loaded, for two reasons. A published addon does not know where libtorch
// is: once its libraries are open, the dynamic linker takes them for the ones that the addon names. And
// opening them takes a second, which on a thread of the pool costs the event loop nothing. Node's own
// process.dlopen can do neither: it waits, and closes what is no addon.
namespace {

// The threads of OpenMP wait for each other at the end of every loop, spinning for milliseconds. Where cores
// are shared, with a compiler or another training, they spin away the time of the one that they wait for: a
// training takes up to ten times as long. With a thousand turns they sleep between two layers, and to be
// woken takes a fifth of a small network's training. OpenMP reads this once, when it is opened; a caller who
// has set either variable knows better.
class ShortSpin {
 public:
  ShortSpin() : isOurs_(getenv("OMP_WAIT_POLICY") == nullptr && getenv(kName) == nullptr) {
    if (isOurs_) setenv(kName, "5000", 1);
  }
  ~ShortSpin() {
    if (isOurs_) unsetenv(kName);
  }
  ShortSpin(const ShortSpin&) = delete;
  ShortSpin& operator=(const ShortSpin&) = delete;

 private:
  static constexpr const char* kName = "GOMP_SPINCOUNT";
  bool isOurs_;
};

struct Preload {
  ShortSpin spin;
  std::vector<std::string> paths;
  std::string error;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void open(napi_env, void* data) {
  auto* preload = static_cast<Preload*>(data);
  for (const std::string& path : preload->paths) {
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
      preload->error = dlerror();
      return;
    }
  }
}

napi_value makeError(napi_env env, const char* code, const std::string& message) {
  napi_value jsCode = nullptr;
  napi_value jsMessage = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &jsCode);
  napi_create_string_utf8(env, message.data(), message.size(), &jsMessage);
  napi_create_error(env, jsCode, jsMessage, &error);
  return error;
}

void settle(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Preload> preload(static_cast<Preload*>(data));
  if (preload->error.empty()) {
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    napi_resolve_deferred(env, preload->deferred, undefined);
  } else {
    napi_reject_deferred(env, preload->deferred, makeError(env, "ERR_DLOPEN_FAILED", preload->error));
  }
  napi_delete_async_work(env, preload->work);
}

bool readPaths(napi_env env, napi_value list, std::vector<std::string>& paths) {
  uint32_t length = 0;
  if (napi_get_array_length(env, list, &length) != napi_ok) return false;
  for (uint32_t i = 0; i < length; ++i) {
    napi_value item = nullptr;
    std::size_t size = 0;
    if (napi_get_element(env, list, i, &item) != napi_ok ||
        napi_get_value_string_utf8(env, item, nullptr, 0, &size) != napi_ok) {
      return false;
    }
    std::string path(size, '\0');
    napi_get_value_string_utf8(env, item, path.data(), size + 1, &size);
    paths.push_back(std::move(path));
  }
  return true;
}

// preload(paths): Promise<void>
napi_value preloadLibraries(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value argument = nullptr;
  auto preload = std::make_unique<Preload>();
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count < 1 ||
      !readPaths(env, argument, preload->paths)) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "expected a list of strings for paths");
    return nullptr;
  }
  napi_value promise = nullptr;
  napi_value name = nullptr;
  napi_create_promise(env, &preload->deferred, &promise);
  napi_create_string_utf8(env, "espalier.preload", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, nullptr, name, open, settle, preload.get(), &preload->work);
  napi_queue_async_work(env, preload->work);
  // settle() deletes it.
  static_cast<void>(preload.release());
  return promise;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function = nullptr;
  napi_create_function(env, "preload", NAPI_AUTO_LENGTH, preloadLibraries, nullptr, &function);
  napi_set_named_property(env, exports, "preload", function);
  return exports;
}
