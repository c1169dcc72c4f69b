"""Tiny hand-made data for the tests."""

from pathlib import Path

import msgspec
import pyarrow as pa

from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, Camera
from pipeline.run_directory.segments import write_segment

#: camera_id, frame_index, track_id, (x1, y1, x2, y2)
Observation = tuple[str, int, int, tuple[float, float, float, float]]


def camera(camera_id: str, frames: int = 10, fps: float = 10.0, source: str = "") -> Camera:
    """A finished camera of 640 x 480."""
    return Camera(
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


def make_run(
    folder: Path,
    observations: list[Observation],
    global_ids: dict[tuple[str, int], int],
    *,
    cameras: list[Camera] | None = None,
    ground: bool = False,
    thumbnails: dict[tuple[str, int], str] | None = None,
) -> Path:
    """A run directory at ``folder`` with these observations (10 fps) and identities."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({row[0] for row in observations})
    cameras = cameras if cameras is not None else [camera(name) for name in names]
    (folder / "config.yaml").write_text("site: test\ncameras: {}\n")
    (folder / "cameras.json").write_bytes(msgspec.json.encode(cameras))
    for name in names:
        rows = [row for row in observations if row[0] == name]
        write_segment(
            folder / "observations" / f"camera={name}", _observation_table(rows, ground), "1-0"
        )
    tracks = sorted({(row[0], row[2]) for row in observations})
    write_segment(
        folder / "tracklets", _tracklet_table(observations, tracks, thumbnails or {}), "1-0"
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
        }
        for key, gid in global_ids.items()
    ]
    write_segment(folder / "identities", pa.Table.from_pylist(events, IDENTITIES), "1-0")
    return folder


def _observation_table(rows: list[Observation], ground: bool) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "frame_index": frame,
                "timestamp": frame / 10,
                "track_id": track,
                **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
                "score": 0.8,
                "ground_x": box[0] / 100 if ground else None,
                "ground_y": box[3] / 100 if ground else None,
            }
            for _, frame, track, box in rows
        ],
        OBSERVATIONS,
    )


def _tracklet_table(
    observations: list[Observation],
    tracks: list[tuple[str, int]],
    thumbnails: dict[tuple[str, int], str],
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
            }
        )
    return pa.Table.from_pylist(rows, TRACKLETS)
