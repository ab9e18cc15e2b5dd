"""agpt-download: a public text comes to the disk, checked; no other command uses the network."""

from pathlib import Path

import click

from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.progress import FractionProgress
from agpt.cli.scenario_options import FOLDER_VARIABLE
from agpt.data_sets import DATA_SETS, fetch


@click.command("agpt-download", cls=Command)
@click.argument("name", type=click.Choice(list(DATA_SETS)))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    envvar=FOLDER_VARIABLE,
    show_envvar=True,
    show_default="the current one",
    help="The folder of data; the text goes where scenarios look for it below.",
)
@click.option(
    "--url", show_default="where it is public", help="Another place that has the same bytes."
)
@common_options
def command(name: str, folder: Path, url: str | None, as_json: bool) -> None:
    """Fetch a public text, and prove by its SHA-256 that it is the one that scenarios mean.

    A fetch that broke off goes on where it stopped when the command is run again.
    """
    data_set = DATA_SETS[name]
    with FractionProgress("fetching") as progress:
        fetched = fetch(data_set, folder, url, progress.update)
    path = folder / data_set.path
    values = {
        "name": name,
        "path": str(path),
        "bytes": data_set.n_bytes,
        "sha256": data_set.sha256,
        "url": data_set.url if url is None else url,
        "fetched": fetched is not None,
    }
    done = "was there already" if fetched is None else "fetched and checked"
    emit(as_json, values, f"{path}: {data_set.n_bytes:,} bytes, {done}")
