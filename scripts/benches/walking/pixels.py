"""The walk in pixels: composed video through a whole run, and what became of everybody's ids."""

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluation.boxes import BOX, KEY
from pipeline.evaluation.run_scores import by_global_id
from pipeline.evaluation.scores import score as score_boxes
from simulation.clustering import average_linkage
from trackers.association.association import Decision
from trackers.association.decision import CONFIRMED
from trackers.tracklet import TrackletKey
from walking.box_score import Matches, appearances, idf1, match, purity, with_tracks
from walking.composed import compose, composed_scene
from walking.crops import SETS, CropFile, Crops
from walking.cutouts import Cutout, Segment, open_segmentation, read_cutouts
from walking.plates import plates
from walking.recorded import (
    START,
    Recorded,
    decide,
    decided,
    is_saved,
    last_tracklets,
    load,
    present_rules,
    run_recorded,
    save,
)
from walking.reliability import JudgedTrack, reliability
from walking.scene import Scene
from walking.score import Ids, score, shown_person
from walking.stream import camera_name

#: Set, cameras and people.
SCENES = (("cuhk03", 2, 24), ("cuhk03", 2, 40))
COLUMNS = (
    "idf1",
    "idf1_online",
    "oracle",
    "clustering",
    "idf1_in_camera",
    "idf1_by_track",
    "mota",
    "assa",
    "ids_per_person",
    "right",
    "wrong",
    "wrong_per_person",
    "links",
    "ece",
    "confirmed_right",
    "probable_right",
    "purity",
    "tracks_per_visit",
    "never_seen",
    "missed_impure",
    "missed_alike",
    "missed_taken",
    "missed_alone",
)
# The most crops of a person and camera that are cut out, and of how many more people than walk.
_CROPS, _SPARE = 10, 1.3
_THRESHOLDS = np.arange(0.2, 0.9, 0.025)

Row = dict[str, float]


def walk_in_pixels(
    data: Path, name: str, cameras: int, people: int, seed: int, reid: str, kept: Path
) -> Recorded:
    """Compose and run one walk; what was run before with this network is read from ``kept``.

    Masks are kept there too. Raises ValueError when too few people can be cut out.
    """
    folder = kept / walk_name(name, cameras, people, seed, reid)
    if is_saved(folder):
        return load(folder)
    pictures = candidates(list(SETS[name](data)), people, cameras, seed)
    found = read_cutouts([p.path for p in pictures], kept / "masks" / name, _segmentation)
    whole = [(p, c) for p, c in zip(pictures, found, strict=True) if c is not None]
    cutouts: Mapping[int, Cutout] = {row: cutout for row, (_, cutout) in enumerate(whole)}
    scene = composed_scene(_without_vectors([p for p, _ in whole]), people, cameras, seed)
    with tempfile.TemporaryDirectory() as scratch:
        videos = Path(scratch)
        truth = compose(scene, cutouts, plates(data, cameras), videos)
        recorded = run_recorded(scene, videos, truth, reid, videos / "run")
    save(recorded, folder)
    return recorded


def walk_name(name: str, cameras: int, people: int, seed: int, reid: str) -> str:
    """The folder of a walk."""
    return f"{name}-{cameras}-{people}-{seed}-{Path(reid).stem}"


@cache
def _segmentation() -> Segment:
    return open_segmentation()


def candidates(pictures: list[CropFile], people: int, cameras: int, seed: int) -> list[CropFile]:
    """Some pictures of a few more people than walk, of ``cameras`` cameras that took them."""
    rng = np.random.default_rng([seed, people, cameras, 1])
    there = np.unique([picture.camera for picture in pictures])
    chosen = {*rng.choice(there, cameras, replace=False).tolist()}
    views: dict[int, dict[int, list[CropFile]]] = {}
    for picture in pictures:
        if picture.camera in chosen:
            views.setdefault(picture.person, {}).setdefault(picture.camera, []).append(picture)
    often = [person for person, by_camera in sorted(views.items()) if len(by_camera) > 1]
    group = rng.permutation(often)[: round(people * _SPARE)].tolist()
    return [
        taken[row]
        for person in sorted(group)
        for _, taken in sorted(views[person].items())
        for row in sorted(rng.permutation(len(taken))[:_CROPS].tolist())
    ]


def _without_vectors(pictures: list[CropFile]) -> Crops:
    return Crops(
        np.array([picture.person for picture in pictures], np.int64),
        np.array([picture.camera for picture in pictures], np.int64),
        np.zeros((len(pictures), 0), np.float32),
    )


