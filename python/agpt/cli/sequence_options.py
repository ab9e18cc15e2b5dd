"""The options of agpt-train for sequences, and reading the tree that they describe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import SequenceTrie, Vocabulary
from agpt.cli.conventions import refuse_given, with_options
from agpt.cli.data_options import INDEX_OPTIONS, INPUT_FILE, one_index
from agpt.cli.index_inputs import require_readable
from agpt.cli.progress import FractionProgress
from agpt.data.reading import ByteCounter
from agpt.data.sequence_lines import SequenceLine, read_sequence_lines
from agpt.data.sequences import sequence_tree, split_lines, vocabulary_of

Function = TypeVar("Function", bound=Callable[..., Any])

PREFIX = "sequence_"
SEQUENCES, PROMPTS, VALIDATION = f"{PREFIX}lines", f"{PREFIX}prompts", f"{PREFIX}val"
OF_ALL_DATA = ("tokenizer", "val_fraction")
OF_THE_INDEX = ("depth", *(name for name in INDEX_OPTIONS if name not in OF_ALL_DATA))
OF_WINDOWS = (
    "train_windows_per_step",
    "train_window_targets",
    "train_window_order",
    "train_context",
    "train_stride",
    "eval_context",
)


def sequence_options(function: Function) -> Function:
    """Adds the options; the function takes them with the prefix `sequence_`."""
    return with_options(
        function,
        click.option(
            "--sequences",
            SEQUENCES,
            is_flag=True,
            help="DATA are JSON lines of prompts with completions, texts or tokens, with "
            "weights: train on the tree of these sequences.",
        ),
        click.option(
            "--train-prompts",
            PROMPTS,
            is_flag=True,
            help="Predict the tokens of prompts too; they are context alone otherwise.",
        ),
        click.option(
            "--val",
            VALIDATION,
            type=INPUT_FILE,
            show_default="the part of DATA that --val-fraction says",
            help="JSON lines of held-out sequences.",
        ),
    )


def check_sequence_options(
    context: click.Context, data: Sequence[Path], options: dict[str, Any]
) -> None:
    """Refuses what does not go together with sequences, or without them."""
    if not options[SEQUENCES]:
        refuse_given(context, (PROMPTS, VALIDATION), "is for sequences: add --sequences")
        return
    if (index := one_index(data)) is not None:
        raise click.UsageError(f"--sequences reads JSON lines, but {index} is an index", context)
    refuse_given(context, OF_THE_INDEX, "has no effect on sequences: they make no index")
    refuse_given(context, OF_WINDOWS, "is for windows of text: sequences are trained on whole")
    if options[VALIDATION] is not None:
        refuse_given(context, ("val_fraction",), "cannot be given with --val: one holds out")


def read_sequence_trees(
    data: Sequence[Path], options: dict[str, Any], vocabulary: Vocabulary | None
) -> tuple[SequenceTrie, SequenceTrie | None]:
    """The sequences to train on and those held out; `vocabulary` is that of a resumed model."""
    lines = _read_lines(data)
    if vocabulary is None:
        vocabulary = vocabulary_of(lines, options["tokenizer"])
    if options[VALIDATION] is not None:
        held_out = _read_lines([options[VALIDATION]])
    else:
        lines, held_out = split_lines(lines, options["val_fraction"])
    tree = sequence_tree(lines, vocabulary, options[PROMPTS])
    if not held_out:
        return tree, None
    return tree, sequence_tree(held_out, vocabulary, options[PROMPTS])


def _read_lines(paths: Sequence[Path]) -> list[SequenceLine]:
    require_readable(paths)
    with FractionProgress("reading") as progress:
        count = ByteCounter([str(path) for path in paths], progress.update).add
        return list(read_sequence_lines(paths, count))
