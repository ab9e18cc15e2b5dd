// What a training step on a GPU moves, computes and launches, stage by stage, and how long that takes at given rates.
// Counted on the emulated GPU, whose own speed means nothing: no GPU is needed.
//
//     device_counts CORPUS [--depth 32] [--windows 0] [--positions 4096] [--pass 27046552] [--rope 0]
//                   [--bandwidth 4000] [--gflops 40000] [--shared 29000]
//
// The model has 108,000 parameters, 2 layers of width 64. The second step of --positions of the trie, or of --windows windows, is
// counted; costs of a batch and of a step are those of its size, those of positions are divided by it. Bytes of device
// memory count once a launch, as if a cache held all that it touches; bytes of shared memory count for every thread.
// Operations are those of the formulas, of attention those for keys that are seen. A stage takes the longest of its bytes
// at --bandwidth (GB/s), its operations at --gflops and its shared bytes at --shared (GB/s); nothing overlaps.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "benchmarks/roofline/timed_backend.h"
#include "cpp/corpus/corpus.h"
#include "cpp/train/trainer.h"
#include "cpp/trie/index_builder.h"
#include "tests/cuda_emu/emulator/access_check.h"

namespace agpt::roofline {
namespace {

struct Counts {
  double launches = 0, read = 0, written = 0, shared = 0, operations = 0;

  void add(const Counts& other, double sign) {
    launches += sign * other.launches, read += sign * other.read, written += sign * other.written;
    shared += sign * other.shared, operations += sign * other.operations;
  }
};

/// Counts what the device does for each stage. `launches` is asked for the launches so far.
class DeviceCounter {
 public:
  template <class Work>
  decltype(auto) time(Stage stage, double operations, double, Work work) {
    const Entry entry(*this, (*this)[stage]);
    (*this)[stage].operations += operations;
    return work();
  }

  Counts& operator[](Stage stage) { return counts_[static_cast<size_t>(stage)]; }
  void watch(const Backend<float>& backend) { backend_ = &backend; }
  void reset() { counts_ = {}; }

 private:
  struct Entry {
    Entry(const DeviceCounter& counter, Counts& stage) : counter(counter), stage(stage) {
      stage.add(counter.now(), -1);
    }
    ~Entry() { stage.add(counter.now(), 1); }
    const DeviceCounter& counter;
    Counts& stage;
  };

  Counts now() const {
    const cuda_emu::Traffic traffic = cuda_emu::traffic();
    return {static_cast<double>(backend_->statistics().launches), static_cast<double>(traffic.read),
            static_cast<double>(traffic.written), static_cast<double>(traffic.shared), 0};
  }

  const Backend<float>* backend_ = nullptr;
  std::array<Counts, kStages> counts_;
};

struct Options {
  std::string corpus;
  std::map<std::string, Index> number = {{"depth", 32}, {"windows", 0},      {"positions", 4096}, {"pass", 27046552},
                                         {"rope", 0},   {"bandwidth", 4000}, {"gflops", 40000},   {"shared", 29000}};

  Index operator[](const std::string& name) const { return number.at(name); }
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      options.corpus = word;
    } else if (i + 1 < argc && options.number.contains(word.substr(2))) {
      options.number[word.substr(2)] = std::atoll(argv[++i]);
    } else {
      std::fprintf(stderr, "device_counts: no option %s\n", word.c_str());
      std::exit(2);
    }
  }
  if (!options.corpus.empty()) return options;
  std::fprintf(stderr, "usage: device_counts CORPUS");
  for (const auto& [name, value] : options.number)
    std::fprintf(stderr, " [--%s %lld]", name.c_str(), static_cast<long long>(value));
  std::fprintf(stderr, "\n");
  std::exit(2);
}

std::shared_ptr<StepSource> make_source(const Options& options, const Corpus& corpus, std::optional<TrieIndex>& index) {
  if (options["windows"] > 0) {
    WindowStepConfig config;
    config.context = options["depth"], config.windows = options["windows"];
    return make_window_source({corpus.tokens(), {}}, config);
  }
  IndexOptions index_options;
  index_options.depth = static_cast<int>(options["depth"]);
  index.emplace(build_trie_index(corpus, index_options));
  TrieStepConfig config;
  config.positions = options["positions"];
  return make_trie_source(*index, config);
}

