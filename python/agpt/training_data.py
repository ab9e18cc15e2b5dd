"""What a run was trained on, as far as a checkpoint can tell: identity, split, fingerprint."""

import dataclasses
import hashlib

import numpy as np

from agpt._engine import Corpus, SequenceTrie
from agpt.text_fingerprint import Hashes, fingerprint_of
from agpt.token_text import TRAIN, TrainingSource, text_of_split


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What a run was trained on, as far as a file can tell."""

    identity: str
    """Equal for equal data only."""
    val_fraction: float
    """Part of the text that was held out; 0 for a corpus that was trained on whole."""
    split_seed: int
    """Which documents were held out."""
    reverse: bool
    """Whether the text was read backwards."""

    @property
    def text_hash(self) -> str:
        """The hash of the training text, which the identity begins with."""
        return self.identity.partition("-")[0]


def training_data_of(data: TrainingSource, mode: str) -> TrainingData:
    """What tells the data of one run from others: the training text, and for a trie its shape."""
    if isinstance(data, Corpus):
        identity = hashlib.sha256(data.tokens.tobytes()).hexdigest()
        return TrainingData(identity, val_fraction=0.0, split_seed=0, reverse=False)
    if isinstance(data, SequenceTrie):
        return TrainingData(data.hash, val_fraction=0.0, split_seed=0, reverse=False)
    identity = data.hash
    if mode != "window":
        shape = (data.depth, data.n_nodes, data.n_positions, data.total_mass)
        identity = "-".join(str(part) for part in (data.hash, *shape))
    return TrainingData(identity, data.val_fraction, data.split_seed, data.reverse)


def fingerprint_of_training(data: TrainingSource) -> Hashes:
    """The fingerprint of the training text; empty for sequences, which are no text to compare."""
    if isinstance(data, SequenceTrie):
        return np.empty(0, np.uint64)
    return fingerprint_of(text_of_split(data, TRAIN).tokens)
