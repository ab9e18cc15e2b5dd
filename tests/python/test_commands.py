"""The commands on good input: a text becomes an index, a model, a score and new text."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model, TrieIndex
from agpt.cli import VERBS, main
from agpt.cli.build import command as build
from agpt.cli.demo import command as demo
from agpt.cli.generate import command as generate
from agpt.cli.info import command as info
from agpt.cli.perplexity import command as perplexity
from agpt.cli.radix_verify import command as radix_verify
from agpt.cli.train import command as train
from agpt.cli.trie_profile import command as trie_profile
from click.testing import Result
from support import equal_parameters, with_right_index_checksums

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
SMALL = ["--d-model", "16", "--n-layers", "1", "--heads", "2"]
VERBS_WITHOUT_CHOICES = (
    "info", "trie-profile", "radix-verify", "bayesian-posterior", "check-weights"
)  # fmt: skip
FEW = ["--steps", "6", "--positions-per-step", "200"]


@pytest.fixture
def index_file(corpus_file: Path, run_json: RunJson) -> Path:
    run_json(build, corpus_file, "--depth", "6")
    return corpus_file.with_suffix(".agpt")


@pytest.fixture
def model_file(index_file: Path, run_json: RunJson) -> Path:
    run_json(train, index_file, *SMALL, *FEW)
    return index_file.with_suffix(".safetensors")


def test_build_writes_an_index_and_says_what_is_in_it(
    corpus_file: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    values = run_json(build, corpus_file, "--depth", "6", "--val-fraction", "0.2")
    index = TrieIndex.open(values["path"])
    assert values["path"] == str(corpus_file.with_suffix(".agpt"))
    for name in ("depth", "n_tokens", "n_nodes", "n_positions", "n_entries", "vocab_size"):
        assert values[name] == getattr(index, name)
    assert values["held_out_tokens"] == index.held_out.size == 400
    result = run_command(build, corpus_file, "--out", corpus_file.with_name("other.agpt"))
    assert result.exit_code == 0
    assert "positions for" in result.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--tokenizer", "byte"],
        ["--starts", "stride=3"],
        ["--starts", "max=50+2"],
        ["--starts", "documents"],
        ["--reverse"],
        ["--corpus-end", "reference"],
        ["--prune-min-mass", "2", "--prune-min-depth", "2"],
    ],
)
def test_every_option_of_build_changes_the_index(
    corpus_file: Path, run_json: RunJson, options: list[str]
) -> None:
    plain = run_json(build, corpus_file, "--depth", "12")
    changed = run_json(build, corpus_file, "--depth", "12", *options)
    compared = ("n_positions", "n_entries", "vocab_size", "hash", "total_mass")
    assert [plain[name] for name in compared] != [changed[name] for name in compared]


def test_a_model_is_trained_scored_and_sampled(
    index_file: Path, model_file: Path, run_json: RunJson
) -> None:
    best = model_file.with_name("text.best.safetensors")
    assert best.exists()
    assert model_file.with_name("text.log.jsonl").exists()
    score = run_json(perplexity, model_file, "--index", index_file)
    assert (score["split"], score["context"], score["stride"]) == ("val", 6, 6)
    by_corpus = run_json(perplexity, model_file, "--corpus", index_file.with_suffix(".txt"))
    assert by_corpus["loss"] == pytest.approx(score["loss"], rel=1e-6)
    assert by_corpus["positions"] == score["positions"]
    options = ["--prompt", "the", "--max-tokens", "12", "-n", "2", "--seed", "3"]
    samples = run_json(generate, model_file, *options)["samples"]
    assert samples == run_json(generate, model_file, *options)["samples"]
    assert [len(sample) for sample in samples] == [12, 12]


def test_the_text_output_of_the_commands_names_everything(
    index_file: Path, model_file: Path, run_command: RunCommand
) -> None:
    line = run_command(perplexity, model_file, "--index", index_file, "--stride", "2").stdout
    for part in ("split=val", "context=6", "stride=2", "positions=", "nats=", "perplexity=",
                 "bits_per_character="):  # fmt: skip
        assert part in line
    sample = run_command(generate, model_file, "--prompt", "the cat", "--max-tokens", "5").stdout
    assert sample.startswith("the cat")
    assert len(sample) == len("the cat") + 5 + 1
    result = run_command(train, index_file, *SMALL, *FEW)
    assert "step 6 of 6" in result.stdout
    assert "[val] mode=trie" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--mode", "window", "--windows-per-step", "8"],
        ["--mode", "window", "--window-order", "shuffled", "--window-context", "4"],
        ["--unit", "bigram", "--normalise", "pass"],
        ["--unit", "pass", "--optimizer", "sgd", "--schedule", "linear"],
        ["--preset", "nanogpt", "--dtype", "float64"],
        ["--heads", "10,6", "--norm", "rmsnorm", "--no-norm-bias", "--position", "learned"],
    ],
)
@pytest.mark.parametrize("source", ["index", "corpus"])
def test_every_mode_trains_on_an_index_and_on_a_text(
    index_file: Path, run_json: RunJson, options: list[str], source: str
) -> None:
    data = index_file if source == "index" else index_file.with_suffix(".txt")
    depth = [] if source == "index" else ["--depth", "6"]
    out = index_file.with_name("other.safetensors")
    values = run_json(train, data, *SMALL, *FEW, *depth, *options, "--out", out, "--eval-every", 3)
    assert values["step"] == 6
    assert values["evaluation"]["context"] == values["context"]
    assert Model.load(out).config.context == values["context"]


def test_documents_are_trained_scored_and_sampled(
    tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["anna", "ann", "bob", "bobby", "carla"] * 8), encoding="utf-8")
    index = run_json(build, names, "--starts", "documents", "--depth", "8")["path"]
    values = run_json(train, index, "--preset", "karpathy-b", "--context", "8", "--steps", "30")
    assert values["evaluation"]["positions"] > 0
    corpus = run_json(perplexity, values["model"], "--corpus", names)
    assert corpus["loss"] == pytest.approx(values["evaluation"]["loss"], rel=1e-5)
    printed = run_command(generate, values["model"], "-n", "20", "--max-tokens", "9").stdout
    assert len(printed.splitlines()) == 20


@pytest.mark.parametrize("options", [["--val-fraction", "0.3"], ["--reverse"]])
def test_a_text_is_split_and_read_as_in_training(
    corpus_file: Path, run_json: RunJson, options: list[str]
) -> None:
    values = run_json(train, corpus_file, *SMALL, *FEW, "--depth", "6", *options)
    score = run_json(perplexity, values["model"], "--corpus", corpus_file)
    assert score["positions"] == values["evaluation"]["positions"]
    assert score["loss"] == pytest.approx(values["evaluation"]["loss"], rel=1e-6)
    all_of_it = ["--split", "train", "--val-fraction", "0"]
    whole = run_json(perplexity, values["model"], "--corpus", corpus_file, *all_of_it)
    assert whole["positions"] == 1999


def test_unknown_characters_of_a_text_are_left_out_on_request(
    model_file: Path, run_json: RunJson
) -> None:
    clean = model_file.with_name("clean.txt")
    odd = model_file.with_name("odd.txt")
    clean.write_text("the cat sat on the mat", encoding="utf-8")
    odd.write_text("the cat 99sat on the mat", encoding="utf-8")
    expected = run_json(perplexity, model_file, "--corpus", clean, "--split", "all")
    got = run_json(perplexity, model_file, "--corpus", odd, "--split", "all", "--skip-unknown")
    assert got["skipped"] == 2
    assert got["loss"] == expected["loss"]


def test_a_resumed_run_ends_with_the_same_bits(index_file: Path, run_json: RunJson) -> None:
    whole = index_file.with_name("whole.safetensors")
    run_json(train, index_file, *SMALL, *FEW, "--out", whole)
    run_json(train, index_file, *SMALL, *FEW, "--out", whole.with_name("again.safetensors"))
    values = run_json(train, index_file, "--resume", whole.with_name("again.best.safetensors"))
    assert values["step"] == 6
    resumed = Model.load(values["model"])
    assert equal_parameters(resumed, Model.load(whole))


def test_info_names_version_backends_and_kernels(
    run_json: RunJson, run_command: RunCommand
) -> None:
    values = run_json(info)
    assert values["backends"]["cpu"]["usable"]
    assert values["threads"] >= 1
    assert values["cpu_kernels"]
    assert "backend cpu: " in run_command(info).stdout


def test_demo_does_the_whole_job(run_json: RunJson) -> None:
    values = run_json(demo, "--seconds", "2")
    trie, window = values["runs"]
    assert (trie["mode"], window["mode"]) == ("trie", "window")
    assert trie["positions"] == pytest.approx(window["positions"], rel=0.2)
    assert trie["evaluation"]["positions"] == window["evaluation"]["positions"]
    assert values["sample"]


def test_demo_prints_the_commands_for_an_own_file(run_command: RunCommand) -> None:
    result = run_command(demo, "--steps", "2")
    assert result.exit_code == 0
    for part in ("agpt-build", "agpt-train", "agpt-perplexity", "agpt-generate", "shared"):
        assert part in result.stdout


def test_the_profile_adds_up_to_the_index(run_json: RunJson, index_file: Path) -> None:
    values = run_json(trie_profile, str(index_file))
    assert len(values["positions"]) == values["depth"]
    assert sum(values["positions"]) == values["n_positions"]
    assert sum(values["nodes"]) == values["n_nodes"]
    assert sum(values["mass"]) == values["total_mass"]
    assert sum(values["mass"][:1]) == values["n_tokens"] - 1


def test_the_profile_is_a_line_for_each_depth(run_command: RunCommand, index_file: Path) -> None:
    result = run_command(trie_profile, str(index_file))
    depth = TrieIndex.open(str(index_file)).depth
    assert [line.split()[0] for line in result.stdout.splitlines()[1 : depth + 1]] == [
        str(k + 1) for k in range(depth)
    ]


def test_verify_passes_a_sound_index_and_refuses_a_damaged_one(
    run_command: RunCommand, run_json: RunJson, index_file: Path
) -> None:
    assert run_json(radix_verify, str(index_file))["valid"] is True
    content = bytearray(index_file.read_bytes())
    content[len(content) // 2] ^= 1
    index_file.write_bytes(content)
    result = run_command(radix_verify, str(index_file))
    assert result.exit_code == 1
    assert str(index_file) in result.stderr


def test_verify_also_compares_with_an_index_built_again(
    run_json: RunJson, index_file: Path
) -> None:
    assert run_json(radix_verify, str(index_file), "--deep")["deep"] is True


def test_verify_names_a_fault_behind_right_checksums(
    run_command: RunCommand, index_file: Path
) -> None:
    content = bytearray(index_file.read_bytes())
    at = content.index(TrieIndex.open(index_file).tokens.tobytes())
    content[at] = (content[at] + 1) % 2  # another token, of the vocabulary
    index_file.write_bytes(with_right_index_checksums(bytes(content)))
    result = run_command(radix_verify, str(index_file))
    assert result.exit_code == 1
    assert result.stdout.startswith("the hash of the training tokens is ")
    assert "violations" in result.stderr


def test_verify_shows_the_first_violations(
    run_command: RunCommand, index_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    violations = [f"node {n} is wrong" for n in range(30)]
    monkeypatch.setattr(TrieIndex, "verify", lambda *_: violations)
    result = run_command(radix_verify, str(index_file))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == violations[:10]
    assert "30 violations" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_defaults(run_command: RunCommand, verb: str) -> None:
    result = run_command(main, verb, "--help")
    assert result.exit_code == 0
    assert f"Usage: agpt {verb}" in result.stdout
    if verb not in VERBS_WITHOUT_CHOICES:
        assert "[default: " in result.stdout


def test_the_group_lists_its_verbs(run_command: RunCommand) -> None:
    result = run_command(main)
    assert result.exit_code == 0
    for verb in VERBS:
        assert f"  {verb} " in result.stdout
    assert run_command(main, "--version").exit_code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_killed_process_leaves_a_checkpoint_and_one_line(
    index_file: Path, number: signal.Signals, code: int
) -> None:
    out = index_file.with_name("killed.safetensors")
    command = [sys.executable, "-m", "agpt.cli", "train", str(index_file), *SMALL,
               "--positions-per-step", "200", "--steps", "1000000", "--eval-every", "0",
               "--out", str(out)]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    log = out.with_name("killed.log.jsonl")
    deadline = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert f"stopped by {number.name} after step" in stderr.strip().splitlines()[-1]
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert Model.load(out).n_parameters > 0
    assert steps[-1]["event"] == "stopped"
    assert "Traceback" not in stderr
