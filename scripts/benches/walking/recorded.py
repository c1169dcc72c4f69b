"""What a run of composed video gave, kept so that other rules can decide on the same tracks.

One folder a walk: the truth, every observation, and all tracklets that the nodes sent, in the
order and at the moments in which the association of the run saw them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import msgspec
import polars as pl

from pipeline.associator.open import association_of
from pipeline.bus.messages import TrackletMessage, tracklet_message, tracklet_of
from pipeline.config.schema import ReidConfig, SiteConfig
from pipeline.run_directory.reader import no_observations, trajectories_of
from pipeline.run_directory.schema import IDENTITIES
from pipeline.runtime.run import run_site
from trackers.association.association import Association, Decision
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import Tracklet
from walking.scene import Scene, Visit
from walking.stream import camera_name

#: When every composed video starts.
START = datetime(2026, 5, 1, 9, tzinfo=UTC)

#: Moments of event time, seconds UTC, with the tracklets that changed before.
Moments = list[tuple[float, list[Tracklet]]]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A walk that was run: its ``scene`` has no tracks, ``truth`` is as of `compose`,
    ``observations`` as of `RunDirectory`."""

    scene: Scene
    reid: str
    truth: pl.DataFrame
    observations: pl.DataFrame
    moments: Moments


class _Walk(msgspec.Struct, frozen=True):
    cameras: int
    reid: str
    visits: tuple[Visit, ...]


def run_recorded(scene: Scene, videos: Path, truth: pl.DataFrame, reid: str, out: Path) -> Recorded:
    """Run the videos of a walk with the defaults and the network ``reid``, into ``out``."""
    moments: Moments = []
    config = SiteConfig(reid=ReidConfig(model=reid))
    with listening(moments):
        run = run_site(with_cameras(config, scene.cameras, videos), out)
    return Recorded(scene, reid, truth, run.observations(), moments)


def with_cameras(config: SiteConfig, cameras: int, videos: Path) -> SiteConfig:
    """``config`` with the cameras of a walk."""
    names = [camera_name(number) for number in range(cameras)]
    sources = {n: {"source": str(videos / f"{n}.mp4"), "start": START} for n in names}
    return SiteConfig.model_validate({**config.model_dump(), "cameras": sources})


@contextmanager
def listening(moments: Moments) -> Iterator[None]:
    """Collect what every association is given during the block."""
    waiting: list[Tracklet] = []
    observe, decide = GroundAssociation.observe, GroundAssociation.decide

    def heard(self: GroundAssociation, tracklet: Tracklet) -> None:
        waiting.append(tracklet)
        observe(self, tracklet)

    def decided(self: GroundAssociation, at: float) -> list[Decision]:
        moments.append((at, list(waiting)))
        waiting.clear()
        return decide(self, at)

    with (
        patch.object(GroundAssociation, "observe", heard),
        patch.object(GroundAssociation, "decide", decided),
    ):
        yield


def decide(moments: Moments, association: Association, *, finish: bool = True) -> list[Decision]:
    """All decisions of ``association`` as in a run, oldest first."""
    decisions: list[Decision] = []
    for at, tracklets in moments:
        for tracklet in tracklets:
            association.observe(tracklet)
        decisions += association.decide(at)
        association.forget(at)
    return [*decisions, *(association.finish() if finish else [])]


def present_rules(recorded: Recorded) -> Association:
    """The association as a run of the walk would have it now."""
    config = SiteConfig(reid=ReidConfig(model=recorded.reid))
    return association_of(with_cameras(config, recorded.scene.cameras, Path()))


def last_tracklets(recorded: Recorded) -> list[Tracklet]:
    """The last revision of each track, by its key."""
    last = {t.key: t for _, tracklets in recorded.moments for t in tracklets}
    return [last[key] for key in sorted(last)]


def decided(recorded: Recorded, decisions: Sequence[Decision]) -> pl.DataFrame:
    """The trajectories of a run with the observations of ``recorded`` and these decisions."""
    rows = [
        {
            "camera_id": decision.key[0],
            "track_id": decision.key[1],
            "at": 0.0,
            **{name: getattr(decision, name) for name in _OF_DECISION},
        }
        for decision in decisions
    ]
    empty = pl.DataFrame(pl.from_arrow(IDENTITIES.empty_table()))
    # A walk that was kept by an earlier version has fewer columns.
    none, kept = no_observations(), recorded.observations
    kept = kept.cast({name: none.schema[name] for name in kept.columns})
    observations = pl.concat([none, kept], how="diagonal")
    return trajectories_of(observations, pl.DataFrame(rows, empty.schema) if rows else empty)


_OF_DECISION = ("global_id", "confidence", "kind", "reason", "since", "state")


def save(recorded: Recorded, folder: Path) -> None:
    """Keep a walk in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = recorded.scene
    walk = _Walk(scene.cameras, recorded.reid, scene.visits)
    (folder / "walk.json").write_bytes(msgspec.json.encode(walk))
    recorded.truth.write_parquet(folder / "truth.parquet")
    recorded.observations.write_parquet(folder / "observations.parquet")
    messages = [
        (at, [tracklet_message(tracklet, at) for tracklet in tracklets])
        for at, tracklets in recorded.moments
    ]
    (folder / "tracklets.msgpack").write_bytes(msgspec.msgpack.encode(messages))


def is_saved(folder: Path) -> bool:
    """Whether a walk was kept in ``folder``."""
    return (folder / "tracklets.msgpack").exists()


def load(folder: Path) -> Recorded:
    """The walk that was kept in ``folder``."""
    walk = msgspec.json.decode((folder / "walk.json").read_bytes(), type=_Walk)
    messages = msgspec.msgpack.decode(
        (folder / "tracklets.msgpack").read_bytes(),
        type=list[tuple[float, list[TrackletMessage]]],
    )
    return Recorded(
        Scene(walk.cameras, walk.visits, ()),
        walk.reid,
        pl.read_parquet(folder / "truth.parquet"),
        pl.read_parquet(folder / "observations.parquet"),
        [(at, [tracklet_of(message) for message in some]) for at, some in messages],
    )
