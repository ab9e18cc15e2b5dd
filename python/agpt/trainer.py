"""The trainer: optimizer steps of a model on an index or a corpus, evaluation, checkpoints."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from agpt import _engine
from agpt._engine import ArgumentError, Corpus, FormatError, SequenceTrie
from agpt.checkpoint import (
    Tensors,
    TrainingState,
    moment_names,
    read_checkpoint,
    write_checkpoint,
)
from agpt.evaluation import Evaluation, evaluate_with
from agpt.model import Model, named_views
from agpt.step_report import DeviceStatistics, StepReport, described_place
from agpt.step_sources import step_source, window_context
from agpt.text_fingerprint import Hashes
from agpt.token_text import (
    VALIDATION,
    TrainingSource,
    require_same_vocabulary,
    text_of_split,
)
from agpt.train_config import TrainConfig
from agpt.training_data import TrainingData, fingerprint_of_training, training_data_of

StepCallback = Callable[["Trainer", StepReport], object]
"""Called with the trainer and the report after each step; returning True ends the training."""


class Trainer:
    """Trains a model in place; iterating makes the steps that are left and yields their reports."""

    def __init__(
        self,
        model: Model,
        data: TrainingSource,
        config: TrainConfig | None = None,
        backend: str = "cpu",
        dtype: str | None = None,
    ) -> None:
        """Prepares training on `data`; a Corpus serves mode window only, a SequenceTrie mode trie.

        `dtype`, where given, must be the model's. ArgumentError where model and data do not fit.
        """
        self.model = model
        self.data = data
        self.config = TrainConfig() if config is None else config
        self.backend = backend
        self.best_loss: float | None = None
        """Least held-out loss so far, as far as the caller keeps it here; checkpoints carry it."""
        if dtype is not None and dtype != model.dtype:
            raise ArgumentError(
                f"the model holds {model.dtype} numbers, but dtype is {dtype}: "
                f"make the model with dtype={dtype!r}"
            )
        require_same_vocabulary(model.vocabulary, data.vocabulary, model.config.vocab_size)
        self._source = step_source(model, data, self.config)
        self.total_steps = self.config.total_steps(self.steps_per_pass)
        """Steps of the whole run."""
        trainer_class = _engine.Trainer32 if model.dtype == "float32" else _engine.Trainer64
        self._engine = trainer_class(
            model.config.engine_config(),
            self.config.engine_options(self.total_steps, self.steps_per_pass),
            self._source,
            model.parameter_buffer.for_engine(),
            backend,
        )
        self._is_on_device = not self._engine.updates_in_place

    def __iter__(self) -> Iterator[StepReport]:
        """Makes steps until `total_steps` are done."""
        while self.step_count < self.total_steps:
            yield self.step()

    def fit(self, callbacks: Iterable[StepCallback] = ()) -> StepReport | None:
        """Makes the steps that are left, calling each of `callbacks` after each step.

        A callback that returns True ends the training; it may set `lr` and write to the parameters.
        Returns the last report, None where no step was left.
        """
        callbacks = tuple(callbacks)
        report = None
        for report in self:
            answers = [callback(self, report) for callback in callbacks]
            if any(answer is True for answer in answers):
                break
        return report

    def step(self) -> StepReport:
        """One optimizer step.

        NonFiniteError where the loss or the gradient is not finite, and KeyboardInterrupt on
        Ctrl-C; both leave the model as it was before the step.
        """
        self._send_parameters()
        report = StepReport(*self._engine.step().fields())
        if self._is_on_device:
            self.model.parameter_buffer.updated_at(self._engine)
        return report

    def gradients(self) -> tuple[float, Tensors]:
        """Mean loss over the whole pass (nats) and its float64 gradient by parameter; no update."""
        self._send_parameters()
        flat = np.empty(self.model.n_parameters, np.float64)
        loss = self._engine.gradient(flat)
        return loss, named_views(self.model.config, flat)

    def unit(self, step: int) -> dict[str, Any]:
        """What step number `step`, from 1, covers, for people and logs.

        `pass` and `part` count from 1: the pass over the data, and the step of that pass; with a
        curriculum they belong to its `stage`. Where a step is made of units of the trie, `paths`
        has the beginning that all paths of each unit share, as text where there is one, else as
        tokens; at most 16 are listed.
        """
        place = self._source.place(step - 1)
        return described_place(place, self.data.vocabulary, has_stages=bool(self.config.curriculum))

    def last_gradient(self) -> Tensors:
        """The gradient of the last step by parameter, float64, before clipping: of its mean loss.

        The arrays are views of the engine's own buffer, which the next step overwrites; copy what
        should last. Before the first step they are 0.
        """
        return named_views(self.model.config, self._engine.last_gradient)

    def evaluate(
        self,
        split: str = VALIDATION,
        context: int | None = None,
        stride: int | None = None,
        by_depth: bool = False,
    ) -> Evaluation:
        """Mean loss on a part of the data: val, train or all.

        The context is the trained one unless given; windows are disjoint unless `stride` is
        smaller than the context, which lets them overlap and scores every token once. Ends of
        documents are scored if they are trained. `by_depth` also gives the loss apart for each
        number of tokens that the predictions saw.
        """
        self._send_parameters()
        return evaluate_with(
            self._engine,
            self.model,
            text_of_split(self.data, split).with_ends(self.config.document_ends),
            split=split,
            context=self.context if context is None else context,
            stride=stride,
            by_depth=by_depth,
        )

    @property
    def context(self) -> int:
        """Most tokens that a trained prediction sees: the index's depth, or the windows' length."""
        if isinstance(self.data, Corpus) or self.config.mode != "trie":
            return window_context(self.model, self.config)
        return int(self.data.depth)

    def evaluate_sequences(self, sequences: SequenceTrie) -> float:
        """Mean weighted loss (nats) of a tree of sequences, such as one of held-out ones."""
        self._send_parameters()
        require_same_vocabulary(
            self.model.vocabulary, sequences.vocabulary, self.model.config.vocab_size
        )
        whole = TrainConfig(unit="pass", batch_rows=self.config.batch_rows)
        loss, weight = self._engine.evaluate_source(step_source(self.model, sequences, whole))
        return float(loss / weight)

    @property
    def step_count(self) -> int:
        """Steps done."""
        return int(self._engine.step_count)

    @property
    def steps_per_pass(self) -> int:
        """Steps that go once over all data."""
        return int(self._source.steps_per_pass)

    @property
    def pass_positions(self) -> int:
        """Positions of the data; with spread_heavy a pass computes a few per cent more."""
        return int(self._source.pass_positions)

    @property
    def lr(self) -> float:
        """Learning rate of the next step; setting it scales the rest of the schedule alike.

        It holds the factor of the step's units where `unit_lr` gives them one.

        Checkpoints keep what was set. ArgumentError unless it is a positive number, and where the
        schedule has come down to 0.
        """
        return float(self._engine.learning_rate)

    @lr.setter
    def lr(self, rate: float) -> None:
        share = self.lr / self._engine.base_learning_rate
        if share == 0:
            raise ArgumentError(
                f"the schedule {self.config.schedule} is at 0 after step {self.step_count}: "
                "no learning rate can be set"
            )
        self._engine.base_learning_rate = rate / share

    @property
    def backend_description(self) -> str:
        """What computes, for example 'cpu (avx512, float32)'."""
        return str(self._engine.backend_description)

    @property
    def n_workers(self) -> int:
        """Threads whose time the seconds of a step's parts sum up; one feeds a device."""
        return int(self._engine.n_workers)

    @property
    def device_statistics(self) -> DeviceStatistics:
        """What the backend's device did since the trainer was made; zeros without a device."""
        counts = self._engine.device_statistics
        return DeviceStatistics(
            counts.launches,
            counts.graph_launches,
            counts.uploaded_bytes,
            counts.peak_bytes,
            self._engine.joined_rows,
        )

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Writes the model and everything that `resume` needs; the file is replaced in one go."""
        state = TrainingState(
            config=self.config,
            total_steps=self.total_steps,
            step=self.step_count,
            data=self._data_record,
            best_loss=self.best_loss,
            moments=self._moments(),
            base_lr=self._engine.base_learning_rate,
            context=self.context,
            fingerprint=self._fingerprint,
        )
        write_checkpoint(path, self.model.checkpoint(state))

    @classmethod
    def resume(
        cls, path: str | os.PathLike[str], data: TrainingSource, backend: str = "cpu"
    ) -> "Trainer":
        """Continues where a checkpoint stands, with the same bits as a run without interruption.

        ArgumentError where `data` is not what the run was trained on; FormatError where the file
        is no checkpoint of a training run.
        """
        checkpoint = read_checkpoint(path)
        state = checkpoint.training
        if state is None:
            raise FormatError(
                f"checkpoint {path} holds a model without the state of a training run: "
                "train it anew, or name a checkpoint that agpt-train wrote"
            )
        model = Model.from_checkpoint(checkpoint)
        require_same_vocabulary(model.vocabulary, data.vocabulary, model.config.vocab_size)
        if state.data != training_data_of(data, state.config.mode):
            raise ArgumentError(
                f"checkpoint {path} was trained on other data: resume with the index that the "
                "run began with"
            )
        trainer = cls(model, data, state.config, backend)
        trainer._restore(state)
        return trainer

    def _send_parameters(self) -> None:
        """Before the engine computes: the caller may have written to model.parameters().

        In host memory it reads them anew whenever it computes.
        """
        buffer = self.model.parameter_buffer
        if not self._is_on_device:
            buffer.settle()
        elif not buffer.is_newer_at(self._engine):
            buffer.settle()
            self._engine.parameters_changed()

    def _restore(self, state: TrainingState) -> None:
        if state.total_steps != self.total_steps:
            raise ArgumentError(
                f"the checkpoint belongs to a run of {state.total_steps} steps, but these data "
                f"make it {self.total_steps}"
            )
        self._engine.step_count = state.step
        for name, view in self._moments().items():
            view[...] = state.moments[name]
        self.best_loss = state.best_loss
        self._engine.base_learning_rate = state.base_lr
        self._fingerprint = state.fingerprint

    @functools.cached_property
    def _fingerprint(self) -> Hashes:
        return fingerprint_of_training(self.data)

    @functools.cached_property
    def _data_record(self) -> TrainingData:
        return training_data_of(self.data, self.config.mode)

    def _moments(self) -> Tensors:
        """Views of the optimizer's state by moment and parameter."""
        size, moments = self.model.n_parameters, self._engine.moments
        return {
            f"{moment}.{name}": view
            for number, moment in enumerate(moment_names(self.config))
            for name, view in named_views(
                self.model.config, moments[number * size : (number + 1) * size]
            ).items()
        }
