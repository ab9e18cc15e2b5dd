#include "cuda/device_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace agpt::cuda {

template <class Real>
DeviceModel<Real>::DeviceModel(const ModelShape& shape, const BackendOptions& options)
    : shape_(shape),
      options_(options),
      memory_(options.memory_cap),
      graphs_(stream_.get(), launches_, replays_),
      model_width_(std::accumulate(shape.heads.begin(), shape.heads.end(), Index{0})),
      parameters_(memory_, "the parameters"),
      pieces_(memory_, "the list of parameters"),
      rotated_columns_(memory_, "the rotary positions"),
      cosines_(memory_, "the rotary positions"),
      sines_(memory_, "the rotary positions"),
      heads_(memory_, "the list of heads") {
  memory_.before_giving_back([this] { graphs_.forget(); });
  for (const TensorShape& tensor : shape_.tensors) size_ = std::max(size_, tensor.offset + tensor.size());
  parameters_.reserve(size_);
  make_pieces();
  make_rotations();
  make_heads();
}

template <class Real>
void DeviceModel<Real>::make_pieces() {
  std::vector<FlatPiece> pieces;
  for (const TensorShape& tensor : shape_.tensors)
    for (Index begin = 0; begin < tensor.size(); begin += kFlatPiece)
      pieces.push_back({tensor.offset + begin, static_cast<int32_t>(std::min<Index>(kFlatPiece, tensor.size() - begin)),
                        tensor.is_vector ? 1 : 0});
  pieces_.reserve(static_cast<Index>(pieces.size()));
  write(pieces.data(), pieces_.get(), pieces_.size());
}

template <class Real>
void DeviceModel<Real>::make_rotations() {
  if (shape_.rotated_positions == 0) return;
  std::vector<int32_t> columns;
  std::vector<double> rates;
  int32_t column = 0;
  for (const int width : shape_.heads) {
    for (int i = 0; i + 1 < width; i += 2) {
      columns.push_back(column + i);
      rates.push_back(std::pow(shape_.rotation_base, -static_cast<double>(i) / width));
    }
    column += width;
  }
  std::vector<Real> cosines, sines;
  for (int position = 0; position < shape_.rotated_positions; ++position)
    for (const double rate : rates) {
      cosines.push_back(static_cast<Real>(std::cos(position * rate)));
      sines.push_back(static_cast<Real>(std::sin(position * rate)));
    }
  rotated_columns_.reserve(static_cast<Index>(columns.size()));
  cosines_.reserve(static_cast<Index>(cosines.size()));
  sines_.reserve(static_cast<Index>(sines.size()));
  write(columns.data(), rotated_columns_.get(), rotated_columns_.size());
  write(cosines.data(), cosines_.get(), cosines_.size());
  write(sines.data(), sines_.get(), sines_.size());
  rotations_ = {static_cast<int>(columns.size()), model_width_, rotated_columns_.get(), cosines_.get(), sines_.get()};
}

template <class Real>
void DeviceModel<Real>::make_heads() {
  for (const int width : shape_.heads)
    AGPT_REQUIRE(width <= kWidestHead, "a head is " + std::to_string(width) +
                                           " wide, but the backend cuda takes heads of up to " +
                                           std::to_string(kWidestHead));
  heads_.reserve(static_cast<Index>(shape_.heads.size()));
  const std::vector<DeviceHead> order = group_heads(shape_.heads, heads_.get(), head_groups_);
  write(order.data(), heads_.get(), heads_.size());
}

template class DeviceModel<float>;
template class DeviceModel<double>;

}  // namespace agpt::cuda
