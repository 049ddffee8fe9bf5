#include "binding/tensors.h"

#include <cmath>
#include <cstring>

#include "core/dtype.h"
#include "core/error.h"

namespace espalier::binding {

namespace {

constexpr double kMaxSafe = 9007199254740991;
constexpr int kMaxDepth = 64;

struct ArrayKind {
  napi_typedarray_type type;
  std::string_view name;
  c10::ScalarType implied;  // where dtype is not given
};
constexpr ArrayKind kArrays[] = {
    {napi_float32_array, "Float32Array", c10::kFloat}, {napi_float64_array, "Float64Array", c10::kDouble},
    {napi_int32_array, "Int32Array", c10::kInt},       {napi_bigint64_array, "BigInt64Array", c10::kLong},
    {napi_uint8_array, "Uint8Array", c10::kByte},      {napi_int8_array, "Int8Array", c10::kChar},
    {napi_uint16_array, "Uint16Array", c10::kHalf},
};

napi_typedarray_type arrayOf(c10::ScalarType type) {
  if (type == c10::kBool) return napi_uint8_array;
  if (type == c10::kHalf || type == c10::kBFloat16) return napi_uint16_array;
  for (const ArrayKind& kind : kArrays) {
    if (kind.implied == type) return kind.type;
  }
  fail(ErrorCode::kModelUnsupported, "the model returned a tensor of ", c10::toString(type),
       ", which has no array in JavaScript; convert it inside the model");
}

[[noreturn]] void expected(std::string_view what, const std::string& name, std::string_view found) {
  fail(ErrorCode::kInvalidArgType, "expected ", what, " for ", name, ", received ", found);
}

struct Bytes {
  napi_typedarray_type type;
  size_t length = 0;
  const void* data = nullptr;
};

Bytes bytesOf(const Napi::Value& value, const std::string& name) {
  if (!value.IsTypedArray()) expected("a typed array", name, "what is none");
  Bytes bytes{};
  napi_value buffer = nullptr;
  size_t offset = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &bytes.type, &bytes.length, &data, &buffer, &offset) !=
      napi_ok) {
    expected("a typed array", name, "one that cannot be read");
  }
  bool detached = false;
  if (napi_is_detached_arraybuffer(value.Env(), buffer, &detached) == napi_ok && detached) {
    expected("a typed array", name, "one whose memory was transferred away");
  }
  bytes.data = data;
  return bytes;
}

c10::ScalarType dtypeOf(const Napi::Value& dtype, napi_typedarray_type array, const std::string& name) {
  const ArrayKind* kind = nullptr;
  for (const ArrayKind& candidate : kArrays) {
    if (candidate.type == array) kind = &candidate;
  }
  if (kind == nullptr) expected("a typed array of a known element type", name + ".data", "one of another");
  if (dtype.IsUndefined()) {
    if (array == napi_uint16_array) {
      expected("'float16' or 'bfloat16'", name + ".dtype", "none: a Uint16Array may hold either");
    }
    return kind->implied;
  }
  const std::string text = dtype.IsString() ? dtype.As<Napi::String>().Utf8Value() : "what is no string";
  const auto type = findDtype(text);
  if (!type) expected("the name of a dtype", name + ".dtype", "'" + text + "'");
  if (arrayOf(*type) != array) {
    expected("a typed array that holds " + text, name + ".data", std::string("a ").append(kind->name));
  }
  return *type;
}

std::vector<int64_t> shapeOf(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) expected("a list of whole numbers >= 0", name, "what is none");
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    const double extent = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : -1;
    if (!(extent >= 0) || extent > kMaxSafe || std::trunc(extent) != extent) {
      expected("a list of whole numbers >= 0", name, item.ToString().Utf8Value());
    }
    shape.push_back(static_cast<int64_t>(extent));
  }
  return shape;
}

// The product in floating point, which cannot overflow; exact as far as a length can be.
double product(const std::vector<int64_t>& shape) {
  double count = 1;
  for (const int64_t extent : shape) count *= static_cast<double>(extent);
  return count;
}

bool isTensor(const Napi::Value& value) {
  return value.IsObject() && !value.IsArray() && value.As<Napi::Object>().Get("data").IsTypedArray();
}

c10::IValue fromJs(const Napi::Value& value, const c10::TypePtr& type, const std::string& name, int depth);

c10::TypePtr elementOf(const c10::TypePtr& type) {
  if (const auto list = type->cast<c10::ListType>()) return list->getElementType();
  return c10::AnyType::get();
}

