#include "cpp/trie/part_builder.h"

#include <algorithm>
#include <atomic>

namespace agpt {

void stop_at_document_ends(const PathLimits& limits, int depth, uint32_t* suffixes, uint8_t* common, uint32_t n) {
  const auto full = static_cast<uint8_t>(depth + 1);
  for (uint32_t begin = 0; begin < n;) {
    uint32_t end = begin + 1;
    for (; end < n && common[end] > limits.n_rows(suffixes[end]); ++end) common[end] = full;
    std::sort(suffixes + begin, suffixes + end);
    begin = end;
  }
}

template <class Id>
PartBuilder<Id>::PartBuilder(std::span<const Id> tokens, const IndexOptions& options, BuildInput& input,
                             ThreadPool& pool)
    : limits_(input.limits()), options_(options), chunks_(input.chunks()), pool_(pool) {
  for (int i = 0; i < pool.size(); ++i)
    workers_.push_back({WindowSorter(input.text(), options.depth),
                        TriePartBuilder<Id>(tokens, limits_, options),
                        TriePart<Id>(options.depth),
                        {}});
}

template <class Id>
std::vector<PartImage> PartBuilder<Id>::build(Index first, Index last, const std::function<void(Index)>& report) {
  chunks_.load(first, last, pool_);
  std::vector<std::optional<PartImage>> built(static_cast<size_t>(last - first));
  std::atomic<Index> n_done{0};
  pool_.run(last - first, [&](Index i, int worker) {
    built[static_cast<size_t>(i)] = build_part(first + i, workers_[static_cast<size_t>(worker)]);
    n_done += chunks_.n_suffixes(first + i);
    if (worker == 0) report(n_done);
  });
  chunks_.unload();
  std::vector<PartImage> parts;
  for (auto& part : built) parts.push_back(std::move(*part));
  return parts;
}

template <class Id>
PartImage PartBuilder<Id>::build_part(Index chunk, Worker& worker) {
  const uint32_t n = chunks_.n_suffixes(chunk);
  if (worker.common.size() < n) worker.common.resize(n);
  uint8_t* const common = worker.common.data();
  uint32_t* const suffixes = chunks_.suffixes(chunk);
  chunks_.sort(chunk, worker.sorter, common);
  if (limits_.has_documents()) stop_at_document_ends(limits_, options_.depth, suffixes, common, n);
  worker.builder.build(suffixes, common, n, worker.part);
  return PartImage::copy(worker.part);
}

template <class Id>
std::vector<PartImage> PartBuilder<Id>::with_shared_tokens(std::vector<PartImage> parts) {
  std::vector<PartImage> all;
  for (Index chunk = 0; chunk < chunks_.size();) {
    const Index first = chunk++;
    if (chunks_.shared_tokens(first) > 0) {
      while (chunk < chunks_.size() && !chunks_.begins_token(chunk)) ++chunk;
      all.push_back(
          build_token(std::span(parts).subspan(static_cast<size_t>(first), static_cast<size_t>(chunk - first))));
    }
    std::move(parts.begin() + first, parts.begin() + chunk, std::back_inserter(all));
  }
  return all;
}

template <class Id>
PartImage PartBuilder<Id>::build_token(std::span<const PartImage> parts) {
  uint32_t start = parts[0].open_start(), mass = 0, n_nodes = 0;
  std::vector<ChildlessTarget<Id>> childless;  // last token first
  for (size_t i = parts.size(); i-- > 0;) {
    mass += parts[i].open_mass();
    n_nodes += parts[i].n_nodes();
    const auto own = parts[i].template open_childless<Id>();
    childless.insert(childless.end(), own.begin(), own.end());
  }
  Worker& worker = workers_[0];
  worker.builder.build_token(start, mass, childless, n_nodes, worker.part);
  return PartImage::copy(worker.part);
}

template class PartBuilder<uint8_t>;
template class PartBuilder<uint16_t>;
template class PartBuilder<uint32_t>;

}  // namespace agpt
