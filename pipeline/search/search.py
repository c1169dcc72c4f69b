"""Search a run for the people who look like a picture, fit a description, or both."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config.load import check_config
from pipeline.config.schema import ReidConfig, SiteConfig
from pipeline.errors import UserError
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.row_groups import steadily
from pipeline.run_directory.vectors import Matrix
from pipeline.search.found import FoundPerson, SearchResult, Sighting
from pipeline.search.gallery import Gallery, open_gallery
from pipeline.search.likeness import Likeness, joint, unit_rows
from pipeline.search.nearest import products, rows_at
from pipeline.search.networks import SearchModels
from pipeline.search.search_log import Asker, write_entry

#: A person who is less likely than this is not called found.
THRESHOLD = 0.5
#: The number of people that are returned by default.
TOP = 20
MOST_TOP = 1000

# Tracks that are compared exactly at first; more where they are of too few people.
_CANDIDATES = 2_048
# Tracks from which it is learned what all people have in common.
_SAMPLE = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to search for: a description, the bytes of a picture file with its name, or both.

    ``person`` chooses one of several in the picture, counted from the left; 0 is all of it.
    """

    text: str | None = None
    picture: bytes | None = None
    picture_name: str = "the picture"
    person: int | None = None
    top: int = TOP
    threshold: float = THRESHOLD

    def described(self) -> dict[str, object]:
        """What was asked, for the log of searches; of a picture its hash."""
        picture = self.picture and hashlib.sha256(self.picture).hexdigest()
        name = self.picture_name if self.picture is not None else None
        return {"text": self.text, "image": name, "image_sha256": picture, "person": self.person}

    def check(self) -> None:
        """Raise UserError when there is nothing to look for, or a number is out of range."""
        if self.text is None and self.picture is None:
            raise UserError(
                "nothing to search for: give a description (--text) or a picture (--image)"
            )
        if self.person is not None and self.picture is None:
            raise UserError("--person chooses one of the people of a picture: give --image too")
        if not 1 <= self.top <= MOST_TOP:
            raise UserError(f"--top is {self.top}: expected 1 to {MOST_TOP}")
        if not 0 < self.threshold < 1:
            raise UserError(
                f"--threshold is {self.threshold}: expected a probability, above 0 and below 1"
            )


def models_of(run: RunDirectory, model: str | None = None) -> SearchModels:
    """The networks with which a run is searched, those of its configuration but for ``model``.

    Raises UserError for a damaged configuration.
    """
    return SearchModels(config_of(run), model)


def config_of(run: RunDirectory) -> SiteConfig:
    """The configuration of a run. Raises UserError when it is damaged."""
    return check_config(run.config(), str(run.path / "config.yaml"))


def search(
    run: RunDirectory,
    request: Request,
    models: SearchModels,
    asker: Asker,
    *,
    clock: Callable[[], float] = time.time,
    assume_model: bool = False,
) -> SearchResult:
    """The people of a run, or of its selection, who match the request; it is logged.

    Vectors of another network than that of ``models`` are left out; with ``assume_model`` those of
    which no network is known are taken to be its own. Raises UserError for a bad request, a damaged
    run, one without vectors to compare, and when the search cannot be logged.
    """
    log = partial(write_entry, run.path, asker, clock(), request.described(), run.selection)
    try:
        request.check()
        likenesses, unknown = _likenesses(request, models)
        found = search_likeness(
            run, request, models, likenesses, unknown, assume_model=assume_model
        )
    except UserError as error:
        log(refused=str(error))
        raise
    log(found=[person.global_id for person in found.found])
    return found


def search_likeness(
    run: RunDirectory,
    request: Request,
    models: SearchModels,
    likenesses: Sequence[Likeness],
    unknown: Sequence[str] = (),
    *,
    assume_model: bool = False,
) -> SearchResult:
    """The same as `search` of what the networks have made of a request, not logged."""
    return steadily(
        partial(_search, run, request, models, likenesses, list(unknown), assume_model=assume_model)
    )


def _likenesses(request: Request, models: SearchModels) -> tuple[list[Likeness], list[str]]:
    likenesses: list[Likeness] = []
    unknown: list[str] = []
    if request.text is not None:
        words, unknown = models.words(request.text)
        likenesses.append(words)
    if request.picture is not None:
        likenesses.append(models.picture(request.picture, request.picture_name, request.person))
    return likenesses, unknown


def _search(
    run: RunDirectory,
    request: Request,
    models: SearchModels,
    likenesses: Sequence[Likeness],
    unknown: list[str],
    *,
    assume_model: bool,
) -> SearchResult:
    gallery = open_gallery(run)
    ours, notes = _of_model(gallery, models, assume=assume_model)
    people = gallery.people
    likely = _likely(ours, likenesses, people, request.top, config_of(run).reid)
    found = _people(ours, likely)
    return SearchResult(
        run=run,
        text=request.text,
        picture=request.picture_name if request.picture is not None else None,
        found=[one for one in found if one.probability >= request.threshold],
        closest=[one for one in found if one.probability < request.threshold],
        threshold=request.threshold,
        tracks=ours.tracks.height,
        people=people,
        unknown_words=unknown,
        notes=notes,
    )


