#include "core/archive/archive.h"

#include "archive_files.h"
#include "check.h"
#include "core/archive/crc32.h"
#include "core/archive/nesting.h"
#include "core/archive/pickle.h"
#include "core/model.h"

namespace espalier {
namespace {

using test::archiveOf;
using test::Records;
using test::replaced;
using test::TemporaryFolder;

const std::string kCode = "code/__torch__/espalier.py";

void refuses(const std::string& bytes, ErrorCode code, std::string_view part) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.pt");
  test::writeBytes(path, bytes);
  const Error error = ERROR_OF(checkArchive(path); scanOperators(path));
  if (error.code() != code || error.message().find(part) == std::string::npos) {
    throw test::Failure(text("expected ", errorCodeName(code), " with '", part, "', found ",
                             errorCodeName(error.code()), ": ", error.message()));
  }
  EXPECT(error.message().find(path) != std::string::npos);
}

// The small model with one record changed, checksums right.
std::string changed(const std::string& name, const std::function<std::string(std::string)>& change) {
  Records records = test::recordsOf(test::smallModel());
  records[name] = change(records.at(name));
  return archiveOf(records);
}

// The small model whose forward returns another expression.
std::string withForward(const std::string& expression) {
  return changed(kCode, [&](std::string code) {
    const size_t line = code.find("    return ", code.find("def forward"));
    const size_t end = code.find('\n', line);
    return code.replace(line, end - line, "    return " + expression);
  });
}

std::string withData(const std::function<std::string(std::string)>& change) {
  return changed("data.pkl", change);
}

// Little-endian, for fields of the zip format.
std::string bytesOf(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

size_t centralEntry(const std::string& bytes, const std::string& record) {
  const size_t name = bytes.rfind(record);
  if (name == std::string::npos) fail(ErrorCode::kInternal, "no entry of '", record, "'");
  return name - 46;
}

TEST("archive: the checksum is zip's") {
  EXPECT_EQ(crc32(0, "123456789", 9), 0xCBF43926U);
  const std::string text(1000, 'x');
  EXPECT_EQ(crc32(crc32(0, text.data(), 333), text.data() + 333, 667), crc32(0, text.data(), 1000));
}

TEST("archive: an ordinary model passes") {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.pt");
  for (const std::string& bytes : {test::smallModel(), archiveOf(test::recordsOf(test::smallModel()))}) {
    test::writeBytes(path, bytes);
    checkArchive(path);
    scanOperators(path);
  }
}

TEST("archive: what is not a whole TorchScript archive is refused") {
  const std::string whole = test::smallModel();
  refuses("", ErrorCode::kModelLoad, "not a TorchScript archive");
  refuses("\x80\x02}q.", ErrorCode::kModelLoad, "not a TorchScript archive");
  refuses(whole.substr(0, whole.size() - 1), ErrorCode::kModelLoad, "end");
  refuses(whole.substr(0, whole.size() / 2), ErrorCode::kModelLoad, "no end record");
  refuses(whole + "x", ErrorCode::kModelLoad, "does not end where the file does");
  Records records = test::recordsOf(whole);
  records.erase("constants.pkl");
  refuses(archiveOf(records), ErrorCode::kModelLoad, "torch.save");
  const Error missing = ERROR_OF(checkArchive("/nowhere/model.pt"));
  EXPECT(missing.code() == ErrorCode::kIo);
  EXPECT(ERROR_OF(checkArchive("/")).code() == ErrorCode::kIo);
}

TEST("archive: a flipped weight is found by its checksum") {
  std::string bytes = test::smallModel();
  const std::string weight = test::recordsOf(bytes).at("data/0");
  bytes[bytes.find(weight) + 5] ^= 1;
  refuses(bytes, ErrorCode::kModelLoad, "checksum");
}

TEST("archive: records that lead elsewhere, repeat or overlap are refused") {
  for (const char* name : {"../outside", "a/../../outside", "a//b", "./a"}) {
    Records records = test::recordsOf(test::smallModel());
    records[name] = "x";
    refuses(archiveOf(records), ErrorCode::kModelLoad, "leaves its folder");
  }
  Records twins = test::recordsOf(test::smallModel());
  twins["extra/aa"] = twins["extra/bb"] = "the same";
  std::string bytes = archiveOf(twins);
  for (size_t at = bytes.find("extra/bb"); at != std::string::npos; at = bytes.find("extra/bb")) {
    bytes.replace(at, 8, "extra/aa");
  }
  refuses(bytes, ErrorCode::kModelLoad, "occurs twice");
  bytes = archiveOf(twins);
  const size_t first = centralEntry(bytes, "extra/aa") - std::string("archive/").size();
  const size_t second = centralEntry(bytes, "extra/bb") - std::string("archive/").size();
  const std::string target = bytes.substr(first + 42, 4);
  refuses(std::string(bytes).replace(second + 42, 4, target), ErrorCode::kModelLoad, "another name");
  bytes.replace(first + 20, 8, bytesOf(300, 4) + bytesOf(300, 4));
  refuses(bytes, ErrorCode::kModelLoad, "overlap");
}

TEST("archive: sizes beyond the file and bombs are refused") {
  Records records = test::recordsOf(test::smallModel());
  records["extra/aa"] = "text";
  const std::string whole = archiveOf(records);
  const size_t entry = centralEntry(whole, "extra/aa") - std::string("archive/").size();
  std::string bytes = whole;
  refuses(bytes.replace(entry + 20, 8, bytesOf(0x7FFFFFFF, 4) + bytesOf(0x7FFFFFFF, 4)),
          ErrorCode::kModelLoad, "the file has");
  bytes = whole;
  refuses(bytes.replace(entry + 24, 4, bytesOf(5, 4)), ErrorCode::kModelLoad, "sizes differ");
  bytes = whole;
  bytes[entry + 8] = static_cast<char>(bytes[entry + 8] | 1);
  refuses(bytes, ErrorCode::kModelLoad, "encrypted");
  records["code/zeros.py"] = std::string(size_t{80} << 20, ' ');
  refuses(archiveOf(records), ErrorCode::kModelLoad, "bomb");
}

TEST("archive: nested code is refused before it is parsed") {
  const size_t many = 20000;
  const std::string open(many, '(');
  const std::string close(many, ')');
  for (const std::string& expression : {open + "x" + close, std::string(many, '-') + "x",
                                        std::string(many, '[') + "x" + std::string(many, ']')}) {
    refuses(withForward(expression), ErrorCode::kModelLoad, "levels deep");
  }
  std::string blocks = "x\n";
  for (size_t i = 0; i < 300; ++i) blocks += std::string(4 + i, ' ') + "if bool(x):\n";
  refuses(withForward(blocks), ErrorCode::kModelLoad, "levels deep");
}

TEST("archive: chains of functions and classes are refused before they are compiled") {
  const auto chained = [](const std::function<std::string(int)>& link) {
    return changed(kCode, [&](const std::string& code) {
      std::string text;
      for (int i = 0; i < 20000; ++i) text += link(i);
      return text + code;
    });
  };
  const auto function = [](int i) {
    return text("def f", i, "(x: Tensor) -> Tensor:\n  return __torch__.espalier.f", i + 1, "(x)\n");
  };
  refuses(changed(kCode,
                  [&](std::string code) {
                    std::string functions;
                    for (int i = 0; i < 20000; ++i) functions += function(i);
                    return functions +
                           replaced(std::move(code), "return ", "return __torch__.espalier.f0(x) + ");
                  }),
          ErrorCode::kModelLoad, "definitions nested");
  const auto layer = [](int i) {
    return text("class C", i,
                "(Module):\n  __parameters__ = []\n  __buffers__ = []\n  next : __torch__.espalier.C", i + 1,
                "\n");
  };
  const std::string classes = chained(layer);
  Records records = test::recordsOf(classes);
  records[kCode] =
      replaced(records[kCode], "  training : bool\n", "  training : bool\n  c : __torch__.espalier.C0\n");
  refuses(archiveOf(records), ErrorCode::kModelLoad, "definitions nested");
}

TEST("archive: calls that come to more than memory holds are refused, and named") {
  // Each calls the next one twice: 2^30 calls.
  std::string functions;
  for (int i = 29; i >= 0; --i) {
    functions += text("def g", i, "(x: Tensor) -> Tensor:\n  return torch.add(__torch__.espalier.g", i + 1,
                      "(x), __torch__.espalier.g", i + 1, "(x))\n");
  }
  functions = "def g30(x: Tensor) -> Tensor:\n  return torch.neg(x)\n" + functions;
  refuses(changed(kCode,
                  [&](std::string code) {
                    return functions +
                           replaced(std::move(code), "return ", "return __torch__.espalier.g0(x) + ");
                  }),
          ErrorCode::kModelUnsafe, "when each is written out");
}

TEST("archive: what reaches files, memory or Python is unsafe, named with its line") {
  refuses(withForward("torch.from_file(\"/etc/passwd\", False, 10)"), ErrorCode::kModelUnsafe,
          "'aten::from_file', which reaches files (record 'code/__torch__/espalier.py', line ");
  refuses(withForward("torch.as_strided(x, [100], [1], 5)"), ErrorCode::kModelUnsafe, "trust: true");
  refuses(withForward("torch.set_(x, x)"), ErrorCode::kModelUnsafe, "aten::set_");
  refuses(withForward("ops.inductor._reinterpret_tensor(x, [9], [1], 0)"), ErrorCode::kModelUnsafe,
          "inductor::_reinterpret_tensor");
  refuses(withForward("ops.prim.PythonOp(x)"), ErrorCode::kModelUnsafe, "runs Python");
  refuses(withForward("ops.elsewhere.steal(x)"), ErrorCode::kModelUnsupported, "elsewhere::steal");
  refuses(withForward("torch.no_such_operator(x)"), ErrorCode::kModelLoad, "cannot be compiled");
  refuses(withForward("unchecked_cast(__torch__.espalier.ConvNet, (self).fc).fc.forward(x)"),
          ErrorCode::kModelUnsafe, "treats one class as another");
}

TEST("archive: a tensor outside of its storage is refused") {
  // The first convolution: 4 x 1 x 3 x 3, strides 9, 9, 3, 1, in a storage of 36.
  const std::string sizes = std::string("(K\x04K\x01K\x03K\x03t", 10);
  const std::string strides = std::string("(K\x09K\x09K\x03K\x01t", 10);
  const auto number = [](const std::string& from, const std::string& to) {
    return withData([&](std::string data) { return replaced(std::move(data), from, to); });
  };
  refuses(number(sizes, std::string("(K\x05K\x01K\x03K\x03t", 10)), ErrorCode::kModelLoad,
          "reaches element 44");
  refuses(number(strides, std::string("(K\x09K\x09K\x03K\x02t", 10)), ErrorCode::kModelLoad,
          "reaches element");
  refuses(number(strides, std::string("(J\xF7\xFF\xFF\xFFK\x09K\x03K\x01t", 13)), ErrorCode::kModelLoad,
          "integers of at least 0");
  refuses(number(sizes, "(\x8A\x08" + bytesOf(uint64_t{1} << 62, 8) + std::string("K\x01K\x03K\x03t", 7)),
          ErrorCode::kModelLoad, "more elements than");
  refuses(number("K\x24tQ", "M\xFF\xFFtQ"), ErrorCode::kModelLoad, "its record has 144 bytes");
  Records records = test::recordsOf(test::smallModel());
  records.erase("data/0");
  refuses(archiveOf(records), ErrorCode::kModelLoad, "has no record");
}

TEST("archive: pickles that would exhaust or confuse the unpickler are refused") {
  const auto pickle = [](const std::string& body) {
    return withData([&](const std::string&) { return "\x80\x02" + body; });
  };
  std::string nested = ")";
  for (int i = 0; i < 300000; ++i) nested += '\x85';
  refuses(pickle(nested + "."), ErrorCode::kModelLoad, "levels deep");
  refuses(pickle(std::string("]q\0h\0a.", 7)), ErrorCode::kModelLoad, "opcode 97");
  refuses(pickle(std::string("]q\0(h\0e.", 8)), ErrorCode::kModelLoad, "contains itself");
  std::string doubled = ")";
  for (int i = 0; i < 60; ++i) doubled += std::string("q\0h\0\x86", 5);
  refuses(pickle(doubled + "."), ErrorCode::kModelLoad, "repeats shared values");
  refuses(pickle(std::string("Nr\xFF\xFF\xFF\x7F.", 7)), ErrorCode::kModelLoad, "memo index");
  refuses(pickle("cos\nsystem\n(X\x02\x00\x00\x00lstR."), ErrorCode::kModelLoad, "os.system");
  refuses(pickle(std::string("K\0)R.", 5)), ErrorCode::kModelLoad, "calls a value that is no class");
  refuses(pickle(std::string("X\xFF\xFF\xFF\x7Fx.", 7)), ErrorCode::kModelLoad, "truncated");
  refuses(pickle("t."), ErrorCode::kModelLoad, "no mark");
  refuses(pickle("0."), ErrorCode::kModelLoad, "opcode 48");
  refuses(withData([](const std::string& data) { return data.substr(0, data.size() - 1); }),
          ErrorCode::kModelLoad, "truncated");
}

TEST("archive: an object of another class than its attribute declares is refused") {
  // fc declared as the blocks: its slots would be read by the wrong positions.
  const std::string bytes = changed(kCode, [](std::string code) {
    return replaced(std::move(code), "  fc : __torch__.espalier.Linear", "  fc : __torch__.espalier.Blocks");
  });
  const std::string reason = "attribute 'fc' of an object of class '__torch__.espalier.ConvNet' is not";
  refuses(bytes, ErrorCode::kModelLoad, reason);
  // Also of a model that a checkpoint holds.
  const Error error = ERROR_OF(Model::fromBytes(bytes));
  EXPECT(error.code() == ErrorCode::kModelLoad);
  EXPECT(error.message().find(reason) != std::string::npos);
}

TEST("archive: of a model in memory operators are asked for, unless it is trusted") {
  const std::string bytes = withForward("torch.as_strided(x, [100], [1], 5)");
  const Error error = ERROR_OF(Model::fromBytes(bytes, "what came in"));
  EXPECT(error.code() == ErrorCode::kModelUnsafe);
  EXPECT(error.message().find("what came in uses the operator 'aten::as_strided'") == 0);
  const auto trusted = Model::fromBytes(bytes, "what came in", /*trust=*/true);
  EXPECT(trusted->trusted());
  EXPECT(trusted->clone()->trusted());
  EXPECT(!Model::fromBytes(test::smallModel())->trusted());
}

TEST("archive: measures expressions as the compiler nests them") {
  EXPECT_EQ(expressionDepth("x"), size_t{0});
  EXPECT_EQ(expressionDepth("f(a, b, c)"), size_t{1});
  EXPECT_EQ(expressionDepth("f(g(h(x)))"), size_t{3});
  EXPECT_EQ(expressionDepth("a + b + c"), size_t{2});
  EXPECT_EQ(expressionDepth("f(a.b, c)"), size_t{2});
  EXPECT_EQ(expressionDepth("'((((' + \"((((\""), size_t{1});
  EXPECT_EQ(expressionDepth("x # ((((\n"), size_t{0});
  EXPECT_EQ(expressionDepth("1e-05"), size_t{0});
}

}  // namespace
}  // namespace espalier
