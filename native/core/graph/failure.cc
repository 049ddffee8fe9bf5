#include "core/graph/failure.h"

#include <new>
#include <sstream>

#include <c10/util/Exception.h>

namespace espalier {

namespace {

struct Told {
  std::string message;
  std::string source;  // "net.py:12: self.fc(x)"
};

std::string trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
}

// "RuntimeError: what went wrong": the line behind the interpreter's traceback.
bool isVerdict(const std::string& line) {
  const size_t colon = line.find(": ");
  return colon != std::string::npos && line.find(' ') > colon && line.substr(0, colon).ends_with("Error");
}

// The interpreter tells "File "net.py", line 12, in forward", the line of code and a mark under it for every
// frame, the innermost last, and then the verdict.
Told readTraceback(const std::string& report) {
  Told told;
  std::istringstream lines(report);
  std::string line;
  std::string before;
  std::string place;
  bool inTraceback = false;
  while (std::getline(lines, line)) {
    const std::string text = trimmed(line);
    if (text.starts_with("File \"")) {
      const size_t end = text.find('"', 6);
      const size_t number = text.find("line ");
      if (end != std::string::npos && number != std::string::npos) {
        place = text.substr(6, end - 6) + ":" + text.substr(number + 5, text.find(',', number) - number - 5);
      }
    } else if (text.find("<--- HERE") != std::string::npos) {
      told.source = place.empty() ? before : espalier::text(place, ": ", before);
    } else if (text.starts_with("Traceback of TorchScript")) {
      inTraceback = true;
    } else if (inTraceback && isVerdict(text)) {
      told.message = text.substr(text.find(": ") + 2);
      return told;
    }
    before = text;
  }
  return told;
}

Told readReport(const std::string& report) {
  Told told = readTraceback(report);
  if (told.message.empty()) told.message = trimmed(report.substr(0, report.find('\n')));
  if (told.message.empty()) told.message = "libtorch gave no reason";
  return told;
}

bool isMemory(const std::string& report) {
  return report.find("out of memory") != std::string::npos ||
         report.find("can't allocate memory") != std::string::npos;
}

[[noreturn]] void failWith(ErrorCode code, std::string_view doing, const std::string& report) {
  const Told told = readReport(report);
  fail(isMemory(report) ? ErrorCode::kOutOfMemory : code, doing, ": ", told.message,
       told.source.empty() ? "" : " (at ", told.source, told.source.empty() ? "" : ")");
}

}  // namespace

void failFromTorch(ErrorCode code, std::string_view doing) {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const Cancelled&) {
    throw;
  } catch (const c10::Error& error) {
    failWith(code, doing, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::kOutOfMemory, doing, ": not enough memory");
  } catch (const std::exception& error) {
    failWith(code, doing, error.what());
  }
}

}  // namespace espalier
