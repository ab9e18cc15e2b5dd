"""Figures about texts and models that explain a result or find a fault.

This module holds the public names and nothing else.
"""

from agpt.diagnostics.backward_posterior import (
    BackwardPosterior,
    PosteriorSummary,
    Spread,
    backward_posterior,
)
from agpt.diagnostics.convergence import (
    DepthAgreement,
    SharedPaths,
    compare_halves,
    compare_texts,
    interleaved_halves,
)
from agpt.diagnostics.model_weights import ModelWeights, read_model_weights
from agpt.diagnostics.weight_changes import TensorChange, compare_weights

__all__ = [
    "BackwardPosterior",
    "DepthAgreement",
    "ModelWeights",
    "PosteriorSummary",
    "SharedPaths",
    "Spread",
    "TensorChange",
    "backward_posterior",
    "compare_halves",
    "compare_texts",
    "compare_weights",
    "interleaved_halves",
    "read_model_weights",
]
