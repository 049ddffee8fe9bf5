#include "core/file.h"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>
#include <vector>

#include "check.h"
#include "core/sha256.h"

using namespace espalier;

namespace {

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / text("espalier-file-", ::getpid())).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

size_t entries(const std::string& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST("sha256: the vectors of FIPS 180-4 and of the CAVP") {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256("\xbd"), "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
  EXPECT_EQ(sha256(std::string(55, '\0')),
            "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
  EXPECT_EQ(sha256(std::string(56, '\0')),
            "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
  EXPECT_EQ(sha256(std::string(64, '\0')),
            "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

TEST("sha256: pieces of any size give the digest of the whole, and more may follow a digest") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 37);
  for (size_t piece : {1U, 3U, 63U, 64U, 65U, 200U}) {
    Sha256 hash;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      EXPECT_EQ(hash.hex(), sha256(bytes.substr(0, at)));
      hash.update(std::string_view(bytes).substr(at, piece));
    }
    EXPECT_EQ(hash.hex(), sha256(bytes));
  }
}

TEST("sha256: the plain path gives the same state as the processor's instructions") {
  std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block{'a', 'b', 'c', 0x80};
  block[63] = 24;  // bits of "abc"
  sha256CompressPortable(state.data(), block.data(), 1);
  const std::array<uint32_t, 8> expected = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                            0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
  EXPECT(state == expected);
}

TEST("file: what is written reads back, and nothing else is left behind") {
  const Folder folder;
  const std::string path = folder.path + "/a.bin";
  const std::string bytes("\0\x01 text", 7);
  writeFileAtomically(path, "older and longer bytes");
  writeFileAtomically(path, bytes);
  EXPECT(readFile(path, 7) == bytes);
  EXPECT_EQ(entries(folder.path), 1U);
  EXPECT(fileExists(path));
  EXPECT(!fileExists(path + "x"));
}

TEST("file: errors name the file and the cause") {
  const Folder folder;
  auto error = ERROR_OF(writeFileAtomically(folder.path + "/missing/a.bin", "x"));
  EXPECT(error.code() == ErrorCode::kIo);
  EXPECT_EQ(error.message(), "cannot write " + folder.path + "/missing/a.bin: No such file or directory");
  error = ERROR_OF(readFile(folder.path + "/none", 10));
  EXPECT_EQ(error.message(), "cannot read " + folder.path + "/none: No such file or directory");
  error = ERROR_OF(readFile(folder.path, 10));
  EXPECT_EQ(error.message(), "cannot read " + folder.path + ": expected a regular file");
  writeFileAtomically(folder.path + "/a", "12345");
  error = ERROR_OF(readFile(folder.path + "/a", 4));
  EXPECT(error.code() == ErrorCode::kLimitExceeded);
  EXPECT_EQ(error.message(), folder.path + "/a: expected at most 4 bytes, found 5");
}

TEST("file: a failed write leaves the old bytes and no temporary file") {
  const Folder folder;
  std::filesystem::create_directories(folder.path + "/taken/inside");
  EXPECT(ERROR_OF(writeFileAtomically(folder.path + "/taken", "x")).code() == ErrorCode::kIo);
  EXPECT_EQ(entries(folder.path), 1U);
}

TEST("file: generations move down, and a write that fails leaves all of them") {
  const Folder folder;
  const std::string path = folder.path + "/a";
  for (const char* bytes : {"one", "two", "three", "four"}) writeNextGeneration(path, bytes, 3);
  EXPECT_EQ(readFile(path, 9), "four");
  EXPECT_EQ(readFile(generationPath(path, 1), 9), "three");
  EXPECT_EQ(readFile(generationPath(path, 2), 9), "two");
  EXPECT_EQ(entries(folder.path), 3U);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);  // what no file can take the place of
  EXPECT(ERROR_OF(writeNextGeneration(path, "five", 3)).code() == ErrorCode::kIo);
  EXPECT_EQ(readFile(generationPath(path, 1), 9), "three");
  EXPECT_EQ(entries(folder.path), 3U);
}

TEST("file: what a killed process left of a write is removed, what is being written is not") {
  const Folder folder;
  const std::string path = folder.path + "/a";
  const auto put = [&](const std::string& name) { std::ofstream(folder.path + "/" + name) << "half"; };
  // A process of this number lives, but it does not write that file.
  put(text("a.", ::getpid(), "-77.tmp"));
  put("a.1-0.tmp");
  for (const char* name : {"a.tmp", "a.1.tmp", "a.x-0.tmp", "b.1-0.tmp", "a.1-.tmp"}) put(name);
  const int writing = ::open((folder.path + "/a.2-0.tmp").c_str(), O_WRONLY | O_CREAT, 0600);
  EXPECT(::flock(writing, LOCK_EX) == 0);
  removeLeftTemporaries(path);
  EXPECT_EQ(entries(folder.path), 6U);
  EXPECT(fileExists(folder.path + "/a.2-0.tmp"));
  ::close(writing);
  writeFileAtomically(path, "whole");
  EXPECT(!fileExists(folder.path + "/a.2-0.tmp"));
  EXPECT_EQ(readFile(path, 9), "whole");
}

TEST("file: a write does not stumble over a file that bears its temporary's name") {
  const Folder folder;
  const std::string path = folder.path + "/a";
  // As after a kill in a container, where the next process has the same number, and on another machine's
  // lock.
  std::vector<int> locks;
  for (int i = 0; i < 100; ++i) {
    locks.push_back(::open(text(path, ".", ::getpid(), "-", i, ".tmp").c_str(), O_WRONLY | O_CREAT, 0600));
    EXPECT(::flock(locks.back(), LOCK_EX) == 0);
  }
  writeFileAtomically(path, "whole");
  EXPECT_EQ(readFile(path, 9), "whole");
  for (const int lock : locks) ::close(lock);
}
