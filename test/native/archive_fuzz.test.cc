#include <chrono>
#include <cstdlib>
#include <spawn.h>
#include <sys/wait.h>

#include "archive_files.h"
#include "check.h"
#include "core/archive/archive.h"
#include "core/random.h"

extern char** environ;

// Damaged files by the hundred: each ends in a typed error, or loads. They are read in a child process, so
// that a signal is a failure with a name instead of the end of the tests.
namespace espalier {
namespace {

using test::archiveOf;
using test::Records;
using test::TemporaryFolder;

constexpr const char* kFolderVariable = "ESPALIER_ARCHIVE_FILES";

// What loading fails with; nothing where it loads.
std::optional<ErrorCode> refusalOf(const std::string& path, bool trust) {
  LoadOptions options;
  options.trust = trust;
  try {
    Model::load(path, options);
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

// Checks, scans, loads and reads every tensor of a file.
std::string outcomeOf(const std::string& path) {
  try {
    checkArchive(path);
    scanOperators(path);
  } catch (const Error& error) {
    return std::string(errorCodeName(error.code())) + " " +
           error.message().substr(0, error.message().find('\n'));
  }
  try {
    torch::jit::Module module = torch::jit::load(path);
    double sum = 0;
    int64_t count = 0;
    const at::NoGradGuard noGrad;
    for (const at::Tensor& tensor : module.parameters()) {
      if (!tensor.defined()) continue;
      sum += tensor.to(at::kDouble).sum().item<double>();
      count += tensor.numel();
    }
    module.eval();
    return text("loaded ", count, " ", sum);
  } catch (const std::exception& error) {
    const std::string what = error.what();
    return "refused by libtorch: " + what.substr(0, what.find('\n'));
  }
}

TEST("archive child: reads the files of a folder") {
  const char* folder = std::getenv(kFolderVariable);
  if (folder == nullptr) return;
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".pt") files[entry.path().filename()] = entry.path();
  }
  std::ofstream out(std::string(folder) + "/outcomes.txt");
  // The name first: the last line without an outcome is the file that ended the process.
  for (const auto& [name, path] : files) {
    out << name << '\t' << std::flush;
    out << outcomeOf(path) << '\n' << std::flush;
  }
}

// Runs the test above in a process of its own on the files of `folder`: name -> outcome.
std::map<std::string, std::string> outcomes(const TemporaryFolder& folder) {
  std::vector<std::string> variables = {text(kFolderVariable, "=", folder.path()), "MALLOC_PERTURB_=165"};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string program = "/proc/self/exe";
  std::string filter = "archive child";
  char* arguments[] = {program.data(), filter.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environment.data()), 0);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);

  std::map<std::string, std::string> found;
  std::istringstream lines(test::readBytes(folder.file("outcomes.txt")));
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.find('\t');
    last = line.substr(0, tab);
    found[last] = line.substr(tab + 1);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    // Kept for whoever has to find out why.
    std::filesystem::copy(folder.file(last), std::filesystem::temp_directory_path() / ("espalier-" + last),
                          std::filesystem::copy_options::overwrite_existing);
    throw test::Failure(text("the child process ended with status ", status, " at ", last, " (kept as ",
                             (std::filesystem::temp_directory_path() / ("espalier-" + last)).string(), ")"));
  }
  return found;
}

struct Tally {
  int countLoaded = 0;
  int countRefused = 0;
  int countByLibtorch = 0;
};

Tally tally(const std::map<std::string, std::string>& found) {
  Tally tally;
  for (const auto& [name, outcome] : found) {
    if (outcome.find("loaded") == 0) {
      ++tally.countLoaded;
    } else if (outcome.find("ERR_MODEL_") == 0) {
      ++tally.countRefused;
    } else {
      ++tally.countByLibtorch;
    }
  }
  return tally;
}

// Flips, inserts, removes or repeats a few bytes.
std::string mutated(std::string bytes, SplitMix64& random) {
  for (uint64_t count = 1 + random.below(3); count > 0 && !bytes.empty(); --count) {
    const size_t at = random.below(bytes.size());
    switch (random.below(5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random.below(256));
        break;
      case 2:
        bytes.erase(at, 1 + random.below(4));
        break;
      case 3:
        bytes.insert(at, 1, static_cast<char>(random.below(256)));
        break;
      default:
        bytes.insert(at, bytes.substr(at, 1 + random.below(16)));
        break;
    }
  }
  return bytes;
}

