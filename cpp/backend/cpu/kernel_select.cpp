// Chooses the kernels that this processor runs.
#include <type_traits>

#include "cpp/backend/cpu/kernel_tables.h"
#include "cpp/base/error.h"

namespace agpt {

std::vector<std::string> available_kernels() {
  std::vector<std::string> names = {"generic"};
#if defined(AGPT_X86_KERNELS)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) names.push_back("avx2");
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    names.push_back("avx512");
#endif
  return names;
}

template <class Real>
const KernelTable<Real>& select_kernels(const std::string& name) {
  const std::vector<std::string> names = available_kernels();
  const std::string chosen = name.empty() ? names.back() : name;
  std::string list;
  bool known = false;
  for (const std::string& candidate : names) {
    known = known || candidate == chosen;
    list += (list.empty() ? "" : ", ") + candidate;
  }
  AGPT_REQUIRE(known, "no CPU kernels called '" + chosen + "' run here: choose from " + list);
  constexpr bool kIsFloat = std::is_same_v<Real, float>;
#if defined(AGPT_X86_KERNELS)
  if (chosen == "avx512") {
    if constexpr (kIsFloat)
      return avx512_kernels_float();
    else
      return avx512_kernels_double();
  }
  if (chosen == "avx2") {
    if constexpr (kIsFloat)
      return avx2_kernels_float();
    else
      return avx2_kernels_double();
  }
#endif
  if constexpr (kIsFloat)
    return generic_kernels_float();
  else
    return generic_kernels_double();
}

template const KernelTable<float>& select_kernels<float>(const std::string&);
template const KernelTable<double>& select_kernels<double>(const std::string&);

}  // namespace agpt