def _of_model(gallery: Gallery, models: SearchModels, *, assume: bool) -> tuple[Gallery, list[str]]:
    """The tracks with vectors of the network of ``models``, and a note about others."""
    tracks, model = gallery.tracks, pl.col("model")
    kept = tracks.filter((model == models.hash) | (model.is_null() & assume))
    left = tracks.height - kept.height
    if left and kept.is_empty():
        raise _of_another_model(gallery, models)
    notes = (
        [f"{left:,} tracks are left out: their vectors are not of {models.name}."] if left else []
    )
    return Gallery(gallery.run, kept, gallery.owners, gallery.groups), notes


def _of_another_model(gallery: Gallery, models: SearchModels) -> UserError:
    path = gallery.run.path
    again = (
        f"`fusetrack search {path} --embed-again` embeds its thumbnails"
        if gallery.has_pictures()
        else "it has no thumbnails that could be embedded again"
    )
    if gallery.tracks["model"].null_count() == gallery.tracks.height:
        return UserError(
            f"{path} does not say which network made its vectors: an earlier fusetrack recorded "
            f"it, or they came with its detections. Give --model if you know it; or {again}"
        )
    return UserError(
        f"{path} was recorded with another ReID network than {models.name} as it is now: give "
        f"--model the one it was recorded with; or {again}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One part of a request, and all vectors with which it is compared."""

    likeness: Likeness
    matrices: Sequence[Matrix]


def _likely(
    gallery: Gallery,
    likenesses: Sequence[Likeness],
    people: int,
    top: int,
    reid: ReidConfig,
) -> pl.DataFrame:
    """The likeliest people: global_id and probability, the likeliest first, at most ``top``."""
    indices = gallery.tracks["index"].to_numpy()
    if not len(indices):
        return pl.DataFrame(schema={"global_id": pl.Int64, "probability": pl.Float64})
    sides = [_Side(one, [*gallery.vectors(one.column, len(one.vector))]) for one in likenesses]
    scores = _scores(gallery, sides, indices)
    count = _CANDIDATES
    while True:
        some = np.sort(indices[_highest(scores, count)])
        probabilities = _probabilities(gallery, sides, some, people, reid)
        likely = pl.DataFrame({"index": some, "probability": probabilities})
        found = gallery.owners_of(some).join(likely, on="index")
        best = found.group_by("global_id").agg(pl.col("probability").max())
        if best.height >= top or count >= len(scores):
            return best.sort("probability", "global_id", descending=[True, False]).head(top)
        count *= 8


def _highest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The places of the ``count`` highest, in any order."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(scores, len(scores) - count)[-count:]


def _scores(
    gallery: Gallery, sides: Sequence[_Side], indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How similar the tracks at ``indices`` ``(n,)`` are, roughly; any scale."""
    scores = np.zeros(len(indices), np.float32)
    for side in sides:
        sample = rows_at(side.matrices, indices[:: len(indices) // _SAMPLE + 1])
        sample = sample[sample.any(axis=1)]
        if not len(sample):
            raise _without(gallery, side.likeness)
        side.likeness.learn(unit_rows(sample))
        found = products(side.matrices, side.likeness.queries())
        rough = side.likeness.rough(found[indices])
        # Several are compared by how far each is above what is usual.
        scores += (rough - rough.mean()) / max(float(rough.std()), 1e-6)
    return scores


def _without(gallery: Gallery, likeness: Likeness) -> UserError:
    path = gallery.run.path
    if likeness.column == "text_vector":
        return UserError(
            f"{path} was recorded without vectors for words: search with a picture (--image)"
        )
    return UserError(f"{path} has no vectors of {len(likeness.vector)} numbers to compare with")


def _probabilities(
    gallery: Gallery,
    sides: Sequence[_Side],
    indices: NDArray[np.int64],
    people: int,
    reid: ReidConfig,
) -> NDArray[np.float64]:
    """The probability ``(n,)`` of the tracks at sorted ``indices``; 0 for those without vectors."""
    span = gallery.tracks.filter(pl.col("index").is_in(indices)).sort("index")
    # About how many crops a track has; their number is not kept.
    seconds = (span["end"] - span["start"]).to_numpy()
    crops = np.clip(1 + seconds / max(reid.spacing_s, 1e-3), 1, reid.exemplars).astype(np.int64)
    found = []
    for side in sides:
        vectors = rows_at(side.matrices, indices)
        probabilities = side.likeness.probabilities(unit_rows(vectors), crops, people)
        found.append(np.where(vectors.any(axis=1), probabilities, 0.0))
    return joint(found)


def _people(gallery: Gallery, likely: pl.DataFrame) -> list[FoundPerson]:
    parts = gallery.seen(likely["global_id"].to_list())
    pictures = gallery.pictures(parts)
    seen: dict[int, list[Sighting]] = {}
    for global_id, *span in parts.select("global_id", "camera_id", "start", "end").iter_rows():
        seen.setdefault(global_id, []).append(Sighting(*span))
    return [
        FoundPerson(global_id, probability, seen[global_id], pictures.get(global_id))
        for global_id, probability in likely.select("global_id", "probability").iter_rows()
    ]
