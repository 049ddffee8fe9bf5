#include <charconv>
#include <string_view>

#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeader = 64 * 1024;  // numpy itself refuses more than 10,000

std::optional<at::ScalarType> typeOf(std::string_view description) {
  if (description == "|u1") return at::kByte;
  if (description == "|i1") return at::kChar;
  if (description == "<i2") return at::kShort;
  if (description == "<u2") return at::kUInt16;
  if (description == "<i4") return at::kInt;
  if (description == "<u4") return at::kUInt32;
  if (description == "<i8") return at::kLong;
  if (description == "<f4") return at::kFloat;
  return std::nullopt;
}

// The header is a Python dictionary of a string, a boolean and a tuple of whole numbers: only that is read.
class Header {
 public:
  Header(const MappedFile& file, uint64_t offset, std::string_view source)
      : file_(file), offset_(offset), source_(source) {}

  Array read(const MappedFilePtr& file) {
    Array array{.file = file, .name = "", .type = at::kByte, .bigEndian = false, .shape = {}, .offset = 0};
    bool hasType = false, hasOrder = false, hasShape = false;
    expect('{');
    while (!accept('}')) {
      const uint64_t place = here();
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !hasType) {
        array.type = type();
        hasType = true;
      } else if (key == "fortran_order" && !hasOrder) {
        order();
        hasOrder = true;
      } else if (key == "shape" && !hasShape) {
        shapePlace_ = here();
        array.shape = shape();
        hasShape = true;
      } else {
        failData(file_.path(), place,
                 {"one each of descr, fortran_order and shape", text("'", key, "'"), ""});
      }
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skipSpace();
    if (at_ != source_.size()) wrong("the end of the header");
    if (!hasType || !hasOrder || !hasShape) wrong("descr, fortran_order and shape");
    return array;
  }
  uint64_t shapePlace() const { return shapePlace_; }

 private:
  uint64_t here() {
    skipSpace();
    return offset_ + at_;
  }
  void skipSpace() {
    while (at_ < source_.size() && (source_[at_] == ' ' || source_[at_] == '\n')) ++at_;
  }
  [[noreturn]] void wrong(const std::string& expected) {
    const bool end = at_ >= source_.size();
    failData(
        file_.path(), offset_ + at_,
        {expected,
         end ? "the end of the header" : text("byte ", static_cast<int>(static_cast<uint8_t>(source_[at_]))),
         ""});
  }
  bool accept(char c) {
    skipSpace();
    if (at_ >= source_.size() || source_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) wrong(text("'", c, "' in the header"));
  }
  bool acceptWord(std::string_view word) {
    skipSpace();
    if (source_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  std::string_view quoted() {
    skipSpace();
    const char quote = at_ < source_.size() ? source_[at_] : '\0';
    if (quote != '\'' && quote != '"') wrong("a quoted word in the header");
    const size_t end = source_.find(quote, at_ + 1);
    if (end == std::string_view::npos) wrong("a quoted word that ends");
    const std::string_view word = source_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }
  at::ScalarType type() {
    const uint64_t place = here();
    const std::string_view description = quoted();
    if (const auto known = typeOf(description)) return *known;
    failData(file_.path(), place,
             {"'|u1', '<f4', '<i4' or '<i8' for samples, any integer type for labels",
              text("'", description, "'"), "Convert the array, e.g. array.astype('float32')"});
  }
  void order() {
    const uint64_t place = here();
    if (acceptWord("False")) return;
    if (!acceptWord("True")) wrong("True or False");
    failData(
        file_.path(), place,
        {"C order (fortran_order False)", "Fortran order", "Save numpy.ascontiguousarray(array) instead"});
  }
  std::vector<int64_t> shape() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      skipSpace();
      int64_t size = -1;
      const char* begin = source_.data() + at_;
      const auto [end, error] = std::from_chars(begin, source_.data() + source_.size(), size);
      if (error != std::errc() || size < 0) wrong("a size of the shape");
      at_ += static_cast<size_t>(end - begin);
      sizes.push_back(size);
      if (accept(',')) continue;
      expect(')');
      break;
    }
    return sizes;
  }

  const MappedFile& file_;
  uint64_t offset_;
  std::string_view source_;
  size_t at_ = 0;
  uint64_t shapePlace_ = 0;
};

}  // namespace

bool isNpy(std::span<const uint8_t> bytes) {
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

Array parseNpy(const MappedFilePtr& file) {
  const auto bytes = file->bytes();
  const uint64_t versionAt = kMagic.size();
  const uint64_t lengthAt = versionAt + 2;
  const auto requireBytes = [&](uint64_t offset, uint64_t count, const char* what) {
    if (bytes.size() - offset < count) {
      failData(
          file->path(), offset,
          {text(count, " bytes of ", what), text(bytes.size() - offset), "Copy or download the file again"});
    }
  };
  requireBytes(versionAt, 2, "a version");
  const int version = bytes[versionAt];
  if (version < 1 || version > 3 || bytes[versionAt + 1] != 0) {
    failData(
        file->path(), versionAt,
        {"version 1.0, 2.0 or 3.0 of npy", text(version, ".", static_cast<int>(bytes[versionAt + 1])), ""});
  }
  const uint64_t lengthBytes = version == 1 ? 2 : 4;
  requireBytes(lengthAt, lengthBytes, "a header's length");
  const uint64_t length = version == 1 ? readLittleEndian<uint16_t>(bytes.data() + lengthAt)
                                       : readLittleEndian<uint32_t>(bytes.data() + lengthAt);
  const uint64_t headerAt = lengthAt + lengthBytes;
  if (length > kMaxHeader) {
    failData(file->path(), lengthAt, {text("a header of at most ", kMaxHeader, " bytes"), text(length), ""});
  }
  requireBytes(headerAt, length, "header");
  Header header(*file, headerAt, {reinterpret_cast<const char*>(bytes.data()) + headerAt, length});
  Array array = header.read(file);
  array.offset = headerAt + length;
  const uint64_t size = countBytes(*file, header.shapePlace(), array.shape, array.elementBytes());
  requireRest(*file, array.offset, size,
              text("npy ", shapeText(array.shape), " of ", c10::toString(array.type)));
  return array;
}

}  // namespace espalier