TEST("archive: flipped bytes and truncations are typed errors, or load the same weights") {
  const TemporaryFolder folder;
  const std::string whole = test::smallModel();
  test::writeBytes(folder.file("whole.pt"), whole);
  SplitMix64 random(1);
  for (int i = 0; i < 160; ++i) {
    std::string bytes = whole;
    bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    test::writeBytes(folder.file(text("flip-", i, ".pt")), bytes);
  }
  for (int i = 0; i < 60; ++i) {
    test::writeBytes(folder.file(text("cut-", i, ".pt")), whole.substr(0, random.below(whole.size())));
  }
  const auto found = outcomes(folder);
  EXPECT_EQ(found.size(), size_t{221});
  const std::string expected = found.at("whole.pt");
  EXPECT(expected.find("loaded") == 0);
  for (const auto& [name, outcome] : found) {
    if (outcome != expected && outcome.find("ERR_MODEL_LOAD") != 0)
      throw test::Failure(name + ": " + outcome);
    if (name.find("cut-") == 0) EXPECT(outcome != expected);
  }
}

TEST("archive: damaged pickles and code behind right checksums never end the process") {
  const TemporaryFolder folder;
  const Records whole = test::recordsOf(test::smallModel());
  SplitMix64 random(2);
  std::vector<std::string> code;
  for (const auto& [name, content] : whole) {
    if (name.find("code/") == 0) code.push_back(name);
  }
  const auto write = [&](const std::string& name, const std::string& record) {
    Records records = whole;
    records[record] = mutated(records[record], random);
    test::writeBytes(folder.file(name), archiveOf(records));
  };
  for (int i = 0; i < 200; ++i) write(text("pickle-", i, ".pt"), "data.pkl");
  for (int i = 0; i < 20; ++i) write(text("constants-", i, ".pt"), "constants.pkl");
  for (int i = 0; i < 120; ++i) write(text("code-", i, ".pt"), code[random.below(code.size())]);
  const auto found = outcomes(folder);
  EXPECT_EQ(found.size(), size_t{340});
  const Tally counts = tally(found);
  EXPECT(counts.countRefused > 100);
  EXPECT(counts.countLoaded > 0);
}

// The models that a Python script wrote (test/parity/archive_models.py): ordinary/*.pt load,
// hostile/<CODE>-*.pt are refused with ERR_MODEL_<CODE>.
TEST("archive: ordinary models load and hostile ones do not, where ESPALIER_TEST_MODELS says") {
  const char* folder = std::getenv("ESPALIER_TEST_MODELS");
  if (folder == nullptr) return;
  const std::string ran = std::string(folder) + "/ran";
  int countOrdinary = 0;
  int countHostile = 0;
  int countTrusted = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(folder) + "/ordinary")) {
    const std::string outcome = outcomeOf(entry.path());
    if (outcome.find("loaded") != 0) throw test::Failure(entry.path().string() + ": " + outcome);
    EXPECT(!refusalOf(entry.path(), /*trust=*/false));
    ++countOrdinary;
  }
  for (const auto& entry : std::filesystem::directory_iterator(std::string(folder) + "/hostile")) {
    const std::string name = entry.path().filename();
    const std::string outcome = outcomeOf(entry.path());
    if (outcome.find("ERR_MODEL_" + name.substr(0, name.find('-')) + " ") != 0) {
      throw test::Failure(name + ": " + outcome);
    }
    if (name.find("UNSAFE-") == 0 && outcome.find("record '") == std::string::npos)
      throw test::Failure(name + " does not say where: " + outcome);
    EXPECT(refusalOf(entry.path(), /*trust=*/false).has_value());
    EXPECT(!std::filesystem::exists(ran));
    ++countHostile;
    // Trusted, it would load for ever.
    if (name.find("endless") != std::string::npos) continue;
    const std::optional<ErrorCode> trusted = refusalOf(entry.path(), /*trust=*/true);
    if (name == "UNSAFE-runs-at-load.pt") EXPECT(std::filesystem::remove(ran));
    if (name.find("UNSAFE-") == 0) EXPECT(trusted != ErrorCode::kModelUnsafe);
    if (name.find("LOAD-") == 0) EXPECT(trusted == ErrorCode::kModelLoad);
    if (!trusted) ++countTrusted;
  }
  EXPECT(countOrdinary >= 25);
  EXPECT(countHostile >= 20);
  EXPECT(countTrusted >= 5);
}

}  // namespace
}  // namespace espalier
