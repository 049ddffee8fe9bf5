#include "core/data/cifar.h"

#include <charconv>
#include <filesystem>

#include "core/data/storage.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr uint64_t kPixels = 3 * 32 * 32;

// A record: labels, then the red, green and blue planes.
struct Layout {
  const char* name;
  uint64_t labelBytes;
  uint64_t labelAt;  // of the label that is used
  int64_t classes;
  uint64_t record() const { return labelBytes + kPixels; }
};
constexpr Layout kCifar10{"CIFAR-10", 1, 0, 10};
constexpr Layout kCifar100{"CIFAR-100", 2, 1, 100};  // the fine label follows the coarse one

std::optional<uint64_t> firstBadLabel(std::span<const uint8_t> bytes, const Layout& layout) {
  for (uint64_t at = layout.labelAt; at < bytes.size(); at += layout.record()) {
    if (bytes[at] >= layout.classes) return at;
  }
  return std::nullopt;
}

const Layout& layoutOf(const MappedFile& file) {
  const auto bytes = file.bytes();
  const bool ten = !bytes.empty() && bytes.size() % kCifar10.record() == 0;
  const bool hundred = !bytes.empty() && bytes.size() % kCifar100.record() == 0;
  if (!ten && !hundred) {
    failData(file.path(), 0,
             {text("a multiple of ", kCifar10.record(), " (CIFAR-10) or ", kCifar100.record(),
                   " (CIFAR-100) bytes"),
              text(bytes.size()), "Copy or download the file again"});
  }
  const Layout& layout = ten && !(hundred && firstBadLabel(bytes, kCifar10)) ? kCifar10 : kCifar100;
  if (const auto at = firstBadLabel(bytes, layout)) {
    failData(file.path(), *at,
             {text("a ", layout.name, " label from 0 to ", layout.classes - 1),
              text(static_cast<int>(bytes[*at])), ""});
  }
  return layout;
}

std::optional<int> numberedBatch(const std::string& name) {
  constexpr std::string_view kPrefix = "data_batch_", kSuffix = ".bin";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  int number = 0;
  const char* end = name.data() + name.size() - kSuffix.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace

std::vector<std::string> cifarTrainingFiles(const std::string& folder) {
  std::vector<std::pair<int, std::string>> batches;
  std::error_code cause;
  std::filesystem::directory_iterator entry(folder, cause);
  for (; !cause && entry != std::filesystem::directory_iterator(); entry.increment(cause)) {
    if (const auto number = numberedBatch(entry->path().filename()))
      batches.emplace_back(*number, entry->path());
  }
  if (cause) fail(ErrorCode::kIo, "cannot read folder ", folder, ": ", cause.message());
  std::sort(batches.begin(), batches.end());
  const std::string single = std::filesystem::path(folder) / "train.bin";
  const bool hasSingle = std::filesystem::exists(single, cause);
  if (batches.empty() == !hasSingle) {
    fail(ErrorCode::kDataInvalid, folder,
         ": expected either data_batch_<n>.bin (CIFAR-10) or train.bin (CIFAR-100) in the folder, found ",
         hasSingle ? "both" : "neither");
  }
  if (hasSingle) return {single};
  std::vector<std::string> paths;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (i > 0 && batches[i].first != batches[i - 1].first + 1) {
      fail(ErrorCode::kDataInvalid, folder, ": expected data_batch_", batches[i - 1].first + 1,
           ".bin, found data_batch_", batches[i].first, ".bin. Copy the missing batch into the folder");
    }
    paths.push_back(batches[i].second);
  }
  return paths;
}

StoragePtr Storage::fromCifar(const std::vector<std::string>& paths, std::optional<int64_t> classes) {
  const Layout* layout = nullptr;
  std::vector<Run> runs;
  std::vector<int64_t> labels;
  for (const std::string& path : paths) {
    const MappedFilePtr file = MappedFile::open(path);
    const Layout& found = layoutOf(*file);
    if (layout != nullptr && layout != &found) {
      failData(path, 0,
               {text(layout->name, " records as in ", paths.front()), text(found.name, " records"), ""});
    }
    layout = &found;
    const auto bytes = file->bytes();
    const auto record = static_cast<int64_t>(found.record());
    runs.push_back(
        {bytes.data() + found.labelBytes, static_cast<int64_t>(bytes.size()) / record, record, file});
    for (uint64_t at = found.labelAt; at < bytes.size(); at += found.record()) labels.push_back(bytes[at]);
  }
  std::shared_ptr<Storage> storage(new Storage(at::kByte, {3, 32, 32}, std::move(runs)));
  storage->setLabels(at::tensor(labels, at::kLong), classes.value_or(layout->classes), paths.front(),
                     paths.front());
  return storage;
}

}  // namespace espalier
