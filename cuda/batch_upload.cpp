#include "cuda/batch_upload.h"

#include <algorithm>
#include <cstring>

namespace agpt::cuda {
namespace {

constexpr Index kAlignment = 16;

Index largest_plus_one(std::span<const int32_t> values) {
  return values.empty() ? 0 : Index{*std::max_element(values.begin(), values.end())} + 1;
}

}  // namespace

// Arrays one behind the other. Runs twice: once to measure, once with memory.
class BatchUpload::Packing {
 public:
  Packing(std::byte* host, std::byte* device) : host_(host), device_(device) {}
  Index bytes() const { return bytes_; }

  template <class T>
  const T* add(std::span<const T> values) {
    const Index offset = bytes_;
    bytes_ += (static_cast<Index>(values.size_bytes()) + kAlignment - 1) / kAlignment * kAlignment;
    if (host_ == nullptr) return nullptr;
    if (!values.empty()) std::memcpy(host_ + offset, values.data(), values.size_bytes());
    return reinterpret_cast<const T*>(device_ + offset);
  }
  template <class T>
  const T* add(const std::vector<T>& values) {
    return add(std::span<const T>(values));
  }

  SegmentsView add(const Segments& segments) {
    SegmentsView view;
    view.n_pieces = segments.n_pieces();
    view.n_groups = segments.n_groups();
    view.item = add(segments.item);
    view.piece_begin = add(segments.piece_begin);
    view.group_begin = add(segments.group_begin);
    view.target = add(segments.group_target);
    return view;
  }

 private:
  std::byte* host_;
  std::byte* device_;
  Index bytes_ = 0;
};

void BatchUpload::send(const BatchView& batch, bool with_gradient) {
  sent_.reset();  // should this fail
  Slot& slot = next_slot();
  list_paths(batch, slot.path_begin);
  if (with_gradient) sort_rows(batch);

  slot.uploaded.wait();  // the pinned memory is free
  slot.computed.wait();  // so is the device's, which may be replaced by a larger one
  Packing measure(nullptr, nullptr);
  pack(measure, batch, slot.path_begin, with_gradient);
  slot.host.reserve(measure.bytes());
  slot.memory[0].reserve(measure.bytes());
  Packing packing(slot.host.get(), slot.memory[0].get());
  slot.batch = pack(packing, batch, slot.path_begin, with_gradient);
  if (packing.bytes() > 0)
    AGPT_CUDA_CHECK(cudaMemcpyAsync(slot.memory[0].get(), slot.host.get(), static_cast<size_t>(packing.bytes()),
                                    cudaMemcpyHostToDevice, copies_.get()));
  slot.uploaded.record(copies_.get());
  uploaded_bytes_ += packing.bytes();
  sent_ = Sent{batch, with_gradient};
}

void BatchUpload::begin(const BatchView& batch, bool with_gradient, cudaStream_t stream) {
  slots_[current_].computed.record(stream);
  if (!is_sent(batch, with_gradient)) send(batch, with_gradient);
  sent_.reset();
  current_ = 1 - current_;
  slots_[current_].uploaded.hold(stream);
}

// Who sends ahead leaves the arrays as they are or says forget_sent(), so the same arrays are the same batch.
bool BatchUpload::is_sent(const BatchView& batch, bool with_gradient) const {
  const auto same = [](const auto& a, const auto& b) { return a.data() == b.data() && a.size() == b.size(); };
  return sent_ && sent_->with_gradient == with_gradient && same(sent_->batch.token, batch.token) &&
         same(sent_->batch.tiles, batch.tiles) && same(sent_->batch.key_row, batch.key_row) &&
         same(sent_->batch.target_token, batch.target_token);
}

void BatchUpload::list_paths(const BatchView& batch, std::vector<int32_t>& path_begin) {
  path_begin.assign(1, 0);
  path_row_.clear();
  for (const Tile& tile : batch.tiles) {
    AGPT_REQUIRE(tile.n_rows <= kTileRows, "a tile has " + std::to_string(tile.n_rows) +
                                               " rows, but this backend takes at most " + std::to_string(kTileRows));
    const auto first = batch.key_row.begin() + tile.key_begin;
    path_row_.insert(path_row_.end(), first, first + (tile.key_end - tile.key_begin - tile.n_rows));
    path_begin.push_back(static_cast<int32_t>(path_row_.size()));
  }
  key_mask_.assign(batch.key_mask.begin(), batch.key_mask.end());  // tiles of up to 32 rows have no higher bits
}

void BatchUpload::sort_rows(const BatchView& batch) {
  by_token_.sort(batch.token, largest_plus_one(batch.token));
  most_tokens_ = std::max(most_tokens_, by_token_.n_groups());
  by_token_.pad(most_tokens_, batch.n_rows() / Segments::kPieceItems + most_tokens_);
  by_position_.sort(batch.position, largest_plus_one(batch.position));
  if (sorts_path_keys_) by_path_key_.sort(path_row_, batch.n_rows());
}

DeviceBatch BatchUpload::pack(Packing& packing, const BatchView& batch, const std::vector<int32_t>& path_begin,
                              bool with_gradient) const {
  DeviceBatch packed;
  packed.n_rows = batch.n_rows();
  packed.targets.weight = packing.add(batch.target_weight);
  packed.targets.row_weight = packing.add(batch.weight);
  packed.targets.begin = packing.add(batch.target_begin);
  packed.targets.token = packing.add(batch.target_token);
  packed.token = packing.add(batch.token);
  packed.position = packing.add(batch.position);
  packed.tiles.n_tiles = static_cast<Index>(batch.tiles.size());
  packed.tiles.tiles = packing.add(batch.tiles);
  packed.tiles.key_row = packing.add(batch.key_row);
  packed.tiles.key_mask = packing.add(key_mask_);
  packed.tiles.path_begin = packing.add(path_begin);
  if (!with_gradient) return packed;
  packed.by_token = packing.add(by_token_);
  packed.by_position = packing.add(by_position_);
  if (sorts_path_keys_) packed.by_path_key = packing.add(by_path_key_);
  return packed;
}

}  // namespace agpt::cuda
