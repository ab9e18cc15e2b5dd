"""Held-out loss of windows of a synthetic text against windows of the text it was made from.

    python benchmarks/synthetic_corpus.py CORPUS [--depth 32] [--tokens 10e6] [--context 128]
                                          [--steps 10000] [--walks bridge,space] [--seeds 0,1,2]

The synthetic texts are walks over the trie of the first 90 % of the text. Same model, same start,
same number of steps and windows; the last 10 % of the text, which neither the trie nor a window
saw, is scored at the trained context. Differences are taken seed by seed.
"""

import argparse
import json
import sys
from typing import Any

import agpt
from held_out import train_and_score
from measure import report
from recipes import COMMON, summary

WALKS: dict[str, dict[str, Any]] = {
    "bridge": {},
    "space": {"prune_mass1_space": True},
    "suffix": {"walk": "suffix"},
}


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--tokens", type=float, default=10e6)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--windows-per-step", type=int, default=8)
    parser.add_argument("--walks", default="bridge,space", help="of: " + ", ".join(WALKS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth, val_fraction=0.1)
    config = agpt.ModelConfig(vocab_size=index.vocab_size, context=arguments.context, init="gpt2")
    results = []
    for seed in map(int, arguments.seeds.split(",")):
        texts: dict[str, agpt.TrieIndex | agpt.Corpus] = {"real text": index}
        for name in arguments.walks.split(","):
            text = agpt.synthesize(index, int(arguments.tokens), seed=seed, **WALKS[name])
            texts[f"synthetic, {name}"] = agpt.Corpus.from_encoded(text.tokens, index.vocabulary)
        settings = agpt.TrainConfig(
            **COMMON,
            mode="window",
            windows_per_step=arguments.windows_per_step,
            steps=arguments.steps,
            seed=seed,
        )
        for name, text in texts.items():
            result = train_and_score(text, config, settings, held_out=index)
            results.append({"name": name, "seed": seed, **result})
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print("\n".join(summary(results)))
    if arguments.json:
        report("synthetic_corpus", {"arguments": vars(arguments), "runs": results}, arguments.json)


if __name__ == "__main__":
    main()
