"""Speed on a CPU beside PyTorch and NumPy: the same mathematics, interleaved, in one run.

    python benchmarks/cpu.py CORPUS [--names NAMES] [--quick] [--json FILE] [--plot FILE.svg]

CORPUS is tinyshakespeare, NAMES a text whose lines are documents. The rivals need
`pip install '.[benchmark]'` with the CPU build of PyTorch; torch.compile, which --quick leaves out,
needs a C++ compiler. Prints Markdown.
"""

import argparse
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads; PyTorch is told its number

import agpt  # noqa: E402
import cpu_report  # noqa: E402
import torch_rival  # noqa: E402
from cpu_contests import contests  # noqa: E402
from measure import machine, report  # noqa: E402
from race import hold  # noqa: E402


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--names", help="adds the contest of documents")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, one after the other")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round and contestant")
    parser.add_argument("--quick", action="store_true", help="3 short rounds, no torch.compile")
    parser.add_argument("--only", default="", help="contests whose name has this in it")
    parser.add_argument("--json", help="write the result to this file")
    parser.add_argument("--plot", type=Path, help="draw the ratios to this file")
    arguments = parser.parse_args()
    rounds, seconds = (3, 0.3) if arguments.quick else (arguments.rounds, arguments.seconds)

    setting: dict[str, object] = machine() | {"torch": torch_rival.VERSION}
    corpus = agpt.Corpus.from_file(arguments.corpus)
    names = agpt.Corpus.from_file(arguments.names, documents=True) if arguments.names else None
    thread_counts = [int(count) for count in arguments.threads.split(",")]
    made = contests(corpus, names, thread_counts, quick=arguments.quick, only=arguments.only)
    results = [hold(contest, rounds, seconds) for contest in made]

    setting["load"] = round(os.getloadavg()[0], 1)
    print(", ".join(f"{name} {value}" for name, value in setting.items()), end="\n\n")
    print(cpu_report.table(results), end="\n\n")
    print(cpu_report.FOOTNOTE, end="\n\n")
    if len(thread_counts) > 1:
        print("Times as fast as on one thread, by the clock (and as the CPU time says):\n")
        print(cpu_report.second_thread(results))
    if arguments.plot:
        cpu_report.draw(results, arguments.plot)
        print(f"wrote {arguments.plot}", file=sys.stderr)
    if arguments.json:
        document = {"setting": setting, "rounds": rounds, "seconds": seconds}
        document["results"] = [result.to_dict() for result in results]
        report("cpu", document, arguments.json)


if __name__ == "__main__":
    main()
