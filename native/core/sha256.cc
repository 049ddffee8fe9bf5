#include "core/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace espalier {

namespace {

alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t bigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

#if defined(__x86_64__)
// Intel SHA extensions: two rounds an instruction, the state held as ABEF and CDGH.
__attribute__((target("sha,sse4.1,ssse3"))) void compressExtensions(uint32_t* state, const uint8_t* data,
                                                                    size_t blocks) {
  const __m128i kSwap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  const auto* words = reinterpret_cast<const __m128i*>(kRound);
  const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<__m128i*>(state)), 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<__m128i*>(state + 4)), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; blocks > 0; --blocks, data += Sha256::kBlockBytes) {
    const __m128i abefBefore = abef;
    const __m128i cdghBefore = cdgh;
    __m128i w[4];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      __m128i& now = w[i & 3];
      if (i < 4) {
        now = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data) + i), kSwap);
      } else {
        const __m128i last = w[(i + 3) & 3];
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) & 3]),
                                          _mm_alignr_epi8(last, w[(i + 2) & 3], 4));
        now = _mm_sha256msg2_epu32(sum, last);
      }
      const __m128i keyed = _mm_add_epi32(now, _mm_load_si128(words + i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0E));
    }
    abef = _mm_add_epi32(abef, abefBefore);
    cdgh = _mm_add_epi32(cdgh, cdghBefore);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

bool hasExtensions() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kShaBit = 1U << 29;
  return (ebx & kShaBit) != 0 && __builtin_cpu_supports("sse4.1");
}
#else
constexpr auto compressExtensions = sha256CompressPortable;
bool hasExtensions() { return false; }
#endif

void compress(uint32_t* state, const uint8_t* data, size_t blocks) {
  static const auto kCompress = hasExtensions() ? compressExtensions : sha256CompressPortable;
  kCompress(state, data, blocks);
}

}  // namespace

void Sha256::update(const void* data, size_t bytes) {
  const auto* next = static_cast<const uint8_t*>(data);
  const size_t held = bytes_ % kBlockBytes;
  bytes_ += bytes;
  if (held > 0) {
    const size_t taken = std::min(bytes, kBlockBytes - held);
    std::copy_n(next, taken, pending_.data() + held);
    next += taken;
    bytes -= taken;
    if (held + taken < kBlockBytes) return;
    compress(state_.data(), pending_.data(), 1);
  }
  compress(state_.data(), next, bytes / kBlockBytes);
  std::copy_n(next + bytes / kBlockBytes * kBlockBytes, bytes % kBlockBytes, pending_.data());
}

std::array<uint8_t, Sha256::kDigestBytes> Sha256::digest() const {
  Sha256 closed = *this;
  const size_t held = bytes_ % kBlockBytes;
  const size_t zeros = (held < 56 ? 56 : 120) - held - 1;
  std::array<uint8_t, 2 * kBlockBytes> padding{0x80};
  for (int i = 0; i < 8; ++i) padding[1 + zeros + i] = static_cast<uint8_t>((bytes_ * 8) >> (56 - 8 * i));
  closed.update(padding.data(), 1 + zeros + 8);
  std::array<uint8_t, kDigestBytes> out{};
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(closed.state_[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

std::string Sha256::hex() const {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : digest()) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::array<uint8_t, Sha256::kDigestBytes> hmacSha256(std::string_view key, std::string_view message) {
  std::array<uint8_t, Sha256::kBlockBytes> block{};
  if (key.size() <= block.size()) {
    std::copy(key.begin(), key.end(), block.begin());
  } else {
    Sha256 hash;
    hash.update(key);
    const auto shortened = hash.digest();
    std::copy(shortened.begin(), shortened.end(), block.begin());
  }
  const auto padded = [&block](uint8_t pad) {
    std::array<uint8_t, Sha256::kBlockBytes> out{};
    std::transform(block.begin(), block.end(), out.begin(),
                   [pad](uint8_t byte) { return static_cast<uint8_t>(byte ^ pad); });
    return out;
  };
  Sha256 inner;
  inner.update(padded(0x36).data(), Sha256::kBlockBytes);
  inner.update(message);
  const auto digest = inner.digest();
  Sha256 outer;
  outer.update(padded(0x5c).data(), Sha256::kBlockBytes);
  outer.update(digest.data(), digest.size());
  return outer.digest();
}

void sha256CompressPortable(uint32_t* state, const uint8_t* data, size_t blocks) {
  for (; blocks > 0; --blocks, data += Sha256::kBlockBytes) {
    uint32_t w[64];
    for (int i = 0; i < 16; ++i) w[i] = bigEndian(data + 4 * i);
    for (int i = 16; i < 64; ++i) {
      const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; ++i) {
      const uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
      const uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1;
      d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

}  // namespace espalier
