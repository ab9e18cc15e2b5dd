// agpt_fuzz: feeds spoiled inputs to every reader for some seconds. Each must return, or refuse with one of our errors.
//
// Input number i of a target depends on the seed and i alone, so a failure is reproduced by its number. The readers run in a child
// process, so that the parent lives to say which input crashed, hung or asked for too much memory.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <new>
#include <optional>
#include <thread>

#include "cpp/base/error.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/mutation.h"

namespace agpt {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHangSeconds = 30;
constexpr const char* kUsage =
    "usage: agpt_fuzz [--target NAME] [--seconds N] [--executions N] [--seed S] [--only I [--write FILE]]\n"
    "  --target NAME   index, reference, text, options; all if not given; faulty-count, faulty-crash, faulty-error: a "
    "test of the "
    "fuzzer\n"
    "  --seconds N     for all targets together (default 10)\n"
    "  --executions N  of each target, instead of a time\n"
    "  --seed S        chooses the inputs (default 1)\n"
    "  --only I        runs input number I of --target in this process\n"
    "  --write FILE    and writes it to a file\n";

struct Options {
  std::string target, write;
  uint64_t seconds = 10, seed = 1;
  std::optional<uint64_t> executions, only;
};

struct UsageError {};

Options parse_options(int argc, char** argv) {
  Options options;
  const auto number = [](const std::string& text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) throw UsageError{};
    return value;
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw UsageError{};
    const std::string value = argv[i + 1];
    if (name == "--target") {
      options.target = value;
    } else if (name == "--write") {
      options.write = value;
    } else if (name == "--seconds") {
      options.seconds = number(value);
    } else if (name == "--executions") {
      options.executions = number(value);
    } else if (name == "--seed") {
      options.seed = number(value);
    } else if (name == "--only") {
      options.only = number(value);
    } else {
      throw UsageError{};
    }
  }
  if (options.only && options.target.empty()) throw UsageError{};
  return options;
}

std::string make_input(const FuzzTarget& target, uint64_t seed, uint64_t number) {
  Random random(mix_bits(mix_bits(seed) + number));
  const std::string& good = target.seeds[random.below(target.seeds.size())];
  std::string input = mutate(good, target.seeds, target.header_bytes, random);
  if (target.repair && random.below(8) > 0) input = target.repair(std::move(input));
  return input;
}

// Returns whether the input was accepted. Anything but our two errors leaves this function as it is.
bool execute(const FuzzTarget& target, const std::string& input) {
  const AllocationLimit limit((size_t{16} << 20) + 64 * input.size());
  try {
    target.run(input);
    return true;
  } catch (const FormatError&) {
  } catch (const ArgumentError&) {
  }
  return false;
}

// What the child tells the parent, in memory that both see.
struct Progress {
  std::atomic<uint64_t> n_begun{0}, n_accepted{0};
};

[[noreturn]] void run_child(const FuzzTarget& target, const Options& options, Clock::time_point end,
                            Progress& progress) {
  int status = EXIT_SUCCESS;
  try {
    for (uint64_t i = 0; options.executions ? i < *options.executions : Clock::now() < end; ++i) {
      const std::string input = make_input(target, options.seed, i);
      progress.n_begun = i + 1;
      progress.n_accepted += execute(target, input);
    }
  } catch (const std::exception& error) {
    std::cerr << "an error that no reader may throw: " << error.what() << "\n";
    status = EXIT_FAILURE;
  }
  std::_Exit(status);
}

// Waits for the child; says how it ended if it did not end well.
std::string supervise(pid_t child, const Progress& progress) {
  uint64_t seen = 0;
  Clock::time_point since = Clock::now();
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) return "";
      return WIFSIGNALED(status) ? "ended by signal " + std::to_string(WTERMSIG(status)) : "failed";
    }
    if (progress.n_begun != seen) {
      seen = progress.n_begun;
      since = Clock::now();
    } else if (Clock::now() - since > std::chrono::seconds(kHangSeconds)) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return "hung for " + std::to_string(kHangSeconds) + " s";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

bool fuzz(const FuzzTarget& target, const Options& options, Clock::duration time, const std::string& program) {
  void* const shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::bad_alloc();
  Progress& progress = *new (shared) Progress;
  const Clock::time_point begin = Clock::now();
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) run_child(target, options, begin + time, progress);
  const std::string failure = supervise(child, progress);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::cout << target.name << ": " << progress.n_begun << " executions in " << static_cast<int>(seconds + 0.5) << " s, "
            << progress.n_accepted << " accepted, seed " << options.seed << "\n";
  if (!failure.empty())
    std::cout << target.name << ": input " << progress.n_begun - 1 << " " << failure << "; reproduce it with\n  "
              << program << " --target " << target.name << " --seed " << options.seed << " --only "
              << progress.n_begun - 1 << "\n";
  munmap(shared, sizeof(Progress));
  return failure.empty();
}

int run_only(const FuzzTarget& target, const Options& options) {
  const std::string input = make_input(target, options.seed, *options.only);
  if (!options.write.empty()) std::ofstream(options.write, std::ios::binary) << input;
  std::cout << target.name << ": input " << *options.only << ", " << input.size() << " bytes: " << std::flush;
  std::cout << (execute(target, input) ? "accepted\n" : "refused\n");
  return EXIT_SUCCESS;
}

std::vector<FuzzTarget> chosen_targets(const std::string& name) {
  std::vector<FuzzTarget> targets = {index_target(), reference_target(), text_target(), option_target()};
  if (name.empty()) return targets;
  for (FuzzTarget& target : faulty_targets()) targets.push_back(std::move(target));
  std::erase_if(targets, [&](const FuzzTarget& target) { return target.name != name; });
  if (targets.empty()) throw UsageError{};
  return targets;
}

int run(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  const std::vector<FuzzTarget> targets = chosen_targets(options.target);
  if (options.only) return run_only(targets[0], options);
  const Clock::duration time = std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(options.seconds)) /
                               static_cast<int>(targets.size());
  bool all_held = true;
  for (const FuzzTarget& target : targets) all_held = fuzz(target, options, time, argv[0]) && all_held;
  return all_held ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace agpt

int main(int argc, char** argv) {
  try {
    return agpt::run(argc, argv);
  } catch (const agpt::UsageError&) {
    std::cerr << agpt::kUsage;
    return 2;
  }
}
