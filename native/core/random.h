#pragma once

#include <cstdint>
#include <string_view>

// Random numbers that are the same on every machine: std::shuffle and the standard distributions are not.
namespace espalier {

// Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound) without bias (Lemire 2019); bound > 0.
  uint64_t below(uint64_t bound) {
    while (true) {
      __extension__ using Wide = unsigned __int128;
      const auto product = static_cast<Wide>(next()) * bound;
      const auto low = static_cast<uint64_t>(product);
      if (low >= bound || low >= (0 - bound) % bound) return static_cast<uint64_t>(product >> 64);
    }
  }

  // Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

// A seed of its own for each purpose: streams that differ in one name or number are independent.
inline uint64_t mixSeed(uint64_t seed, uint64_t number) {
  SplitMix64 mix(seed ^ (number * 0xD1B54A32D192ED03ULL + 0x8CB92BA72F3D8DD7ULL));
  return mix.next();
}

inline uint64_t mixSeed(uint64_t seed, std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return mixSeed(seed, hash);
}

}  // namespace espalier
