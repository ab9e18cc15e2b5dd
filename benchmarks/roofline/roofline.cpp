// Where the time of a training step goes on one thread, stage by stage, beside what the machine can do.
//
//     roofline CORPUS [--name value]... [--json]
//
// Positions per CPU-second, and for every stage its share of the time, GFLOP and gigabytes per CPU-second.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "benchmarks/roofline/calibration.h"
#include "benchmarks/roofline/timed_backend.h"
#include "cpp/corpus/corpus.h"
#include "cpp/train/trainer.h"
#include "cpp/trie/index_builder.h"

namespace agpt::roofline {
namespace {

/// Options with their defaults; 0 for `windows` trains on the trie, with `paths` on random paths of it, 0 for
/// `vocabulary` takes the corpus's own.
struct Options {
  std::string corpus, backend = "cpu";
  std::map<std::string, Index> number = {{"depth", 32},       {"windows", 0},    {"paths", 0},   {"positions", 16384},
                                         {"batch-rows", 256}, {"d-model", 64},   {"layers", 2},  {"heads", 4},
                                         {"d-ff", 256},       {"vocabulary", 0}, {"seconds", 3}, {"gelu", 0},
                                         {"learned", 0},      {"threads", 1}};
  bool json = false;

  Index operator[](const std::string& name) const { return number.at(name); }
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json") {
      options.json = true;
    } else if (word.rfind("--", 0) != 0) {
      options.corpus = word;
    } else if (i + 1 < argc && word == "--backend") {
      options.backend = argv[++i];
    } else if (i + 1 < argc && options.number.count(word.substr(2)) == 1) {
      options.number[word.substr(2)] = std::atoll(argv[++i]);
    } else {
      std::fprintf(stderr, "roofline: no option %s\n", word.c_str());
      std::exit(2);
    }
  }
  if (options.corpus.empty()) {
    std::fprintf(stderr, "usage: roofline CORPUS [--backend NAME] [--json]");
    for (const auto& [name, value] : options.number)
      std::fprintf(stderr, " [--%s %lld]", name.c_str(), static_cast<long long>(value));
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  return options;
}

ModelConfig model_config(const Options& options, Index vocabulary) {
  ModelConfig config;
  config.vocab_size = options["vocabulary"] > 0 ? options["vocabulary"] : vocabulary;
  config.context = static_cast<int>(options["depth"]);
  config.d_model = static_cast<int>(options["d-model"]);
  config.n_layers = static_cast<int>(options["layers"]);
  config.heads.assign(static_cast<size_t>(options["heads"]), config.d_model / static_cast<int>(options["heads"]));
  config.d_ff = static_cast<int>(options["d-ff"]);
  if (options["gelu"] != 0) config.activation = Activation::gelu;
  if (options["learned"] != 0) config.position = Position::learned;
  return config;
}

// Times the building of batches too.
class TimedSource final : public StepSource {
 public:
  TimedSource(std::unique_ptr<StepSource> inner, StageClock& clock) : inner_(std::move(inner)), clock_(clock) {}
  Index steps_per_pass() const override { return inner_->steps_per_pass(); }
  StepWork work(Index step) const override {
    return clock_.time(Stage::batch_building, 0, 0, [&] { return timed(inner_->work(step)); });
  }
  StepWork whole_pass() const override { return timed(inner_->whole_pass()); }
  double pass_weight() const override { return inner_->pass_weight(); }
  Index pass_positions() const override { return inner_->pass_positions(); }

