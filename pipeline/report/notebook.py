"""What a notebook shows of a run: its cameras, and its people with a picture of each."""

from functools import partial

from pipeline.pictures.clock import Clock
from pipeline.report.page import data_uri, templates
from pipeline.report.summary import summarise
from pipeline.run_directory.reader import RunDirectory

# The report has the others.
_MOST_PEOPLE = 20


def overview(run: RunDirectory) -> str:
    """A table of the people seen first, as HTML without a script."""
    summary = summarise(run)
    people = sorted(summary.people, key=lambda person: (person.start, person.global_id))
    environment = templates(Clock(summary.clock.start, summary.clock.end))
    environment.filters["data_uri"] = partial(data_uri, run.path)
    return environment.get_template("notebook.html.jinja").render(
        summary=summary, people=people[:_MOST_PEOPLE], name=run.path.name
    )
