"""The model: its parameters in one flat buffer, logits, generation, saving and loading."""

import contextlib
import math
import os
import random
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError, Vocabulary
from agpt.checkpoint import (
    DTYPES,
    Checkpoint,
    Tensors,
    TrainingState,
    read_checkpoint,
    write_checkpoint,
)
from agpt.model_config import ModelConfig
from agpt.parameter_buffer import ParameterBuffer
from agpt.python_random import draw_parameters
from agpt.token_text import continuation_text
from agpt.validation import require_at_least, require_choice, require_seed

TokenArray = npt.NDArray[np.uint32]
LARGEST_TOKEN = 2**31 - 1
LARGEST_KEPT_ENGINE = 64 << 20
"""Bytes that the engine of a model may take to be kept between calls."""
ROWS_AT_WORK = 16
"""Samples that the engine writes side by side on a CPU where they are large: each has a context."""


class Model:
    """A transformer with its parameters.

    `vocabulary` (of a Corpus or a TrieIndex) is what turns text into tokens; without one the model
    speaks tokens only.
    """

    def __init__(
        self,
        config: ModelConfig,
        seed: int = 0,
        dtype: str = "float32",
        *,
        vocabulary: Vocabulary | None = None,
        generator: random.Random | None = None,
    ) -> None:
        """Initialises the parameters as `config.init` says, from `seed`.

        With `generator` its draws are taken in place of the seed's, in the order of scripts that
        use Python's random module (agpt.python_random), and it stays with the model.
        """
        require_choice("dtype", dtype, DTYPES)
        require_seed(seed)
        if vocabulary is not None and vocabulary.size != config.vocab_size:
            raise ArgumentError(
                f"the vocabulary has {vocabulary.size} tokens, but the model has "
                f"{config.vocab_size}: make the model with vocab_size={vocabulary.size}"
            )
        self.config = config
        self.dtype = dtype
        self.vocabulary = vocabulary
        self.parameter_buffer = ParameterBuffer(config.n_parameters, dtype)
        """Where the parameters are, for trainers."""
        _engine.initialise_parameters(
            config.engine_config(), seed, self.parameter_buffer.for_engine()
        )
        self.generator = generator
        """What drew the parameters, if it was Python's; checkpoints keep its state."""
        if generator is not None:
            draw_parameters(config.engine_config(), generator, self.parameters())

    @property
    def n_parameters(self) -> int:
        """How many numbers the model learns."""
        return self.parameter_buffer.size

    @property
    def flat_parameters(self) -> npt.NDArray[Any]:
        """All parameters, one tensor after the other: what trainers update in place."""
        return self.parameter_buffer.lend()

    @flat_parameters.setter
    def flat_parameters(self, values: npt.NDArray[Any]) -> None:
        self.parameter_buffer.lend()[...] = values

    def parameters(self) -> Tensors:
        """Name -> array of every parameter; writing to an array changes the model."""
        return named_views(self.config, self.flat_parameters)

    def logits(
        self, text: str | Sequence[int] | npt.NDArray[Any], *, backend: str = "cpu"
    ) -> npt.NDArray[Any]:
        """Logits (tokens, vocabulary) of a text or tokens; row i predicts what follows token i."""
        with self._inference(backend) as inference:
            logits: npt.NDArray[Any] = inference.logits(self._tokens_of(text))
        return logits

    def stages(
        self, text: str | Sequence[int] | npt.NDArray[Any], backend: str = "reference"
    ) -> Tensors:
        """Every stage of the forward pass of a text or tokens, by name and in order.

        Each is an array (tokens, columns) of the model's dtype: `embedding`; `embedding_norm`
        where the model has one; of block i `blocks.i.norm1`, `.attention.qkv` (the columns of the
        queries, the keys and the values, rotated where positions are), `.attention.heads` (the
        heads' outputs side by side), `.after_attention` (with the residual), `.norm2`, `.mlp.up`
        (before the activation; not for relu, which works in place), `.mlp.hidden`, `.after_mlp`;
        `final_norm` where the model has one; `logits`. The reference backend is slow and exact.
        """
        with self._inference(backend) as inference:
            stages: Tensors = inference.stages(self._tokens_of(text))
        return stages

    def generate(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        repetition_window: int = 32,
        chain_context: int | None = None,
        seed: int = 0,
        n_samples: int = 1,
        stop_at_end: bool = True,
        backend: str = "cpu",
        progress: Callable[[int], None] | None = None,
        generator: random.Random | None = None,
    ) -> list[str]:
        """New text of each sample, without the prompt.

        Where the model knows documents, the prompt is the beginning of one, behind a boundary.
        Otherwise an empty prompt starts a line. The settings of the drawing are those of
        `generate_tokens`. With `chain_context` a text is a chain of contexts: each begins as
        a document does, with the last so many tokens (at least 1) of the one before; 0 is half a
        context; and no document ends. Otherwise ends of documents in a sample that does not stop
        there are new lines.
        """
        vocabulary = self._text_vocabulary("to generate text")
        prompt_tokens = self._prompt_tokens(prompt)
        samples = self.generate_tokens(
            prompt_tokens,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            repetition_window=repetition_window,
            reread_tokens=chain_context or 0,
            restart_token=None if chain_context is None else vocabulary.boundary,
            excluded_token=None if chain_context is None else vocabulary.boundary,
            seed=seed,
            n_samples=n_samples,
            stop_token=vocabulary.boundary if stop_at_end else None,
            backend=backend,
            progress=progress,
            generator=generator,
        )
        return [continuation_text(vocabulary, prompt_tokens, sample) for sample in samples]

    def generate_tokens(
        self,
        prompt: Sequence[int] | npt.NDArray[Any],
        *,
        max_tokens: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        repetition_window: int = 32,
        reread_tokens: int = 0,
        restart_token: int | None = None,
        excluded_token: int | None = None,
        seed: int = 0,
        n_samples: int = 1,
        stop_token: int | None = None,
        backend: str = "cpu",
        progress: Callable[[int], None] | None = None,
        generator: random.Random | None = None,
    ) -> list[TokenArray]:
        """New tokens of each sample, without the prompt; a sample ends before `stop_token`.

        Of the logits `l`, first those of the last `repetition_window` tokens (the prompt's
        included) become `l / repetition_penalty` where positive and `l * repetition_penalty`
        elsewhere, once for each time that the token is there. Then the token is drawn from
        `softmax(l / temperature)`, or is the most probable one for temperature 0. `top_k` keeps the
        k most probable tokens and those as probable as the last of them, `top_p` of what is left
        the fewest most probable ones that together have this share; what remains is normalised.
        The defaults leave the softmax as it is. `excluded_token` is never drawn.

        When the context is full, it begins anew with the last `reread_tokens` of the text (0:
        half a context) behind `restart_token`. The same seed gives the same tokens.

        With `generator` the samples are made one after the other, each token from its next
        random(): the tokens that random.choices gives. Otherwise they are made side by side.
        """
        require_seed(seed)
        tokens = self._tokens_of(prompt)
        options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "repetition_penalty": repetition_penalty,
            "repetition_window": repetition_window,
            "reread_tokens": reread_tokens,
            "restart_token": -1 if restart_token is None else restart_token,
            "excluded_token": -1 if excluded_token is None else excluded_token,
            "stop_token": -1 if stop_token is None else stop_token,
            "seed": seed,
            "progress": progress,
        }
        with self._inference(backend) as inference:
            if generator is None:
                samples: list[TokenArray] = inference.generate(
                    tokens, n_samples=n_samples, **options
                )
                return samples
            require_at_least("n_samples", n_samples, 1)
            uniform = generator.random
            return [
                sample
                for _ in range(n_samples)
                for sample in inference.generate(tokens, uniform=uniform, **options)
            ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint without a training state."""
        write_checkpoint(path, self.checkpoint())

    def checkpoint(self, training: TrainingState | None = None) -> Checkpoint:
        """What a file keeps of the model, and of the run that trains it."""
        return Checkpoint(
            self.config, self.dtype, self.parameters(), self.vocabulary, training, self.generator
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """Reads the model of a checkpoint, with or without a training state."""
        return cls.from_checkpoint(read_checkpoint(path))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> "Model":
        """The model of a checkpoint that was read already."""
        model = cls(
            checkpoint.model_config, dtype=checkpoint.dtype, vocabulary=checkpoint.vocabulary
        )
        for name, view in model.parameters().items():
            view[...] = checkpoint.parameters[name]
        model.generator = checkpoint.generator
        return model

    def encode(self, text: str) -> TokenArray:
        """Tokens of a text; ArgumentError names a character that the model does not know."""
        tokens = self._text_vocabulary("to read text").encode(text)
        return np.ascontiguousarray(tokens, np.uint32)

    def _text_vocabulary(self, purpose: str) -> Vocabulary:
        if self.vocabulary is None or self.vocabulary.kind == "tokens":
            raise ArgumentError(f"the model has no vocabulary {purpose}: use tokens instead")
        return self.vocabulary

    def _tokens_of(self, text: str | Sequence[int] | npt.NDArray[Any]) -> TokenArray:
        if isinstance(text, str):
            return self.encode(text)
        tokens = np.asarray(text)
        if tokens.ndim != 1 or (tokens.size > 0 and tokens.dtype.kind not in "iu"):
            raise ArgumentError("tokens must be a list or a one-dimensional array of whole numbers")
        if tokens.size > 0 and (tokens.min() < 0 or tokens.max() > LARGEST_TOKEN):
            raise ArgumentError(f"tokens must be from 0 to {LARGEST_TOKEN}")
        return np.ascontiguousarray(tokens, np.uint32)

    def _prompt_tokens(self, prompt: str) -> TokenArray:
        boundary = self._text_vocabulary("to generate text").boundary
        if boundary is None:
            return self.encode(prompt) if prompt else self._first_token()
        return np.concatenate([np.array([boundary], np.uint32), self.encode(prompt)])

    def _first_token(self) -> TokenArray:
        """What an empty prompt stands for without documents: the end of a line, else token 0."""
        vocabulary = self._text_vocabulary("to generate text")
        if vocabulary.kind == "char" and "\n" not in vocabulary.characters:
            return np.zeros(1, np.uint32)
        new_line = self.encode("\n")  # of which a tokenizer may make nothing
        return new_line if new_line.size > 0 else np.zeros(1, np.uint32)

    @contextlib.contextmanager
    def _inference(self, backend: str) -> Iterator[Any]:
        """The engine at work on a copy of the parameters as they are now.

        A small one on a CPU is kept for the next call, with its memory: making it anew can take as
        long as a short text. Calls of several threads at a time have one each.
        """
        kept, key = _idle_engines.setdefault(self, {}), (backend, self.config)
        inference = kept.pop(key, None)
        parameters = self.parameter_buffer.for_engine()
        if inference is None:
            engine_class = _engine.Inference32 if self.dtype == "float32" else _engine.Inference64
            inference = engine_class(self.config.engine_config(), parameters, backend)
        else:
            inference.set_parameters(parameters)
        yield inference
        context_row = 3 * self.config.d_model * self.config.n_layers
        numbers = 4 * self.n_parameters + ROWS_AT_WORK * self.config.context * context_row
        if backend.startswith("cpu") and numbers * parameters.itemsize <= LARGEST_KEPT_ENGINE:
            kept[key] = inference


_idle_engines: weakref.WeakKeyDictionary[Model, dict[tuple[str, ModelConfig], Any]] = (
    weakref.WeakKeyDictionary()
)


def named_views(config: ModelConfig, flat: npt.NDArray[Any]) -> Tensors:
    """The parts of a flat buffer by parameter, as views with the parameters' shapes."""
    layout = _engine.parameter_layout(config.engine_config())
    return {
        name: flat[offset : offset + math.prod(shape)].reshape(shape)
        for name, offset, shape in layout
    }
