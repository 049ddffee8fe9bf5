#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace espalier {

// SHA-256 (FIPS 180-4) of bytes that arrive in pieces.
class Sha256 {
 public:
  static constexpr size_t kBlockBytes = 64;
  static constexpr size_t kDigestBytes = 32;

  void update(const void* data, size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }

  // Of everything so far; more may follow.
  std::array<uint8_t, kDigestBytes> digest() const;
  std::string hex() const;

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, kBlockBytes> pending_{};
  uint64_t bytes_ = 0;
};

std::string sha256(std::string_view bytes);

// HMAC-SHA-256 (RFC 2104) of a message under a key of any length.
std::array<uint8_t, Sha256::kDigestBytes> hmacSha256(std::string_view key, std::string_view message);

// The compression function in plain C++. update() uses the processor's own instructions where it has them;
// this is what it uses elsewhere, open to tests on every machine.
void sha256CompressPortable(uint32_t* state, const uint8_t* data, size_t blocks);

}  // namespace espalier
