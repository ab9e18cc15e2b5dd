#include "cpp/base/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cpp/base/error.h"

namespace agpt::test {
namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

/// Sets the process-wide cap for one test and removes it behind it.
struct CapForTest {
  explicit CapForTest(size_t bytes) { set_memory_cap(bytes); }
  ~CapForTest() { set_memory_cap(0); }
};

TEST_CASE("a reservation counts while it lives, and moving it counts it once") {
  const size_t before = memory_reserved();
  {
    MemoryReservation first(1000, "the first");
    CHECK(memory_reserved() == before + 1000);
    MemoryReservation moved(std::move(first));
    CHECK(moved.bytes() == 1000);
    CHECK(memory_reserved() == before + 1000);
    MemoryReservation second(50, "the second");
    second = std::move(moved);
    CHECK(second.bytes() == 1000);
  }
  CHECK(memory_reserved() == before);
}

TEST_CASE("a reservation above the cap is refused in one sentence, and takes nothing") {
  const size_t before = memory_reserved();
  const CapForTest cap(before + 4 * kMebibyte);
  CHECK(memory_cap() == before + 4 * kMebibyte);
  const MemoryReservation held(3 * kMebibyte, "the index");
  try {
    const MemoryReservation refused(2 * kMebibyte, "the activations");
    FAIL("the cap was not enforced");
  } catch (const MemoryCapError& error) {
    const std::string text = error.what();
    for (const char* part : {"the activations", "2.0 MiB", "3.0 MiB", "4.0 MiB", "--mem-cap"}) {
      CAPTURE(part);
      CHECK(text.find(part) != std::string::npos);
    }
  }
  CHECK(memory_reserved() == before + 3 * kMebibyte);
  CHECK_NOTHROW(MemoryReservation(kMebibyte, "what still fits"));
}

TEST_CASE("without a cap everything is allowed") {
  CHECK(memory_cap() == 0);
  CHECK_NOTHROW(MemoryReservation(size_t{1} << 50, "a claim that allocates nothing"));
}

TEST_CASE_TEMPLATE("a buffer is aligned, zeroed, and readable one cache line behind its end", Real, float, double) {
  for (const size_t size : {0, 1, 15, 16, 17, 1000}) {
    CAPTURE(size);
    AlignedBuffer<Real> buffer(size, "a buffer");
    CHECK(buffer.size() == size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    const Real* end = buffer.data() + size + 64 / sizeof(Real);  // the address sanitizer watches the last reads
    CHECK(std::all_of(static_cast<const Real*>(buffer.data()), end, [](Real value) { return value == 0; }));
  }
}

TEST_CASE("a buffer counts towards the cap until it is destroyed") {
  const size_t before = memory_reserved();
  {
    const AlignedBuffer<double> buffer(1000, "a buffer");
    CHECK(memory_reserved() >= before + 1000 * sizeof(double));
  }
  CHECK(memory_reserved() == before);
  const CapForTest cap(before + 1000);
  CHECK_THROWS_AS(AlignedBuffer<double>(1000, "too large a buffer"), MemoryCapError);
  CHECK(memory_reserved() == before);
}

TEST_CASE("a buffer grows when it must, and stays as it is when it is large enough") {
  AlignedBuffer<float> buffer(10, "a buffer");
  buffer[3] = 7;
  const float* data = buffer.data();
  buffer.grow(5, "a buffer");
  CHECK(buffer.data() == data);
  CHECK(buffer.size() == 10);
  CHECK(buffer[3] == 7);
  buffer.grow(100, "a buffer");
  CHECK(buffer.size() == 100);
  CHECK(buffer[3] == 0);
}

TEST_CASE("growing beyond the cap leaves the buffer as it was") {
  AlignedBuffer<float> buffer(10, "a buffer");
  buffer[3] = 7;
  const CapForTest cap(memory_reserved() + 1000);
  CHECK_THROWS_AS(buffer.grow(kMebibyte, "a buffer"), MemoryCapError);
  CHECK(buffer.size() == 10);
  CHECK(buffer[3] == 7);
}

TEST_CASE("a moved buffer keeps its memory and its content") {
  AlignedBuffer<float> source(20, "a buffer");
  source[19] = 2;
  const float* data = source.data();
  AlignedBuffer<float> target(std::move(source));
  CHECK(target.data() == data);
  CHECK(target[19] == 2);
  std::vector<AlignedBuffer<float>> buffers;
  buffers.push_back(std::move(target));
  buffers.emplace_back(30, "another buffer");
  CHECK(buffers[0].data() == data);
}

}  // namespace
}  // namespace agpt::test
