"""agpt-generate: a model writes text."""

import random
import time
from pathlib import Path
from typing import Any

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.generation_options import (
    TOKENS_BY_DEFAULT,
    check_chain,
    cut_texts,
    generation_options,
    generation_settings,
)
from agpt.cli.progress import FractionProgress
from agpt.cli.scenario_options import generation_defaults, require_model_of, scenario_option
from agpt.scenarios import Scenario

SEPARATOR = "\n----------\n"


@click.command("agpt-generate", cls=Command)
@click.argument("model", type=INPUT_FILE)
@scenario_option(generation_defaults)
@click.option(
    "--prompt",
    "--input",
    "-i",
    default="",
    show_default="none",
    help="Text that the model continues.",
)
@generation_options
@click.option("-n", "--n-samples", type=int, default=1, show_default=True, help="How many samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the drawing.")
@click.option(
    "--generator",
    type=click.Choice(["engine", "python"]),
    default="engine",
    show_default=True,
    help="What draws: the engine, or Python's random.choices, one sample after the other; without "
    "--seed from where Python's generator stood when it had drawn the weights.",
)
@click.option("--backend", default="cpu", show_default=True, help="What computes.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    model: Path,
    scenario: Scenario | None,
    prompt: str,
    n_samples: int,
    seed: int,
    generator: str,
    backend: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Write text with the model file MODEL; each sample begins with the prompt.

    With --scenario MODEL may be left out, what the model does not know is left out of the prompt,
    and the draws go on, without --seed, where those of the training ended.
    """
    check_chain(context, options)
    if scenario is not None:
        require_model_of(context, scenario, model)
    loaded = Model.load(model)
    most_tokens = TOKENS_BY_DEFAULT
    if scenario is not None:
        prompt = _known_part(loaded, prompt)
        most_tokens = max(1, loaded.config.context - loaded.encode(prompt).size)
        if not _has_given(context, "n_samples") and options["chain"]:
            n_samples = 1
        if not _has_given(context, "seed", "generator") and loaded.generator is not None:
            generator = "python"
    settings = generation_settings(options, most_tokens)
    start = time.perf_counter()
    with FractionProgress("writing") as progress:
        samples = loaded.generate(
            prompt,
            seed=seed,
            n_samples=n_samples,
            backend=backend,
            generator=_python_generator(context, loaded, seed) if generator == "python" else None,
            progress=lambda done: progress.update(done / max(1, settings["max_tokens"])),
            **settings,
        )
    seconds = time.perf_counter() - start
    texts = cut_texts([prompt + sample for sample in samples], options)
    emit(
        as_json,
        {
            "model": str(model),
            "prompt": prompt,
            "samples": [text[len(prompt) :] for text in texts],
            "seed": seed,
            "seconds": seconds,
        }
        | settings,
        _separator_of(loaded, options["chain"]).join(texts),
    )


def _separator_of(model: Model, is_chain: bool) -> str:
    knows_documents = model.vocabulary is not None and model.vocabulary.boundary is not None
    return "\n" if knows_documents and not is_chain else SEPARATOR


def _known_part(model: Model, prompt: str) -> str:
    """A prompt without white space at its ends and without characters the model does not know."""
    prompt = prompt.strip()
    if model.vocabulary is None or model.vocabulary.kind != "char":
        return prompt
    known = set(model.vocabulary.characters)
    unknown = "".join(sorted(set(prompt) - known))
    if unknown:
        click.echo(f"the model does not know {unknown!r}: left out of the prompt", err=True)
    return "".join(character for character in prompt if character in known)


def _has_given(context: click.Context, *names: str) -> bool:
    """Whether the user gave any of these parameters."""
    sources = {context.get_parameter_source(name) for name in names}
    return click.core.ParameterSource.COMMANDLINE in sources


def _python_generator(context: click.Context, model: Model, seed: int) -> random.Random:
    if _has_given(context, "seed"):
        return random.Random(seed)
    if model.generator is None:
        raise click.UsageError(
            "--generator python needs a --seed: Python's generator did not draw the weights of "
            "this model",
            context,
        )
    return model.generator
