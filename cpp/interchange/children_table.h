// The children of every node of a tree that is stored as parents, sorted by token.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

class ChildrenTable {
 public:
  /// Nodes are 1 .. n_nodes, the root is 0; parent(i) < i. token(i) is the first token on the way to i.
  template <class Parent, class FirstToken>
  ChildrenTable(size_t n_nodes, Parent parent, FirstToken token) : begin_(n_nodes + 2), children_(n_nodes) {
    for (size_t i = 1; i <= n_nodes; ++i) ++begin_[parent(i) + 1];
    for (size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    std::vector<uint32_t> next(begin_.begin(), begin_.end() - 1);
    for (size_t i = 1; i <= n_nodes; ++i) children_[next[parent(i)]++] = static_cast<uint32_t>(i);
    for (size_t i = 0; i <= n_nodes; ++i)
      std::sort(children_.begin() + begin_[i], children_.begin() + begin_[i + 1],
                [&](uint32_t a, uint32_t b) { return token(a) < token(b); });
  }

  std::span<const uint32_t> of(size_t node) const {
    return {children_.data() + begin_[node], children_.data() + begin_[node + 1]};
  }

 private:
  std::vector<uint32_t> begin_, children_;
};

}  // namespace agpt
