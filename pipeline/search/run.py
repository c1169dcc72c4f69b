"""A run directory that can be searched."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.run_directory.reader import RunDirectory

if TYPE_CHECKING:
    from pipeline.search.found import SearchResult


class Run(RunDirectory):
    """A run directory, or the part of it in ``selection``, that can be searched.

    Everything else is as of a `RunDirectory`.
    """

    __slots__ = ()

    def search(
        self,
        text: str | None = None,
        image: str | Path | None = None,
        *,
        person: int | None = None,
        top: int = 20,
        threshold: float = 0.5,
        model: str | None = None,
    ) -> "SearchResult":
        """The people who fit a description, look like the person of a picture, or both.

        ``person`` chooses one of several in the picture, counted from the left (0: all of it). Who
        has at least the probability ``threshold`` is ``found``, the likeliest first. ``model``
        names the ReID network of a run that does not name its own. Each search is logged in the
        run directory. Raises UserError for what cannot be searched, or is declined.

        Example:
            >>> for person in Run("runs/monday").search("red jacket, backpack").found:
            ...     print(person.global_id, person.probability, person.cameras)
        """
        from pipeline.search import audit
        from pipeline.search.picture import read_file
        from pipeline.search.search import Request, models_of, search

        picture = None if image is None else read_file(Path(image))
        request = Request(text, picture, str(image), person, top, threshold)
        asker = audit.user("python")
        return search(self, request, models_of(self, model), asker, assume_model=model is not None)
