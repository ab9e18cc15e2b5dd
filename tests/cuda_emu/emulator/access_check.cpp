// The books of access_check.h: for every four bytes of device and shared memory, who wrote and who read them last.
#include "tests/cuda_emu/emulator/access_check.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "tests/cuda_emu/emulator/scheduler.h"

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace cuda_emu {
namespace {

constexpr size_t kCellBytes = 4;
constexpr unsigned kWarp = 32;
constexpr uint8_t kManyLanes = 1, kManyWarps = 2, kAtomic = 4;

// Time runs in epochs: a new one begins with every launch, block and block barrier. Inside an epoch each warp counts its
// collectives.
struct Stamp {
  uint64_t epoch = 0;
  uint32_t warp_time = 0;
  uint16_t thread = 0;
  uint8_t bytes = 0;  // which of the four
  uint8_t flags = 0;
};

struct Cell {
  Stamp write, read;
  uint8_t written = 0;  // which of the four bytes hold something; of shared memory only in the epochs of its block
};

/// Zeroed memory that costs nothing until it is touched.
class Cells {
 public:
  explicit Cells(size_t bytes) : count_(bytes / kCellBytes + 2) {
    void* memory = mmap(nullptr, count_ * sizeof(Cell), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    cells_ = static_cast<Cell*>(memory);
  }
  ~Cells() { munmap(cells_, count_ * sizeof(Cell)); }
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;

  Cell& operator[](size_t i) { return cells_[i]; }

 private:
  size_t count_;
  Cell* cells_;
};

enum class Kind { device, shared };

struct Region {
  Kind kind;
  uintptr_t begin;
  size_t bytes;
  Cells cells;

  Region(Kind kind_, uintptr_t begin_, size_t bytes_)
      : kind(kind_), begin(begin_), bytes(bytes_), cells(bytes_ + begin_ % kCellBytes) {}
  bool holds(uintptr_t address) const { return address - begin < bytes; }
  Cell& cell(uintptr_t address) { return cells[address / kCellBytes - begin / kCellBytes]; }
};

struct Range {
  uintptr_t begin = 0, end = 0;
  bool holds(uintptr_t address) const { return address - begin < end - begin; }
};

struct Checker {
  bool on = true;
  std::map<uintptr_t, std::unique_ptr<Region>> device;
  std::vector<std::unique_ptr<Region>> statics;  // writable data of the program: where `static` shared variables are
  std::vector<Range> constants;                  // its read-only data
  std::unique_ptr<Region> dynamic;
  Region* last = nullptr;
  Traffic traffic;
  Range call;  // arguments of the kernel
  uint64_t epoch = 1, launch_epoch = 1, block_epoch = 1;
  std::array<uint32_t, 32> warp_time{};
  std::array<uint32_t, 1024> last_collective{};  // of each thread, in the time of its warp

  Checker() {
    const char* const chosen = std::getenv("AGPT_EMU_CHECKS");
    on = !chosen || std::string(chosen) != "0";
  }
};

Checker& checker() {
  static Checker the;
  return the;
}

std::mutex& books() {
  static std::mutex the;
  return the;
}

// The host's code of the same files is instrumented too, and other threads may run it meanwhile.
thread_local bool in_kernel = false;
thread_local bool in_atomic = false;

/// The checks themselves call functions of the standard library that other files may have compiled with reports.
struct Pause {
  Pause() { in_kernel = false; }
  ~Pause() { in_kernel = true; }
};

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

int note_segments(dl_phdr_info* object, size_t, void*) {
  Checker& c = checker();
  Range relocated;
  for (int i = 0; i < object->dlpi_phnum; ++i)
    if (object->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
      relocated.begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
      relocated.end = relocated.begin + object->dlpi_phdr[i].p_memsz;
      c.constants.push_back(relocated);
    }
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& header = object->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const uintptr_t begin = object->dlpi_addr + header.p_vaddr, end = begin + header.p_memsz;
    if (header.p_flags & PF_W)
      c.statics.push_back(std::make_unique<Region>(Kind::shared, begin, end - begin));
    else
      c.constants.push_back({begin, end});
  }
  return 0;
}

Region* find_region(uintptr_t address) {
  Checker& c = checker();
  if (c.dynamic && c.dynamic->holds(address)) return c.dynamic.get();
  if (c.last && c.last->holds(address)) return c.last;
  const std::lock_guard lock(books());
  auto above = c.device.upper_bound(address);
  if (above != c.device.begin() && std::prev(above)->second->holds(address))
    return c.last = std::prev(above)->second.get();
  for (const auto& region : c.statics)
    if (region->holds(address)) return c.last = region.get();
  return nullptr;
}

bool is_builtin(uintptr_t address) {
  const auto inside = [&](const auto& variable) { return address - number(&variable) < sizeof variable; };
  return inside(threadIdx) || inside(blockIdx) || inside(blockDim) || inside(gridDim);
}

bool is_constant(uintptr_t address) {
  for (const Range& range : checker().constants)
    if (range.holds(address)) return true;
  return false;
}

std::string code_place(const void* where) {
  Dl_info info{};
  if (!dladdr(where, &info)) return "unknown code";
  char offset[32];
  std::snprintf(offset, sizeof offset, "%#lx", static_cast<unsigned long>(number(where) - number(info.dli_fbase)));
  return std::string("addr2line -Cfie ") + info.dli_fname + " " + offset;
}

struct Attempt {
  uintptr_t address;
  size_t bytes;
  Access access;
  const void* where;
};

[[noreturn]] void report(const Attempt& attempt, const std::string& kind, const std::string& detail) {
  const char* const verb = attempt.access == Access::read    ? " reads "
                           : attempt.access == Access::write ? " writes "
                                                             : " updates ";
  fail((kind + ": " + place(current_thread()) + verb + std::to_string(attempt.bytes) + " bytes " + detail + " (" +
        code_place(attempt.where) + ")")
           .c_str());
}

/// "68 bytes into an allocation of 64", or as much as can be said.
std::string describe_address(uintptr_t address) {
  Checker& c = checker();
  if (c.dynamic && address - c.dynamic->begin < c.dynamic->bytes + 4096)
    return "at byte " + std::to_string(address - c.dynamic->begin) + " of " + std::to_string(c.dynamic->bytes) +
           " of dynamic shared memory";
  const std::lock_guard lock(books());
  auto above = c.device.upper_bound(address);
  if (above != c.device.begin()) {
    const Region& below = *std::prev(above)->second;
    if (address - below.begin < 2 * below.bytes + 4096)
      return "at byte " + std::to_string(address - below.begin) + " of an allocation of " + std::to_string(below.bytes);
  }
  return "of memory that is not the device's";
}

/// Whether what `before` stamped is ordered before the current thread by barriers or launches.
bool is_ordered(const Stamp& before) {
  const Checker& c = checker();
  if (before.bytes == 0 || before.epoch < c.launch_epoch) return true;
  if (before.epoch < c.block_epoch) return false;  // another block of this launch
  if (before.epoch < c.epoch) return true;         // before the last barrier of this block
  const unsigned me = current_thread();
  if (before.flags & kManyWarps || before.thread / kWarp != me / kWarp) return false;
  if (!(before.flags & kManyLanes) && before.thread == me) return true;
  return before.warp_time < c.last_collective[me];
}

bool is_race(const Stamp& before, uint8_t bytes, bool atomic) {
  return (before.bytes & bytes) && !(atomic && (before.flags & kAtomic)) && !is_ordered(before);
}

void require_order(const Attempt& attempt, const Stamp& before, uint8_t bytes, const char* did) {
  if (!is_race(before, bytes, attempt.access == Access::atomic)) return;
  const bool other_block = before.epoch < checker().block_epoch;
  report(attempt, "race",
         std::string("that ") + (other_block ? "another block " : "thread ") +
             (other_block ? std::string(did) : std::to_string(before.thread) + " of the block " + did) +
             (other_block ? " in the same launch" : " with no barrier between"));
}

Stamp stamp_now(uint8_t bytes, Access access) {
  const Checker& c = checker();
  const unsigned me = current_thread();
  return {c.epoch, c.warp_time[me / kWarp], static_cast<uint16_t>(me), bytes,
          static_cast<uint8_t>(access == Access::atomic ? kAtomic : 0)};
}

/// Readers that no barrier or collective has put in order share a stamp; it remembers that there were several. Of
/// ordered ones the last is enough: what comes after it comes after the others.
void note_read(Stamp& read, uint8_t bytes) {
  Stamp now = stamp_now(bytes, Access::read);
  if (!is_ordered(read)) {
    now.flags |= read.flags & (kManyLanes | kManyWarps);
    if (read.thread != now.thread) now.flags |= kManyLanes;
    if (read.thread / kWarp != now.thread / kWarp) now.flags |= kManyWarps;
    now.bytes |= read.bytes;
  }
  read = now;
}

/// Adds what this launch has not read or written before.
void count_traffic(const Cell& cell, Access access, uint8_t bytes) {
  Checker& c = checker();
  const auto size = static_cast<size_t>(std::popcount(bytes));
  if (cell.write.epoch >= c.launch_epoch) return;
  if (access != Access::write && cell.read.epoch < c.launch_epoch) c.traffic.read += size;
  if (access != Access::read) c.traffic.written += size;
}

void check_cell(const Attempt& attempt, Region& region, uintptr_t address, uint8_t bytes) {
  Cell& cell = region.cell(address);
  if (region.kind == Kind::shared) {  // another block's shared memory is other memory
    if (cell.read.epoch < checker().block_epoch) cell.read = {};
    if (cell.write.epoch < checker().block_epoch) cell.write = {}, cell.written = 0;
  }
  if (region.kind == Kind::device) count_traffic(cell, attempt.access, bytes);
  const uint8_t written = cell.written;
  if (attempt.access != Access::write && (written & bytes) != bytes)
    report(attempt, "unwritten",
           region.kind == Kind::shared ? "of shared memory that no thread of the block has written"
                                       : "of device memory that nobody has written");
  require_order(attempt, cell.write, bytes, "wrote");
  if (attempt.access == Access::read) {
    note_read(cell.read, bytes);
    return;
  }
  require_order(attempt, cell.read, bytes, "read");
  cell.write = stamp_now(bytes, attempt.access);
  cell.written = static_cast<uint8_t>(written | bytes);
}

/// Calls body(first byte's address, mask of bytes) for each cell that the range touches.
template <class Body>
void for_each_cell(uintptr_t begin, size_t bytes, const Body& body) {
  for (uintptr_t at = begin; at < begin + bytes;) {
    const uintptr_t cell_end = (at / kCellBytes + 1) * kCellBytes;
    const uintptr_t end = cell_end < begin + bytes ? cell_end : begin + bytes;
    const auto first = static_cast<unsigned>(at % kCellBytes), count = static_cast<unsigned>(end - at);
    body(at, static_cast<uint8_t>(((1u << count) - 1) << first));
    at = end;
  }
}

}  // namespace

void check_accesses(bool on) { checker().on = on; }

Traffic traffic() { return checker().traffic; }

void add_library_traffic(size_t read, size_t written) {
  checker().traffic.read += read;
  checker().traffic.written += written;
}

void add_device_memory(const void* begin, size_t bytes) {
  const std::lock_guard lock(books());
  checker().device[number(begin)] = std::make_unique<Region>(Kind::device, number(begin), bytes);
}

void remove_device_memory(const void* begin) {
  const std::lock_guard lock(books());
  checker().last = nullptr;
  checker().device.erase(number(begin));
}

bool is_device_memory(const void* begin, size_t bytes) {
  const std::lock_guard lock(books());
  auto& device = checker().device;
  auto above = device.upper_bound(number(begin));
  if (above == device.begin()) return false;
  const Region& region = *std::prev(above)->second;
  return number(begin) + bytes <= region.begin + region.bytes;
}

void mark_written(const void* begin, size_t bytes) {
  if (!checker().on || bytes == 0) return;
  Region* const region = find_region(number(begin));
  if (!region) return;
  for_each_cell(number(begin), bytes, [&](uintptr_t at, uint8_t mask) { region->cell(at).written |= mask; });
}

void copy_written(const void* to, const void* from, size_t bytes) {
  if (!checker().on || bytes == 0) return;
  Region *const target = find_region(number(to)), *const source = find_region(number(from));
  if (!target || !source) return;
  for (size_t i = 0; i < bytes; ++i) {
    const uintptr_t t = number(to) + i, f = number(from) + i;
    const bool written = source->cell(f).written >> f % kCellBytes & 1;
    uint8_t& mask = target->cell(t).written;
    mask = static_cast<uint8_t>((mask & ~(1u << t % kCellBytes)) | unsigned{written} << t % kCellBytes);
  }
}

const char* fault_of_library_read(const void* begin, size_t bytes) {
  if (bytes == 0) return nullptr;
  if (!is_device_memory(begin, bytes)) return "reads memory that is not in one allocation of the device";
  if (!checker().on || !accesses_are_reported()) return nullptr;
  Region* const region = find_region(number(begin));
  bool written = true;
  for_each_cell(number(begin), bytes,
                [&](uintptr_t at, uint8_t mask) { written &= (region->cell(at).written & mask) == mask; });
  return written ? nullptr : "reads device memory that nobody has written";
}

void begin_launch(const void* call, size_t call_bytes) {
  Checker& c = checker();
  if (c.constants.empty()) dl_iterate_phdr(note_segments, nullptr);
  c.call = {number(call), number(call) + call_bytes};
  c.launch_epoch = ++c.epoch;
  in_atomic = false;
}

void end_launch() { checker().dynamic.reset(); }

void enter_kernel() { in_kernel = checker().on; }
void leave_kernel() { in_kernel = false; }

void begin_block(const void* dynamic_shared, size_t dynamic_shared_bytes) {
  Checker& c = checker();
  c.block_epoch = ++c.epoch;
  c.warp_time.fill(0);
  c.last_collective.fill(0);
  if (!c.on || dynamic_shared_bytes == 0) {
    c.dynamic.reset();
    return;
  }
  if (!c.dynamic || c.dynamic->begin != number(dynamic_shared) || c.dynamic->bytes != dynamic_shared_bytes)
    c.dynamic = std::make_unique<Region>(Kind::shared, number(dynamic_shared), dynamic_shared_bytes);
}

void passed_block_barrier() {
  Checker& c = checker();
  ++c.epoch;
  c.warp_time.fill(0);
  c.last_collective.fill(0);
}

void passed_warp_collective(unsigned warp, unsigned mask) {
  Checker& c = checker();
  const uint32_t time = ++c.warp_time[warp];
  for (unsigned lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1) c.last_collective[warp * kWarp + lane] = time;
}

void check_access(const void* address, size_t bytes, Access access, const void* where) {
  if (!in_kernel) return;
  const Pause pause;
  const uintptr_t begin = number(address);
  if (on_current_stack(begin) || is_builtin(begin)) return;
  if (access == Access::read && checker().call.holds(begin)) return;
  const Attempt attempt{begin, bytes, in_atomic ? Access::atomic : access, where};
  Region* const region = find_region(begin);
  if (access == Access::read && is_constant(begin)) return;
  if (!region || begin + bytes > region->begin + region->bytes)
    report(attempt, "out of bounds", describe_address(begin));
  if ((bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16) && begin % bytes)
    report(attempt, "misaligned", "at an address that is no multiple of its size");
  if (region->kind == Kind::shared) checker().traffic.shared += bytes;
  for_each_cell(begin, bytes, [&](uintptr_t at, uint8_t mask) { check_cell(attempt, *region, at, mask); });
}

void begin_atomic() { in_atomic = true; }
void end_atomic() { in_atomic = false; }

}  // namespace cuda_emu
