"""Whether a text that is to be scored was trained on: results on such a text say little.

A checkpoint of a training run has a fingerprint of its training text (text_fingerprint). A text of
which more than a tenth was in the training text is refused unless its score is asked for as that of
a training text. The held-out part of the very text that the run was made on is never refused: what
it shares with the rest, it shares by nature.
"""

from agpt._engine import ArgumentError, SequenceTrie
from agpt.checkpoint import TrainingState
from agpt.text_fingerprint import Overlap, overlap
from agpt.token_text import TRAIN, VALIDATION, TokenText

MOST_SEEN = 0.1


def seen_in_training(text: TokenText, state: TrainingState | None) -> Overlap | None:
    """How much of a text was trained on; None without a training state, or for short texts."""
    return None if state is None else overlap(text.tokens, state.fingerprint)


def refuse_seen(
    seen: Overlap | None, split: str, state: TrainingState | None, training_hash: str | None
) -> None:
    """Raises ArgumentError for a text that was trained on, unless `split` says that it is one.

    training_hash: of the index whose part the text is, None for a text without a split.
    """
    if seen is None or state is None or seen.share <= MOST_SEEN or split == TRAIN:
        return
    if split == VALIDATION and training_hash == state.data.text_hash:
        return
    raise ArgumentError(
        f"{seen.share:.0%} of this text was in the text that the model was trained on, so its "
        "score would say little about new text: name another text, or score it as training text "
        "with --split train (of a --corpus, all of it with --val-fraction 0)"
    )


def refuse_seen_sequences(sequences: SequenceTrie, split: str, state: TrainingState | None) -> None:
    """Raises ArgumentError for the very sequences that were trained on, unless `split` says so."""
    if state is not None and sequences.hash == state.data.text_hash and split != TRAIN:
        raise ArgumentError(
            "the model was trained on these very sequences, so their score would say little about "
            "new ones: name held-out ones, or score them as training data with --split train"
        )
