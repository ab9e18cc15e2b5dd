// Fuzzes the files of the reference builders: what can be read is verified, imported, and written again.
#include <algorithm>
#include <cstring>
#include <map>

#include "cpp/interchange/imported_verify.h"
#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/interchange/reference_import.h"
#include "cpp/interchange/reference_verify.h"
#include "cpp/interchange/single_file_export.h"
#include "cpp/interchange/text_match.h"
#include "tests/cpp/interchange/reference_builders.h"
#include "tests/cpp/trie/sample_indexes.h"
#include "tests/fuzz/fuzz_target.h"

namespace agpt {
namespace {

// A folder as one input: for each file the length of its name (one byte), the name, its size (u32), its bytes.
std::string pack(const Files& files) {
  std::string packed;
  for (const auto& [name, content] : files) {
    const auto size = static_cast<uint32_t>(content.size());
    packed += static_cast<char>(name.size());
    packed += name;
    packed.append(reinterpret_cast<const char*>(&size), sizeof size);
    packed += content;
  }
  return packed;
}

// Any bytes are some folder: what is announced is cut off at the end.
ReferenceFiles unpack(const std::string& packed) {
  ReferenceFiles::Contents contents;
  std::string_view rest = packed;
  const auto take = [&](size_t size) {
    const std::string_view piece = rest.substr(0, std::min(size, rest.size()));
    rest.remove_prefix(piece.size());
    return piece;
  };
  while (!rest.empty()) {
    const std::string name(take(static_cast<unsigned char>(take(1)[0])));
    uint32_t size = 0;
    const std::string_view number = take(sizeof size);
    std::memcpy(&size, number.data(), number.size());
    contents[name] = std::as_bytes(std::span(take(size)));
  }
  return {"the folder", contents};
}

Corpus original() { return sample_corpora::running(60, 3); }

void use(const std::string& input) {
  const ReferenceFiles files = unpack(input);
  const bool is_radix = files.format() == ReferenceFormat::radix;
  if (is_radix) {
    verify_radix_trie(read_radix_trie(files));
  } else {
    verify_path_trie(read_path_trie(files));
  }
  const TrieIndex index = import_reference(files);
  if (!verify_imported_index(index).empty()) throw std::logic_error("an import makes an index that is wrong");
  MemoryFolder folder;
  if (is_radix) {
    export_radix(index, {}, folder);
  } else {
    export_leveled(index, folder);
  }
  index_of_text(files, original(), 1);
}

}  // namespace

FuzzTarget reference_target() {
  FuzzTarget target{.name = "reference", .seeds = {}, .run = use};
  const auto add = [&](const auto& write) {
    MemoryFolder folder;
    write(folder);
    target.seeds.push_back(pack(folder.files()));
  };
  const TrieIndex index = build_trie_index(original(), {.depth = 4}, 1);
  for (const BuilderOrder order : {BuilderOrder::breadth_first, BuilderOrder::first_seen})
    for (const SubtreeFiles subtrees : {SubtreeFiles::none, SubtreeFiles::unigram})
      add([&](MemoryFolder& folder) { export_radix(index, {.order = order, .subtrees = subtrees}, folder); });
  add([&](MemoryFolder& folder) { export_leveled(index, folder); });
  add([&](MemoryFolder& folder) { export_single(index, folder.create("")); });
  return target;
}

}  // namespace agpt
