"""The people of a report: where each was, from when to when, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.run_directory.people_table import mean_confidence
from pipeline.run_directory.reader import RunDirectory

_PICTURES_PER_VISIT = 4
_PICTURES_PER_PAGE = 1500
# No person walks past a camera in less; one so short and never confirmed is often a false track.
_BRIEF_S = 1.0
# Below this it is more likely than not another person.
_UNSURE = 0.5

# Views that see a person together for more than this share of the later stay overlap there.
_TOGETHER = 0.5

#: global_id, camera_id
Key = tuple[int, str]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in one camera.

    ``stays`` are (start, end) in seconds UTC. ``pictures`` are the paths of the best thumbnails,
    relative to the run directory; ``kept`` is the number of all thumbnails.
    """

    camera_id: str
    observations: int
    stays: list[Span]
    pictures: list[str]
    kept: int

    @property
    def start(self) -> float:
        """Start of the first stay, seconds UTC."""
        return self.stays[0][0]

    @property
    def end(self) -> float:
        """End of the last stay, seconds UTC."""
        return self.stays[-1][1]


@dataclass(frozen=True, slots=True)
class Step:
    """A stay of a person in a camera; ``start`` and ``end`` are seconds UTC."""

    camera_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """One global id. ``confidence`` is the mean over its observations, ``lowest`` the minimum.

    ``confirmed`` says whether any part of a track is confirmed to be this person, and ``name`` what
    an editor called them.
    """

    global_id: int
    confidence: float
    lowest: float
    confirmed: bool
    visits: list[Visit]
    name: str | None = None

    @property
    def observations(self) -> int:
        """The number of observations in all cameras."""
        return sum(visit.observations for visit in self.visits)

    @property
    def start(self) -> float:
        """Time of the first observation, seconds UTC."""
        return min(visit.start for visit in self.visits)

    @property
    def end(self) -> float:
        """Time of the last observation, seconds UTC."""
        return max(visit.end for visit in self.visits)

    @property
    def steps(self) -> list[Step]:
        """The stays in all cameras, by their start."""
        steps = [Step(v.camera_id, *stay) for v in self.visits for stay in v.stays]
        return sorted(steps, key=lambda step: (step.start, step.end, step.camera_id))

    @property
    def route(self) -> list[list[str]]:
        """From where to where: cameras by time, those together that saw the person at once."""
        route: list[list[str]] = []
        reached = -float("inf")
        for step in self.steps:
            together = (min(reached, step.end) - step.start) > _TOGETHER * (step.end - step.start)
            if not route or not (together or route[-1] == [step.camera_id]):
                route.append([])
                reached = step.end
            if step.camera_id not in route[-1]:
                route[-1].append(step.camera_id)
            reached = max(reached, step.end) if not together else reached
        return route

    @property
    def seconds(self) -> float:
        """How long any camera saw the person."""
        total, reached = 0.0, -float("inf")
        for step in self.steps:
            total += max(step.end - max(step.start, reached), 0.0)
            reached = max(reached, step.end)
        return total

    @property
    def is_brief(self) -> bool:
        """Whether it is doubtful that there is such a person: seen briefly, or unsure."""
        doubtful = self.seconds < _BRIEF_S or self.confidence < _UNSURE
        return doubtful and not self.confirmed


def people_of(
    tracks: pl.DataFrame,
    stays: pl.DataFrame,
    pictures: Mapping[Key, list[str]],
    names: Mapping[int, str],
) -> list[PersonSummary]:
    """The people of ``stays`` by global id, from their tracks and thumbnails."""
    of_visits = stays.partition_by("global_id", "camera_id", maintain_order=True, as_dict=True)
    limit = min(max(_PICTURES_PER_PAGE // max(len(of_visits), 1), 1), _PICTURES_PER_VISIT)
    visits: dict[int, list[Visit]] = {}
    for (global_id, camera_id), rows in of_visits.items():
        kept = pictures.get((global_id, camera_id), [])
        spans = list(rows.select("start", "end").iter_rows())
        visit = Visit(camera_id, int(rows["observations"].sum()), spans, kept[:limit], len(kept))
        visits.setdefault(global_id, []).append(visit)
    for theirs in visits.values():
        theirs.sort(key=lambda visit: (visit.start, visit.camera_id))
    lowest = pl.col("confidence").cast(pl.Float64).min().alias("lowest")
    confirmed = (pl.col("confirmed").sum() > 0).alias("confirmed")
    table = tracks.group_by("global_id").agg(mean_confidence().alias("mean"), lowest, confirmed)
    return [
        PersonSummary(global_id, mean, least, sure, visits[global_id], names.get(global_id))
        for global_id, mean, least, sure in table.sort("global_id").iter_rows()
        if global_id in visits
    ]


def pictures_of(run: RunDirectory, stays: pl.DataFrame) -> dict[Key, list[str]]:
    """The thumbnails of the people of ``stays`` by person and camera, best first."""
    # A track that was assigned to two people is skipped: its thumbnail may show either.
    track = ["camera_id", "track_id"]
    identities = run.identities().select(*track, "global_id").unique()
    identities = identities.filter(pl.len().over(track) == 1)
    identities = identities.join(stays.select("global_id").unique(), on="global_id", how="semi")
    table = (
        run.tracklets(["camera_id", "track_id", "quality", "thumbnail"])
        .filter(pl.col("thumbnail").is_not_null())
        .join(identities, on=["camera_id", "track_id"])
        .sort("quality", "track_id", descending=[True, False])
    )
    pictures: dict[Key, list[str]] = {}
    for row in table.select("global_id", "camera_id", "thumbnail").iter_rows():
        pictures.setdefault((row[0], row[1]), []).append(row[2])
    return pictures
