"""Tiny hand-made data for the tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.bus.messages import (
    CameraMessage,
    IdentityMessage,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    pack,
    tracklet_message,
)
from pipeline.run_directory.layout import observations_of, write_version
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord, conform
from pipeline.run_directory.segments import write_segment
from trackers.tracklet import Tracklet

#: camera_id, frame_index, track_id, (x1, y1, x2, y2)
Box = tuple[float, float, float, float]
Observation = tuple[str, int, int, Box]
#: Where on the ground whoever has a box in a camera is, metres.
Ground = Callable[[str, Box], tuple[float, float]]


def camera(camera_id: str, frames: int = 10, fps: float = 10.0, source: str = "") -> CameraRecord:
    """A finished camera of 640 x 480."""
    return CameraRecord(
        camera_id=camera_id,
        source=source or f"{camera_id}.mp4",
        width=640,
        height=480,
        fps=fps,
        frames=frames,
        start=0.0,
        end=frames / fps,
        timestamp_origin="epoch",
        state="complete",
    )


#: The ReID network of the runs of `make_run`; it knows no words.
WORDLESS = "omni-scale-people"


def make_run(
    folder: Path,
    observations: list[Observation],
    global_ids: dict[tuple[str, int], int],
    *,
    cameras: list[CameraRecord] | None = None,
    ground: bool | Ground = False,
    thumbnails: dict[tuple[str, int], str] | None = None,
    looks: dict[tuple[str, int], dict[str, Any]] | None = None,
    decisions: dict[tuple[str, int], dict[str, Any]] | None = None,
) -> Path:
    """A run directory at ``folder`` with these observations (10 fps) and identities.

    ``looks`` are columns of tracklets: embedding, text_vector, model; ``decisions`` those of the
    identities.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({row[0] for row in observations})
    cameras = cameras if cameras is not None else [camera(name) for name in names]
    reid = f"reid: {{model: {WORDLESS}}}\n"
    origin = "origin: {longitude: 13.4, latitude: 52.5}\n" if ground else ""
    (folder / "config.yaml").write_text(f"site: test\ncameras: {{}}\n{reid}{origin}")
    write_version(folder)
    (folder / "cameras.json").write_bytes(msgspec.json.encode(cameras))
    for name in names:
        rows = [row for row in observations if row[0] == name]
        write_segment(observations_of(folder, name), _observation_table(rows, ground), "1-0")
    tracks = sorted({(row[0], row[2]) for row in observations})
    write_segment(
        folder / "tracklets",
        _tracklet_table(observations, tracks, thumbnails or {}, looks or {}),
        "1-0",
    )
    events = [
        {
            "camera_id": key[0],
            "track_id": key[1],
            "global_id": gid,
            "confidence": 0.9,
            "kind": "assigned",
            "reason": "new person",
            "at": 1.0,
            "state": "confirmed",
            **(decisions or {}).get(key, {}),
        }
        for key, gid in global_ids.items()
    ]
    write_segment(folder / "identities", table_of(events, IDENTITIES), "1-0")
    return folder


def tracklet(
    camera_id: str,
    track_id: int,
    start: float,
    end: float,
    *,
    look: Sequence[float] = (1.0, 0.0),
    revision: int = 1,
    closed: bool = False,
) -> Tracklet:
    """A track that stands still; ``look`` is its one exemplar, a unit vector, or empty for none."""
    exemplars = np.array([look] if len(look) else np.zeros((0, 2)), np.float32)
    count = len(exemplars)
    return Tracklet(
        camera_id=camera_id,
        track_id=track_id,
        revision=revision,
        start=start,
        end=end,
        count=int((end - start) * 10) + 1,
        closed=closed,
        exemplars=exemplars,
        qualities=np.full(count, 0.5, np.float32),
        exemplar_times=np.full(count, start),
        path=np.array([[start, 100, 200, 80], [end, 100, 200, 80]], np.float64),
    )


def tracklet_sent(
    camera_id: str,
    track_id: int,
    start: float,
    at: float,
    *,
    look: Sequence[float] = (1.0, 0.0),
    closed: bool = False,
) -> TrackletMessage:
    """The revision of a track that belongs to the moment ``at``, seen until shortly before."""
    seen = tracklet(
        camera_id, track_id, start, at - 0.1, look=look, revision=round(at), closed=closed
    )
    return tracklet_message(seen, at)


def watermark(camera_id: str, at: float, *, ended: bool = False) -> WatermarkMessage:
    """The camera has told everything up to ``at``."""
    return WatermarkMessage(camera_id, at, ended)


def observations_sent(camera_id: str, frames: Sequence[int], track_id: int) -> ObservationsMessage:
    """One person in these frames (10 fps), a little further to the right in each."""
    index = np.array(frames, np.int64)
    boxes = np.stack([index, index * 0 + 20, index + 40, index * 0 + 90], axis=1)
    return ObservationsMessage(
        camera_id=camera_id,
        frame_index=pack(index),
        timestamp=pack(index / 10),
        track_id=pack(np.full(len(index), track_id, np.int64)),
        boxes=pack(boxes.astype(np.float32)),
        scores=pack(np.full(len(index), 0.75, np.float32)),
    )


def camera_sent(camera_id: str, frames: int, state: str = "running") -> CameraMessage:
    """The camera as it is after so many frames."""
    return CameraMessage(msgspec.structs.replace(camera(camera_id, frames), state=state))


def identity_sent(camera_id: str, track_id: int, global_id: int, at: float) -> IdentityMessage:
    """The track is that person from ``at`` on."""
    return IdentityMessage(
        camera_id=camera_id,
        track_id=track_id,
        global_id=global_id,
        confidence=0.75,
        kind="assigned",
        reason="new person",
        at=at,
    )


def table_of(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """``rows`` as a table of the run directory; ``time`` is that of the seconds."""
    return conform(pa.Table.from_pylist(rows, without_time(schema)), schema)


def without_time(schema: pa.Schema) -> pa.Schema:
    """The columns of ``schema`` as version 1 had them."""
    added = ("time", "frame_width", "frame_height")
    return pa.schema([field for field in schema if field.name not in added])


def _hundredth(_: str, box: Box) -> tuple[float, float]:
    return box[0] / 100, box[3] / 100


def _observation_table(rows: list[Observation], ground: bool | Ground) -> pa.Table:
    place = ground if callable(ground) else _hundredth if ground else lambda *_: (None, None)
    return table_of(
        [
            {
                "frame_index": frame,
                "timestamp": frame / 10,
                "track_id": track,
                **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
                "score": 0.8,
                **dict(zip(("ground_x", "ground_y"), place(name, box), strict=True)),
            }
            for name, frame, track, box in rows
        ],
        OBSERVATIONS,
    )


def _tracklet_table(
    observations: list[Observation],
    tracks: list[tuple[str, int]],
    thumbnails: dict[tuple[str, int], str],
    looks: dict[tuple[str, int], dict[str, Any]],
) -> pa.Table:
    rows = []
    for key in tracks:
        frames = [row[1] for row in observations if (row[0], row[2]) == key]
        rows.append(
            {
                "camera_id": key[0],
                "track_id": key[1],
                "start": min(frames) / 10,
                "end": max(frames) / 10,
                "n": len(frames),
                "embedding": [1.0, 0.0],
                "quality": 0.5,
                "thumbnail": thumbnails.get(key),
                **looks.get(key, {}),
            }
        )
    return table_of(rows, TRACKLETS)