double nanoseconds(const Counts& counts, const Options& options) {
  return std::max({(counts.read + counts.written) / static_cast<double>(options["bandwidth"]),
                   counts.operations / static_cast<double>(options["gflops"]),
                   counts.shared / static_cast<double>(options["shared"])});
}

void print_line(const char* name, const Counts& counts, double n, double time) {
  std::printf("%-20s %8.0f %9.1f %9.1f %10.0f %10.0f %10.3f\n", name, counts.launches, counts.read / n,
              counts.written / n, counts.shared / n, counts.operations / n, time / n);
}

bool is_of_positions(Stage stage) {
  return stage != Stage::gradient_slots && stage != Stage::weight_packing && stage != Stage::update;
}

void print(const Options& options, DeviceCounter& counter, double positions, double uploaded) {
  Counts batch, step;
  double batch_time = 0, step_time = 0;
  std::printf("%-20s %8s %9s %9s %10s %10s %10s\n", "of a position", "launches", "read B", "written B", "shared B",
              "FLOP", "ns");
  for (size_t s = 0; s < kStages; ++s) {
    const auto stage = static_cast<Stage>(s);
    const double time = nanoseconds(counter[stage], options);
    (is_of_positions(stage) ? batch : step).add(counter[stage], 1);
    (is_of_positions(stage) ? batch_time : step_time) += time;
    if (is_of_positions(stage) && counter[stage].launches > 0)
      print_line(std::string(kStageNames[s]).c_str(), counter[stage], positions, time);
  }
  print_line("all", batch, positions, batch_time);
  std::printf("uploaded: %.1f bytes a position\n", uploaded / positions);
  std::printf("a step beside its batches: %.0f launches, %.0f bytes read, %.0f written, %.0f ns\n", step.launches,
              step.read, step.written, step_time);
  std::printf(
      "at %lld GB/s, %lld GFLOP/s, %lld GB/s of shared memory: %.1f M positions a second, %.3f s a pass of %lld\n",
      static_cast<long long>(options["bandwidth"]), static_cast<long long>(options["gflops"]),
      static_cast<long long>(options["shared"]), 1e3 * positions / batch_time,
      1e-9 * batch_time / positions * static_cast<double>(options["pass"]), static_cast<long long>(options["pass"]));
}

int run(const Options& options) {
  const Corpus corpus = Corpus::from_file(options.corpus, VocabularyKind::characters, false);
  ModelConfig model;
  model.vocab_size = corpus.vocabulary().size();
  model.context = static_cast<int>(options["depth"]);
  model.heads.assign(4, 16);
  model.position = options["rope"] != 0 ? Position::rope : Position::learned;
  const ParameterTable table(model);
  std::vector<float> parameters(static_cast<size_t>(table.size()));
  initialise_parameters<float>(model, table, 0, parameters);
  const ModelShape shape = model_shape(model, table);

  BackendOptions backend_options;
  backend_options.graphs = false;  // operations are counted one by one
  DeviceCounter counter;
  std::optional<TrieIndex> index;
  auto device = make_backend<float>("cuda", shape, backend_options);
  counter.watch(*device);
  const Backend<float>& watched = *device;
  Trainer<float> trainer(model, {}, make_source(options, corpus, index),
                         std::make_unique<TimedBackend<DeviceCounter>>(std::move(device), shape, counter), parameters);
  trainer.step({});  // sends the parameters
  counter.reset();
  const Index uploaded = watched.statistics().uploaded_bytes;
  const StepReport report = trainer.step({});
  std::printf("%s, %lld parameters, a step of %lld positions\n", watched.description().c_str(),
              static_cast<long long>(table.size()), static_cast<long long>(report.positions));
  print(options, counter, static_cast<double>(report.positions),
        static_cast<double>(watched.statistics().uploaded_bytes - uploaded));
  return 0;
}

}  // namespace
}  // namespace agpt::roofline

int main(int argc, char** argv) {
  try {
    return agpt::roofline::run(agpt::roofline::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_counts: %s\n", error.what());
    return 1;
  }
}
