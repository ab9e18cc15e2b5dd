#include "cpp/model/model_config.h"

#include <cmath>
#include <numeric>

#include "cpp/base/error.h"

namespace agpt {
namespace {

void require_between(const char* what, Index value, Index least, Index most) {
  AGPT_REQUIRE(value >= least && value <= most, std::string(what) + " is " + std::to_string(value) +
                                                    ", but must be from " + std::to_string(least) + " to " +
                                                    std::to_string(most));
}

}  // namespace

void ModelConfig::validate() const {
  require_between("vocab_size", vocab_size, 1, Index{1} << 31);
  require_between("context", context, 1, 1 << 20);
  require_between("d_model", d_model, 1, 1 << 16);
  require_between("n_layers", n_layers, 0, 1024);
  require_between("d_ff", d_ff, 1, 1 << 18);
  AGPT_REQUIRE(!heads.empty(), "the list of head widths is empty: give at least one head");
  for (const int width : heads) require_between("a head width", width, 1, d_model);
  const int sum = std::accumulate(heads.begin(), heads.end(), 0);
  AGPT_REQUIRE(sum == d_model, "the head widths sum to " + std::to_string(sum) + ", but d_model is " +
                                   std::to_string(d_model) + ": change one of the two");
  AGPT_REQUIRE(norm_epsilon > 0 && std::isfinite(norm_epsilon), "norm_epsilon must be a positive number");
  AGPT_REQUIRE(rope_base > 1 && std::isfinite(rope_base), "rope_base must be a number above 1");
  AGPT_REQUIRE(!(norm_bias && !norm_gain), "norm_bias without norm_gain is not supported: set norm_gain too");
}

}  // namespace agpt
