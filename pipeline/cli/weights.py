"""`fusetrack weights`: list, download and verify weights."""

import sys
from typing import Annotated

import typer

from pipeline.cli.output import console, say, table_of

weights = typer.Typer(help="Download and verify weights and demo clips.", no_args_is_help=True)

Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Names from `fusetrack weights list`.")
]


@weights.command(name="list")
def list_weights() -> None:
    """List every entry of the manifest, and whether it is installed."""
    from pipeline.weights import load_manifest, verify

    table = table_of("name", "kind", "installed", "licence", "description")
    for name, entry in load_manifest().items():
        states = {file.state for file in verify([name])}
        installed = "yes" if states == {"ok"} else ", ".join(sorted(states - {"ok"}))
        table.add_row(name, entry.kind, installed, entry.licence, entry.about)
    console().print(table)


@weights.command()
def pull(names: Names) -> None:
    """Download entries of the manifest into the cache and verify them."""
    from pipeline.weights import pull as pull_weights

    pull_weights(names, say)


@weights.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]")] = None,
) -> None:
    """Verify the hashes of the files in the cache; exit code 2 if one is wrong."""
    from pipeline.weights import verify as verify_weights

    states = verify_weights(names or None)
    for file in states:
        typer.echo(f"{file.state:10} {file.name} {file.path}")
    if any(file.state == "wrong hash" for file in states):
        sys.exit(2)


@weights.command()
def path(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print the folder with the verified files of an entry."""
    from pipeline.weights import weights_path

    typer.echo(weights_path(name).parent)
