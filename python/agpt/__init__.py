"""agpt trains small transformers exactly, on the prefix trie of a corpus.

This module holds the public names and nothing else.
"""

from agpt._engine import (
    ArgumentError,
    Corpus,
    DeviceError,
    Error,
    FormatError,
    MemoryCapError,
    NonFiniteError,
    SequenceTrie,
    TrieIndex,
    TrieNode,
    Vocabulary,
)
from agpt._engine import version as __version__
from agpt.data.sequences import read_sequences
from agpt.evaluation import Evaluation
from agpt.memorisation import Memorisation, memorisation
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.step_report import StepReport
from agpt.synthesis import Synthesis, synthesize
from agpt.train_config import TrainConfig
from agpt.trainer import Trainer

__all__ = [
    "ArgumentError",
    "Corpus",
    "DeviceError",
    "Error",
    "Evaluation",
    "FormatError",
    "Memorisation",
    "MemoryCapError",
    "Model",
    "ModelConfig",
    "NonFiniteError",
    "SequenceTrie",
    "StepReport",
    "Synthesis",
    "TrainConfig",
    "Trainer",
    "TrieIndex",
    "TrieNode",
    "Vocabulary",
    "__version__",
    "memorisation",
    "read_sequences",
    "synthesize",
]
