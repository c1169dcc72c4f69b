"""`python -m scripts.benches.search`: how long a search takes among a million tracklets.

With ``--folder`` the run is kept, and its matrices with it: the first search of a second call is
that of a new process. Seconds of processor time do not depend on what else the machine does.

The vectors are simulated: a unit vector a person, and each track of theirs with noise. Everything
else is real: segments on disk, identity events, the search of `fusetrack search` without the
networks that read the query.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.config.schema import SiteConfig
from pipeline.reid.embedding import site_calibration
from pipeline.run_directory.layout import write_version
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES, TRACKLETS, conform
from pipeline.run_directory.segments import GROUP_ROWS, name_of, write_tables
from pipeline.search.likeness import PictureLikeness
from pipeline.search.networks import SearchModels
from pipeline.search.search import Request, search_likeness

_SEGMENTS = 8
_TRACKS_PER_PERSON = 10
_CAMERAS = 20
# The cosine of two tracks of one person is about 0.8.
_NOISE = 0.5
_QUERIES = 5


def main() -> None:
    """Write the run, search it and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracklets", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512, help="numbers of a vector")
    parser.add_argument("--folder", type=Path, help="where the run is written and kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fusetrack-search-") as temporary:
        root = given.folder or Path(temporary)
        if not (root / "config.yaml").exists():
            write_run(root, given.tracklets, given.width)
        figures = measure(root, given.width)
    print(json.dumps(figures) if given.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


def write_run(root: Path, tracklets: int, width: int) -> None:
    """A run directory with simulated vectors and an identity for each track."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.yaml").write_text("site: bench\ncameras: {}\n")
    write_version(root)
    for name in ("tracklets", "identities"):
        (root / name).mkdir(exist_ok=True)
    model = SearchModels(SiteConfig()).hash
    for number, ids in enumerate(np.array_split(np.arange(tracklets), _SEGMENTS)):
        parts = [ids[n : n + GROUP_ROWS] for n in range(0, len(ids), GROUP_ROWS)]
        place = root / "tracklets" / name_of(number)
        write_tables(place, TRACKLETS, "", (_tracks(part, width, model) for part in parts))
        place = root / "identities" / name_of(number)
        write_tables(place, IDENTITIES, "", map(_events, parts))


def person_vector(person: int, width: int) -> np.ndarray:
    """The unit vector ``(width,)`` float32 of a person."""
    vector = np.random.default_rng(person).standard_normal(width).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def measure(root: Path, width: int) -> dict[str, object]:
    """The seconds of the first search, which writes the matrices, and of later ones."""
    run, models = RunDirectory(root), SearchModels(SiteConfig())
    seconds, cpu, right = [], [], 0
    for person in range(_QUERIES):
        likeness = PictureLikeness(person_vector(person, width), site_calibration(SiteConfig()))
        began, computed = time.perf_counter(), time.process_time()
        result = search_likeness(run, Request(), models, [likeness])
        seconds.append(round(time.perf_counter() - began, 3))
        cpu.append(round(time.process_time() - computed, 3))
        right += bool(result.found) and result.found[0].global_id == person + 1
    return {
        **{"tracklets": result.tracks, "people": result.people, "width": width},
        **{"first_s": seconds[0], "later_s": sorted(seconds[1:])[len(seconds[1:]) // 2]},
        **{"all_s": seconds, "all_cpu_s": cpu, "right": f"{right} of {_QUERIES}"},
    }


def _tracks(ids: np.ndarray, width: int, model: str) -> pa.Table:
    random = np.random.default_rng(int(ids[0]) + 1_000_000)
    people = np.stack([person_vector(int(i) // _TRACKS_PER_PERSON, width) for i in ids])
    noise = random.standard_normal(people.shape, dtype=np.float32)
    people += _NOISE * noise / np.sqrt(np.float32(width))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    offsets = pa.array(np.arange(len(ids) + 1, dtype=np.int32) * width)
    columns = {
        **_keys(ids),
        **{"start": ids * 1.0, "end": ids + 4.0, "n": np.full(len(ids), 40)},
        "embedding": pa.ListArray.from_arrays(offsets, pa.array(people.reshape(-1))),
        "quality": np.full(len(ids), 0.8, np.float32),
        "thumbnail": pa.nulls(len(ids), pa.string()),
        "model": pa.array([model] * len(ids)),
    }
    return conform(pa.table(columns), TRACKLETS)


def _events(ids: np.ndarray) -> pa.Table:
    columns = {
        **_keys(ids),
        "global_id": ids // _TRACKS_PER_PERSON + 1,
        "confidence": np.full(len(ids), 0.9, np.float32),
        "kind": pa.array(["assigned"] * len(ids)),
        "reason": pa.array(["appearance"] * len(ids)),
        "at": ids + 5.0,
        "since": pa.nulls(len(ids), pa.float64()),
        "state": pa.array(["confirmed"] * len(ids)),
    }
    return conform(pa.table(columns), IDENTITIES)


def _keys(ids: np.ndarray) -> dict[str, object]:
    names = [f"camera-{i % _CAMERAS:02d}" for i in ids]
    return {"camera_id": pa.array(names), "track_id": ids // _CAMERAS + 1}


if __name__ == "__main__":
    main()
