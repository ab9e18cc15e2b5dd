"""agpt-generate: a model writes text."""

import random
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit, has_given, refuse_given
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
from agpt.data.texts import TextFiles
from agpt.scenarios import Scenario

SEED_BITS = 32
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
@click.option(
    "--prompts",
    "prompts_file",
    type=INPUT_FILE,
    metavar="FILE",
    help="Continue each line of this text that is not empty, one after the other.",
)
@generation_options
@click.option("-n", "--n-samples", type=int, default=1, show_default=True, help="How many samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the drawing.")
@click.option("--no-seed", is_flag=True, help="Draw another text each time; --json has the seed.")
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
    prompts_file: Path | None,
    n_samples: int,
    seed: int,
    no_seed: bool,
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
    prompts = _prompts_of(context, prompt, prompts_file)
    if scenario is not None:
        require_model_of(context, scenario, model)
    loaded = Model.load(model)
    if scenario is not None:
        prompts = [_known_part(loaded, text) for text in prompts]
        generator = _generator_of_scenario(context, loaded, generator)
        if options["chain"] and not has_given(context, "n_samples"):
            n_samples = 1
    if no_seed:
        refuse_given(context, ("seed",), "and --no-seed say two things: give one of them")
        seed = secrets.randbits(SEED_BITS)
    draws = _python_generator(context, loaded, seed) if generator == "python" else None
    shared = {"seed": seed, "n_samples": n_samples, "backend": backend, "generator": draws}
    start = time.perf_counter()
    written = [
        _continue(loaded, text, options, shared, fits_context=scenario is not None)
        for text in prompts
    ]
    values: dict[str, Any] = {
        "model": str(model),
        "generator": generator,
        "seed": None if draws is not None and draws is loaded.generator else seed,
        "seconds": time.perf_counter() - start,
    }
    values |= written[0] if prompts_file is None else {"results": written}
    texts = [result["prompt"] + sample for result in written for sample in result["samples"]]
    emit(as_json, values, _separator_of(loaded, texts).join(texts))


def _prompts_of(context: click.Context, prompt: str, file: Path | None) -> list[str]:
    if file is None:
        return [prompt]
    refuse_given(context, ("prompt",), "and --prompts say the same: give one of the two")
    lines = TextFiles((str(file),)).documents()
    if prompts := [line.strip() for line in lines if line.strip()]:
        return prompts
    raise click.UsageError(f"{file} has no prompt: each line that is not empty is one", context)


def _continue(
    model: Model,
    prompt: str,
    options: dict[str, Any],
    shared: dict[str, Any],
    fits_context: bool,
) -> dict[str, Any]:
    """The samples of a prompt with the settings that they were drawn with."""
    room = max(1, model.config.context - model.encode(prompt).size)
    settings = generation_settings(options, room if fits_context else TOKENS_BY_DEFAULT)
    with FractionProgress("writing") as progress:
        samples = model.generate(
            prompt,
            progress=lambda done: progress.update(done / max(1, settings["max_tokens"])),
            **settings,
            **shared,
        )
    texts = cut_texts([prompt + sample for sample in samples], options)
    return {"prompt": prompt, "samples": [text[len(prompt) :] for text in texts]} | settings


def _separator_of(model: Model, texts: Sequence[str]) -> str:
    """A line end between documents of one line each, else a line that stands out."""
    knows_documents = model.vocabulary is not None and model.vocabulary.boundary is not None
    are_lines = not any("\n" in text for text in texts)
    return "\n" if knows_documents and are_lines else SEPARATOR


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


def _generator_of_scenario(context: click.Context, model: Model, generator: str) -> str:
    """What draws where the user says nothing: what drew the weights, from where it stands."""
    if model.generator is None or has_given(context, "seed", "no_seed", "generator"):
        return generator
    return "python"


def _python_generator(context: click.Context, model: Model, seed: int) -> random.Random:
    if has_given(context, "seed", "no_seed"):
        return random.Random(seed)
    if model.generator is None:
        raise click.UsageError(
            "--generator python needs a --seed: Python's generator did not draw the weights of "
            "this model",
            context,
        )
    return model.generator
