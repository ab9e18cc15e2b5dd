// Numbered scratch matrices of a host stream: allocated on first use, grown when a batch is larger, reused otherwise.
#pragma once

#include <algorithm>
#include <vector>

#include "cpp/backend/backend.h"
#include "cpp/base/memory.h"

namespace agpt {

template <class Real>
class HostScratch {
 public:
  Rows<Real> get(int slot, Index rows, Index columns) {
    const auto number = static_cast<size_t>(slot);
    if (slots_.size() <= number) slots_.resize(number + 1);
    const Index stride = padded_width(columns);
    Slot& held = slots_[number];
    if (held.stride != stride || held.rows < rows) {
      // A slot that grows does it by half at least: generation asks for a little more with every token.
      if (held.stride == stride) rows = std::max(rows, held.rows + held.rows / 2);
      held.buffer = AlignedBuffer<Real>();  // given back first, so that growing does not count twice
      held.buffer = AlignedBuffer<Real>(static_cast<size_t>(rows * stride), "the activations of a batch");
      held.stride = stride;
      held.rows = rows;
    }
    return {held.buffer.data(), stride};
  }

 private:
  struct Slot {
    AlignedBuffer<Real> buffer;
    Index stride = 0, rows = 0;
  };
  std::vector<Slot> slots_;
};

}  // namespace agpt
