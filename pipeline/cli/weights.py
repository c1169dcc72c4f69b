"""`fusetrack weights`: what can be fetched, fetch it, check it."""

import sys
from typing import Annotated

import typer

from pipeline.cli.output import console, say, table_of

weights = typer.Typer(help="Weights and clips of the manifest.", no_args_is_help=True)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of the manifest.")]


@weights.command(name="list")
def list_weights() -> None:
    """Every entry of the manifest, and whether it is here."""
    from pipeline.weights import load_manifest, verify

    table = table_of("name", "kind", "here", "licence", "what")
    for name, entry in load_manifest().items():
        states = {file.state for file in verify([name])}
        here = "yes" if states == {"ok"} else ", ".join(sorted(states - {"ok"}))
        table.add_row(name, entry.kind, here, entry.licence, entry.about)
    console().print(table)


@weights.command()
def pull(names: Names) -> None:
    """Bring entries of the manifest into the cache, verified."""
    from pipeline.weights import pull as pull_weights

    pull_weights(names, say)


@weights.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]")] = None,
) -> None:
    """Check the files in the cache against their hashes; exit code 2 when one is wrong."""
    from pipeline.weights import verify as verify_weights

    states = verify_weights(names or None)
    for file in states:
        typer.echo(f"{file.state:10} {file.name} {file.path}")
    if any(file.state == "wrong hash" for file in states):
        sys.exit(2)


@weights.command()
def path(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """The folder with the verified files of an entry."""
    from pipeline.weights import weights_path

    typer.echo(weights_path(name).parent)
