"""What agpt-train trains on and evaluates on: an index, texts, or sequences."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agpt import SequenceTrie, TrainConfig, TrieIndex, Vocabulary
from agpt.cli.conventions import refuse_given
from agpt.cli.data_options import INDEX_OPTIONS, one_index, open_index
from agpt.cli.index_inputs import build_index
from agpt.cli.sequence_options import SEQUENCES, check_sequence_options, read_sequence_trees

DEPTH_BY_DEFAULT = 32
DEPTH_FOR_WINDOWS = 1  # windows read the tokens only, so the smallest index serves


@dataclasses.dataclass(frozen=True)
class TrainingInput:
    """What a run reads: an index holds its held-out part, sequences have others beside them."""

    data: TrieIndex | SequenceTrie
    held_out_sequences: SequenceTrie | None = None

    @property
    def has_held_out(self) -> bool:
        """Whether there is something to evaluate on."""
        if isinstance(self.data, SequenceTrie):
            return self.held_out_sequences is not None
        return self.data.held_out.size > 0

    @property
    def depth(self) -> int:
        """The least context of a model that reads all of it."""
        held_out = self.held_out_sequences
        return max(self.data.depth, 0 if held_out is None else held_out.depth)


def check_input_options(
    context: click.Context, data: Sequence[Path], options: dict[str, Any]
) -> None:
    """Refuses options that have no effect on `data`; `options` are all of the command's."""
    check_sequence_options(context, data, options)
    if (index_file := one_index(data)) is not None:
        reason = f"has no effect: {index_file} is an index already"
        refuse_given(context, ("depth", *INDEX_OPTIONS), reason)


def read_input(
    data: Sequence[Path],
    config: TrainConfig,
    options: dict[str, Any],
    *,
    model_context: int | None,
    vocabulary: Vocabulary | None,
) -> TrainingInput:
    """Reads `data`; a resumed run gives the context and the vocabulary of its model."""
    if options[SEQUENCES]:
        return TrainingInput(*read_sequence_trees(data, options, vocabulary))
    if (index_file := one_index(data)) is not None:
        return TrainingInput(open_index(index_file))
    depth = options["depth"]
    if config.mode == "window" and config.window_targets == "text":
        depth = DEPTH_FOR_WINDOWS
    elif depth is None:
        depth = DEPTH_BY_DEFAULT if model_context is None else model_context
    build_options = {name: options[name] for name in INDEX_OPTIONS}
    return TrainingInput(build_index(data, depth=depth, threads=config.threads, **build_options))
