#include <chrono>
#include <cstdio>
#include <cstring>

#include "check.h"

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const auto& test : espalier::test::cases()) {
    if (test.name.find(filter) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    std::string problem;
    try {
      test.body();
    } catch (const std::exception& error) {
      problem = error.what();
    }
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    ++(problem.empty() ? passed : failed);
    std::printf("%s %s (%lld ms)%s%s\n", problem.empty() ? "ok" : "FAILED", test.name.c_str(),
                static_cast<long long>(ms.count()), problem.empty() ? "" : "\n    ", problem.c_str());
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  // A filter that matches nothing must not look like success.
  return failed > 0 || passed == 0 ? 1 : 0;
}
