#include <cstddef>
#include <dlfcn.h>
#include <node_api.h>
#include <string>

// A published addon does not know where libtorch is. Its loader opens libtorch's libraries with this first,
// by full path: the dynamic linker then takes them for the ones that the addon names. Node's own
// process.dlopen cannot do it: it closes what is no addon.
namespace {

napi_value dlopenLibrary(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value argument = nullptr;
  std::size_t length = 0;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count < 1 ||
      napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "expected a string for path");
    return nullptr;
  }
  std::string path(length, '\0');
  napi_get_value_string_utf8(env, argument, path.data(), length + 1, &length);
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr)
    napi_throw_error(env, "ERR_DLOPEN_FAILED", dlerror());
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function = nullptr;
  napi_create_function(env, "dlopen", NAPI_AUTO_LENGTH, dlopenLibrary, nullptr, &function);
  napi_set_named_property(env, exports, "dlopen", function);
  return exports;
}