c10::IValue listFromJs(const Napi::Array& array, const c10::TypePtr& type, const std::string& name,
                       int depth) {
  const auto tuple = type->cast<c10::TupleType>();
  if (tuple && tuple->elements().size() != array.Length()) {
    expected(text("a list of ", tuple->elements().size()), name, text("one of ", array.Length()));
  }
  std::vector<c10::IValue> items;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const c10::TypePtr element = tuple ? tuple->elements()[i] : elementOf(type);
    items.push_back(fromJs(array.Get(i), element, text(name, "[", i, "]"), depth + 1));
  }
  if (tuple) return c10::ivalue::Tuple::create(std::move(items));
  // Without a declared element type it is that of the first element.
  c10::TypePtr element = elementOf(type);
  if (element->kind() == c10::TypeKind::AnyType && !items.empty()) element = items.front().type();
  c10::impl::GenericList list(element);
  for (c10::IValue& item : items) {
    if (!item.type()->isSubtypeOf(*element)) {
      expected("a list of " + element->str(), name, "one that also holds " + item.type()->str());
    }
    list.push_back(std::move(item));
  }
  return list;
}

c10::IValue mapFromJs(const Napi::Object& object, const c10::TypePtr& type, const std::string& name,
                      int depth) {
  const auto dict = type->cast<c10::DictType>();
  std::vector<std::pair<std::string, c10::IValue>> entries;
  const Napi::Array keys = object.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    std::string key = keys.Get(i).ToString();
    const c10::TypePtr wanted = dict ? dict->getValueType() : c10::AnyType::get();
    c10::IValue entry = fromJs(object.Get(key), wanted, text(name, ".", key), depth + 1);
    entries.emplace_back(std::move(key), std::move(entry));
  }
  const c10::TypePtr values = dict              ? dict->getValueType()
                              : entries.empty() ? c10::TypePtr(c10::TensorType::get())
                                                : entries.front().second.type();
  c10::impl::GenericDict map(c10::StringType::get(), values);
  for (auto& [key, entry] : entries) map.insert(key, std::move(entry));
  return map;
}

c10::IValue numberFromJs(double number, const c10::TypePtr& type, const std::string& name) {
  const bool whole = std::trunc(number) == number && std::fabs(number) <= kMaxSafe;
  switch (type->kind()) {
    case c10::TypeKind::FloatType:
      return number;
    case c10::TypeKind::IntType:
      if (!whole) expected("a whole number", name, text(number));
      return static_cast<int64_t>(number);
    default:
      return whole ? c10::IValue(static_cast<int64_t>(number)) : c10::IValue(number);
  }
}

c10::IValue fromJs(const Napi::Value& value, const c10::TypePtr& type, const std::string& name, int depth) {
  if (depth > kMaxDepth) expected(text("a nesting of at most ", kMaxDepth), name, "a deeper one");
  if (const auto optional = type->cast<c10::OptionalType>()) {
    if (value.IsNull() || value.IsUndefined()) return {};
    return fromJs(value, optional->getElementType(), name, depth);
  }
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return {};
    case napi_boolean:
      return value.As<Napi::Boolean>().Value();
    case napi_number:
      return numberFromJs(value.As<Napi::Number>().DoubleValue(), type, name);
    case napi_string:
      return value.As<Napi::String>().Utf8Value();
    case napi_object:
      break;
    default:
      expected("a tensor or plain data", name, "neither");
  }
  if (type->kind() == c10::TypeKind::TensorType || isTensor(value)) return tensorFromJs(value, name);
  if (value.IsArray()) return listFromJs(value.As<Napi::Array>(), type, name, depth);
  if (value.IsTypedArray()) expected("a tensor { data, shape }", name, "a bare typed array");
  return mapFromJs(value.As<Napi::Object>(), type, name, depth);
}

// napi_create_arraybuffer ends the process where there is no memory; the constructor throws.
Napi::ArrayBuffer makeBuffer(Napi::Env env, size_t bytes) {
  const auto constructor = env.Global().Get("ArrayBuffer").As<Napi::Function>();
  try {
    return constructor.New({Napi::Number::New(env, static_cast<double>(bytes))}).As<Napi::ArrayBuffer>();
  } catch (const Napi::Error& error) {
    fail(ErrorCode::kOutOfMemory, "expected memory for an output of ", bytes, " bytes, found none (",
         error.Message(), "); use smaller batches");
  }
}

Napi::Value tensorToJs(Napi::Env env, const at::Tensor& tensor) {
  const size_t bytes = tensor.nbytes();
  Napi::ArrayBuffer buffer = makeBuffer(env, bytes);
  if (bytes > 0) std::memcpy(buffer.Data(), tensor.const_data_ptr(), bytes);
  napi_value data = nullptr;
  if (napi_create_typedarray(env, arrayOf(tensor.scalar_type()), static_cast<size_t>(tensor.numel()), buffer,
                             0, &data) != napi_ok) {
    throw Napi::Error::New(env);
  }
  Napi::Array shape = Napi::Array::New(env, tensor.sizes().size());
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    shape.Set(static_cast<uint32_t>(i), static_cast<double>(tensor.size(i)));
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("data", Napi::Value(env, data));
  out.Set("shape", shape);
  out.Set("dtype", std::string(dtypeName(tensor.scalar_type())));
  return out;
}