def measure(recorded: Recorded) -> Row:
    """The present rules on a walk, beside an oracle and a clustering of the same tracks."""
    decisions = decide(recorded.moments, present_rules(recorded))
    trajectories = decided(recorded, decisions)
    running = decide(recorded.moments, present_rules(recorded), finish=False)
    online = decided(recorded, running)
    matches = match(recorded.truth, recorded.observations)
    person = recorded.truth["person_id"].to_numpy()
    tracks = _track_numbers(recorded.observations)
    scene, numbers = with_tracks(recorded, matches)
    scene, crops = appearances(scene, numbers, last_tracklets(recorded))
    found = score(scene, crops, _ids(decisions, numbers, scene))
    boxes = by_global_id(trajectories)
    scores = score_boxes(boxes, recorded.truth.select(*KEY, *BOX))
    seen = {piece.visit.number for track in scene.tracks for piece in track.pieces}
    return {
        **found,
        **reliability(_judged(decisions, recorded, numbers, scene)),
        "idf1": scores.idf1,
        "assa": scores.ass_a,
        "mota": scores.mota,
        "ids_per_person": trajectories["global_id"].drop_nulls().n_unique()
        / len(np.unique(person)),
        "idf1_online": idf1(matches, person, by_global_id(online)["person_id"].to_numpy()),
        "oracle": idf1(matches, person, _oracle(matches, person, tracks)),
        "clustering": max(_clusterings(recorded, matches, person, tracks)),
        "idf1_in_camera": _in_cameras(recorded, matches, person, boxes["person_id"].to_numpy()),
        "idf1_by_track": _in_cameras(recorded, matches, person, tracks),
        "purity": purity(scene),
        "tracks_per_visit": len(scene.tracks) / max(len(seen), 1),
        "never_seen": 1 - len(seen) / len(scene.visits),
    }


def _track_numbers(observations: pl.DataFrame) -> NDArray[np.int64]:
    key = pl.struct("camera_id", "track_id").rank("dense").cast(pl.Int64)
    return observations.select(key.alias("track"))["track"].to_numpy()


def _oracle(
    matches: Matches, person: NDArray[np.int64], tracks: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Every track is whom it shows most often; one that shows nobody is alone."""
    shown = matches.shows >= 0
    people, columns = np.unique(person, return_inverse=True)
    counts = np.zeros((tracks.max(initial=0) + 1, len(people)), np.int64)
    np.add.at(counts, (tracks[shown], columns[matches.shows[shown]]), 1)
    owner = np.where(counts.any(axis=1), people[counts.argmax(axis=1)], -1 - np.arange(len(counts)))
    return owner[tracks]


def _clusterings(
    recorded: Recorded, matches: Matches, person: NDArray[np.int64], tracks: NDArray[np.int64]
) -> list[float]:
    last = [tracklet for tracklet in last_tracklets(recorded) if len(tracklet.exemplars)]
    found = recorded.observations
    keys = list(zip(found["camera_id"], found["track_id"], strict=True))
    figures = []
    for threshold in _THRESHOLDS:
        label = {
            key: number
            for number, members in enumerate(average_linkage(last, float(threshold)))
            for key in members
        }
        ids = np.array([label.get(k, -t) for k, t in zip(keys, tracks, strict=True)], np.int64)
        figures.append(idf1(matches, person, ids))
    return figures


def _in_cameras(
    recorded: Recorded,
    matches: Matches,
    person: NDArray[np.int64],
    identity: NDArray[np.int64],
) -> float:
    """The mean IDF1 of the cameras, each for itself."""
    figures = []
    for number in range(recorded.scene.cameras):
        camera = camera_name(number)
        there = np.flatnonzero((recorded.truth["camera_id"] == camera).to_numpy())
        here = np.flatnonzero((recorded.observations["camera_id"] == camera).to_numpy())
        pairs = np.isin(matches.truth, there)
        inside = Matches(
            np.searchsorted(there, matches.truth[pairs]),
            np.searchsorted(here, matches.found[pairs]),
            matches.shows[here],
        )
        figures.append(idf1(inside, person[there], identity[here]))
    return float(np.mean(figures))


def _ids(decisions: list[Decision], numbers: Mapping[TrackletKey, int], scene: Scene) -> Ids:
    """What each track was taken for, since when."""
    last = {(decision.key, decision.since): decision for decision in decisions}
    ids: dict[int, list[tuple[float, int]]] = {}
    for key, since in sorted(last, key=lambda part: (part[0], part[1] or 0.0)):
        if key in numbers:
            track = scene.tracks[numbers[key] - 1]
            begin = track.start if since is None else since - START.timestamp()
            ids.setdefault(numbers[key], []).append((begin, last[key, since].global_id))
    return ids


def _judged(
    decisions: list[Decision],
    recorded: Recorded,
    numbers: Mapping[TrackletKey, int],
    scene: Scene,
) -> list[JudgedTrack]:
    last = {decision.key: decision for decision in decisions if decision.key in numbers}
    found = []
    for key, decision in sorted(last.items()):
        track = scene.tracks[numbers[key] - 1]
        found.append(
            JudgedTrack(
                shown_person(track, track.start, track.end),
                decision.global_id,
                track.end - track.start,
                decision.confidence,
                decision.state == CONFIRMED,
            )
        )
    return found
