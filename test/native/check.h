#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"

// A test framework of one screen: TEST(name) { EXPECT(...); }. main.cc runs all, or those whose name contains
// the first argument, and prints one line a test.
namespace espalier::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(std::string name, std::function<void()> body) {
    cases().push_back({std::move(name), std::move(body)});
  }
};

struct Failure : std::exception {
  explicit Failure(std::string what) : message(std::move(what)) {}
  const char* what() const noexcept override { return message.c_str(); }
  std::string message;
};

// The error that `body` throws; fails when it throws none.
template <class Body>
Error errorOf(const Body& body, const char* file, int line) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  throw Failure(text(file, ":", line, ": expected an error, none was thrown"));
}

}  // namespace espalier::test

#define ESPALIER_JOIN2(a, b) a##b
#define ESPALIER_JOIN(a, b) ESPALIER_JOIN2(a, b)
#define TEST(name)                                                           \
  static void ESPALIER_JOIN(testBody, __LINE__)();                           \
  static const ::espalier::test::Register ESPALIER_JOIN(testCase, __LINE__)( \
      name, ESPALIER_JOIN(testBody, __LINE__));                              \
  static void ESPALIER_JOIN(testBody, __LINE__)()
#define EXPECT(condition)                                                                          \
  do {                                                                                             \
    if (!(condition))                                                                              \
      throw ::espalier::test::Failure(::espalier::text(__FILE__, ":", __LINE__, ": " #condition)); \
  } while (false)
#define EXPECT_EQ(actual, expected)                                                                  \
  do {                                                                                               \
    const auto checkActual = (actual);                                                               \
    const auto checkExpected = (expected);                                                           \
    if (!(checkActual == checkExpected))                                                             \
      throw ::espalier::test::Failure(::espalier::text(__FILE__, ":", __LINE__, ": " #actual " is ", \
                                                       checkActual, ", expected ", checkExpected));  \
  } while (false)
#define EXPECT_NEAR(actual, expected, tolerance)                                                     \
  do {                                                                                               \
    const double checkActual = (actual);                                                             \
    const double checkExpected = (expected);                                                         \
    if (!(std::abs(checkActual - checkExpected) <= (tolerance)))                                     \
      throw ::espalier::test::Failure(::espalier::text(__FILE__, ":", __LINE__, ": " #actual " is ", \
                                                       checkActual, ", expected ", checkExpected));  \
  } while (false)
#define ERROR_OF(...) ::espalier::test::errorOf([&] { __VA_ARGS__; }, __FILE__, __LINE__)