template <class Items>
Napi::Value arrayToJs(Napi::Env env, const Items& items) {
  Napi::Array array = Napi::Array::New(env, items.size());
  uint32_t i = 0;
  for (const c10::IValue& item : items) array.Set(i++, ivalueToJs(env, item));
  return array;
}

}  // namespace

at::Tensor tensorFromJs(const Napi::Value& value, const std::string& name) {
  if (!isTensor(value)) expected("a tensor { data, shape, dtype? }", name, "what is none");
  const auto object = value.As<Napi::Object>();
  const Bytes bytes = bytesOf(object.Get("data"), name + ".data");
  const c10::ScalarType type = dtypeOf(object.Get("dtype"), bytes.type, name);
  const std::vector<int64_t> shape = shapeOf(object.Get("shape"), name + ".shape");
  if (product(shape) != static_cast<double>(bytes.length)) {
    expected(text("an array of ", product(shape), " elements (the product of shape)"), name + ".data",
             text(bytes.length));
  }
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type));
  if (type == c10::kBool) {
    // Any other byte than 0 and 1 in a bool is undefined behaviour.
    const auto* source = static_cast<const uint8_t*>(bytes.data);
    std::transform(source, source + bytes.length, tensor.data_ptr<bool>(), [](uint8_t b) { return b != 0; });
  } else if (bytes.length > 0) {
    std::memcpy(tensor.data_ptr(), bytes.data, tensor.nbytes());
  }
  return tensor;
}

c10::IValue ivalueFromJs(const Napi::Value& value, const c10::TypePtr& type, const std::string& name) {
  return fromJs(value, type, name, 0);
}

c10::IValue prepareForJs(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    if (!tensor.defined()) return {};
    const at::Tensor dense = tensor.is_quantized() ? tensor.dequantize() : tensor.to_dense();
    arrayOf(dense.scalar_type());  // refuses here, not on the event loop
    return dense.detach().cpu().contiguous().resolve_conj().resolve_neg();
  }
  const auto prepareAll = [](const auto& items) {
    std::vector<c10::IValue> out;
    for (const c10::IValue& item : items) out.push_back(prepareForJs(item));
    return out;
  };
  if (value.isTuple()) {
    const auto tuple = value.toTuple();
    auto elements = prepareAll(tuple->elements());
    // A named tuple keeps its names.
    return c10::ivalue::Tuple::createNamed(std::move(elements), tuple->type());
  }
  if (value.isList()) {
    c10::impl::GenericList list(c10::AnyType::get());
    for (c10::IValue& item : prepareAll(value.toListRef())) list.push_back(std::move(item));
    return list;
  }
  if (value.isGenericDict()) {
    c10::impl::GenericDict map(c10::StringType::get(), c10::AnyType::get());
    for (const auto& entry : value.toGenericDict()) {
      const c10::IValue& key = entry.key();
      map.insert(key.isString() ? key.toStringRef() : text(key), prepareForJs(entry.value()));
    }
    return map;
  }
  if (value.isInt() && std::fabs(static_cast<double>(value.toInt())) > kMaxSafe) {
    fail(ErrorCode::kModelRun, "the model returned the integer ", value.toInt(),
         ", which a JavaScript number cannot hold; return it in a tensor");
  }
  if (value.isNone() || value.isBool() || value.isInt() || value.isDouble() || value.isString()) return value;
  fail(ErrorCode::kModelUnsupported, "the model returned a ", value.tagKind(),
       ", which has no counterpart in JavaScript; return tensors, numbers, strings, lists or dictionaries");
}

Napi::Value ivalueToJs(Napi::Env env, const c10::IValue& value) {
  if (value.isTensor()) return tensorToJs(env, value.toTensor());
  if (value.isBool()) return Napi::Boolean::New(env, value.toBool());
  if (value.isInt()) return Napi::Number::New(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return Napi::Number::New(env, value.toDouble());
  if (value.isString()) return Napi::String::New(env, value.toStringRef());
  if (value.isList()) return arrayToJs(env, value.toListRef());
  if (value.isTuple()) return arrayToJs(env, value.toTupleRef().elements());
  if (value.isGenericDict()) {
    Napi::Object object = Napi::Object::New(env);
    for (const auto& entry : value.toGenericDict()) {
      object.Set(entry.key().toStringRef(), ivalueToJs(env, entry.value()));
    }
    return object;
  }
  return env.Null();
}

}  // namespace espalier::binding
