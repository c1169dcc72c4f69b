"""`fusetrack search`: find people by a description, a picture, or both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.output import console, say, table_of
from pipeline.cli.results import CamerasOption, RunArgument, SinceOption, UntilOption
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.pictures.clock import Clock
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.search.found import FoundPerson, SearchResult


def search(
    run: RunArgument,
    text: Annotated[
        str | None, typer.Option(help="What the person wears and carries, in English.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture of the person.")] = None,
    person: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The N-th person of the picture, from the left; 0: all of it."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Maximum number of people.")] = 20,
    threshold: Annotated[float, typer.Option(help="Minimum probability of a person.")] = 0.5,
    closest: Annotated[
        bool, typer.Option("--closest", help="Also show the closest below the threshold.")
    ] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    model: Annotated[
        str | None, typer.Option(help="The ReID network of a run that does not name it.")
    ] = None,
    embed_again: Annotated[
        bool,
        typer.Option("--embed-again", help="First embed the thumbnails of a run that has ended."),
    ] = False,
) -> None:
    """Find people in a run by a description, a picture, or both.

    Each search is logged in RUN/searches.jsonl.
    """
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.run_directory.selection import selection_of
    from pipeline.search import search_log
    from pipeline.search.query_picture import read_file
    from pipeline.search.search import Request, models_of
    from pipeline.search.search import search as search_run

    directory = RunDirectory(run, selection_of(since, until, camera))
    models = models_of(directory, model)
    if embed_again:
        _embed_again(directory, models)
        if text is None and image is None:
            return
    request = Request(
        text=text,
        picture=None if image is None else read_file(image),
        picture_name=str(image),
        person=person,
        top=top,
        threshold=threshold,
    )
    result = search_run(
        directory,
        request,
        models,
        search_log.user("command line"),
        assume_model=model is not None,
    )
    if as_json:
        typer.echo(json.dumps(_as_json(result, closest=closest)))
    else:
        _show(result, closest=closest)
    for remark in result.remarks():
        say(remark)
    if html is not None:
        from pipeline.report.search_page import write_search_page

        write_search_page(result, html, closest=closest)
        say(f"wrote {html}")


def _embed_again(run: RunDirectory, models: Any) -> None:
    from pipeline.search.embedding_again import embed_again

    if not run.selection.is_everything:
        raise UserError("--embed-again embeds a whole run: omit --since, --until and --camera")
    done, left = embed_again(run, models)
    without = f"; {left:,} tracks have none and keep their vectors" if left else ""
    say(f"embedded {done:,} thumbnails with {models.name}{without}")


def _show(result: SearchResult, *, closest: bool) -> None:
    from pipeline.search.found import clock_of

    typer.echo(result.verdict())
    clock, out = clock_of(result.run), console()
    if result.found:
        out.print(_table("found", result.found, clock))
    if closest and result.closest:
        out.print(_table(f"closest, below {result.threshold:g}", result.closest, clock))


def _table(title: str, people: list[FoundPerson], clock: Clock) -> Any:
    table = table_of("id", "probability", "cameras", "tracks", "from", "to", "picture", title=title)
    for person in people:
        table.add_row(
            str(person.global_id),
            f"{person.probability:.2f}",
            ", ".join(person.cameras),
            str(len(person.seen)),
            clock.moment(person.start),
            clock.moment(person.end),
            person.picture or "",
        )
    return table


def _as_json(result: SearchResult, *, closest: bool) -> dict[str, object]:
    found = {"found": [_person(person) for person in result.found]}
    if closest:
        found["closest"] = [_person(person) for person in result.closest]
    return {
        "run": str(result.run.path),
        "text": result.text,
        "image": result.picture,
        "verdict": result.verdict(),
        "threshold": result.threshold,
        "tracks": result.tracks,
        "people": result.people,
        **found,
        "unknown_words": result.unknown_words,
        "notes": result.notes,
    }


def _person(person: FoundPerson) -> dict[str, object]:
    return {
        "global_id": person.global_id,
        "probability": round(person.probability, 4),
        "cameras": person.cameras,
        "start": person.start,
        "end": person.end,
        "picture": person.picture,
        "seen": [
            {"camera_id": one.camera_id, "start": one.start, "end": one.end} for one in person.seen
        ],
    }