 private:
  StepWork timed(StepWork work) const {
    work.build = [this, build = std::move(work.build)](Index number, RowBatch& batch) {
      clock_.time(Stage::batch_building, 0, 0, [&] { build(number, batch); });
    };
    return work;
  }
  const std::unique_ptr<StepSource> inner_;
  StageClock& clock_;
};

struct Run {
  double seconds = 0;
  Index positions = 0, steps = 0;
};

Run train(Trainer<float>& trainer, double seconds) {
  Run run;
  const double begin = thread_seconds();
  while ((run.seconds = thread_seconds() - begin) < seconds) {
    run.positions += trainer.step({}).positions;
    ++run.steps;
  }
  return run;
}

struct Report {
  std::string backend;
  double peak, matrix, rate, timed_rate, steps;
  Run run;
};

void print_text(const Report& report, const StageClock& clock) {
  std::printf("%s: %.0f positions and %.1f steps per CPU-second (%.0f with the stages timed)\n", report.backend.c_str(),
              report.rate, report.steps, report.timed_rate);
  std::printf("multiply-add peak %.1f, matrix rate in cache %.1f GFLOP per CPU-second\n\n", report.peak, report.matrix);
  std::printf("%-20s %8s %10s %10s %8s %8s\n", "stage", "share %", "ns / pos.", "GFLOP/s", "% matrix", "GB/s");
  const double positions = static_cast<double>(report.run.positions);
  double rest = report.run.seconds;
  for (size_t s = 0; s < kStages; ++s) {
    const StageTotals& total = clock[static_cast<Stage>(s)];
    rest -= total.seconds;
    const double per_second = total.seconds > 0 ? 1e-9 / total.seconds : 0;
    std::printf("%-20s %8.2f %10.1f %10.1f %8.1f %8.1f\n", std::string(kStageNames[s]).c_str(),
                100 * total.seconds / report.run.seconds, 1e9 * total.seconds / positions, total.flops * per_second,
                100 * total.flops * per_second / report.matrix, total.bytes * per_second);
  }
  std::printf("%-20s %8.2f %10.1f\n", "tiles, rest", 100 * rest / report.run.seconds, 1e9 * rest / positions);
}

void print_json(const Report& report, const StageClock& clock) {
  std::printf(
      "{\"backend\": \"%s\", \"positions_per_cpu_second\": %.1f, \"steps_per_cpu_second\": %.3f, "
      "\"multiply_add_gflops\": %.2f, \"matrix_gflops\": %.2f, \"positions\": %lld, \"seconds\": %.4f, \"stages\": {",
      report.backend.c_str(), report.rate, report.steps, report.peak, report.matrix,
      static_cast<long long>(report.run.positions), report.run.seconds);
  for (size_t s = 0; s < kStages; ++s) {
    const StageTotals& total = clock[static_cast<Stage>(s)];
    std::printf("%s\"%s\": {\"seconds\": %.6f, \"flops\": %.0f, \"bytes\": %.0f}", s > 0 ? ", " : "",
                std::string(kStageNames[s]).c_str(), total.seconds, total.flops, total.bytes);
  }
  std::printf("}}\n");
}

int run(const Options& options) {
  const Corpus corpus = Corpus::from_file(options.corpus, VocabularyKind::characters, false);
  const ModelConfig model = model_config(options, corpus.vocabulary().size());
  std::optional<TrieIndex> index;
  const auto make_source = [&]() -> std::unique_ptr<StepSource> {
    if (options["windows"] > 0) {
      WindowStepConfig config;
      config.context = options["depth"], config.windows = options["windows"], config.batch_rows = options["batch-rows"];
      return make_window_source({corpus.tokens(), {}}, config);
    }
    if (!index) {
      IndexOptions index_options;
      index_options.depth = static_cast<int>(options["depth"]);
      index.emplace(build_trie_index(corpus, index_options));
    }
    if (options["paths"] != 0) {
      SampleStepConfig config;
      config.positions = options["positions"], config.batch_rows = options["batch-rows"];
      return make_sample_source(*index, config);
    }
    TrieStepConfig config;
    config.positions = options["positions"], config.batch_rows = options["batch-rows"], config.spread_heavy = true;
    return make_trie_source(*index, config);
  };
  const ParameterTable table(model);
  std::vector<float> parameters(static_cast<size_t>(table.size()));
  initialise_parameters<float>(model, table, 0, parameters);
  const ModelShape shape = model_shape(model, table);
  TrainerConfig config;
  config.n_threads = static_cast<int>(options["threads"]);

  StageClock clock;
  std::shared_ptr<StepSource> source = make_source();
  std::shared_ptr<StepSource> timed_source = std::make_shared<TimedSource>(make_source(), clock);
  Trainer<float> plain(model, config, source, make_backend<float>(options.backend, shape), parameters);
  Trainer<float> timed(
      model, config, timed_source,
      std::make_unique<TimedBackend<StageClock>>(make_backend<float>(options.backend, shape), shape, clock),
      parameters);
  train(plain, 0.3), train(timed, 0.1);
  Report report{};
  report.peak = multiply_add_peak();
  report.matrix = matrix_rate();
  const auto seconds = static_cast<double>(options["seconds"]);
  const Run run = train(plain, seconds / 2);
  clock.reset();
  report.run = train(timed, seconds / 2);
  report.backend = plain.backend_description();
  report.rate = static_cast<double>(run.positions) / run.seconds;
  report.steps = static_cast<double>(run.steps) / run.seconds;
  report.timed_rate = static_cast<double>(report.run.positions) / report.run.seconds;
  options.json ? print_json(report, clock) : print_text(report, clock);
  return 0;
}

}  // namespace
}  // namespace agpt::roofline

int main(int argc, char** argv) {
  try {
    return agpt::roofline::run(agpt::roofline::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "roofline: %s\n", error.what());
    return 1;
  }
}
