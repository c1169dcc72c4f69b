"""Converts messages to rows of the run directory's tables."""

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.bus.messages import (
    Array,
    IdentityMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    tracklet_of,
    unpack,
)
from pipeline.run_directory import schema


def rows_of(message: Message | None) -> pa.Table | None:
    """The rows of a message, None when it has none.

    Raises ArrowException, ValueError or OverflowError when they do not fit their table.
    """
    match message:
        case ObservationsMessage():
            return observations_table(message)
        case TrackletMessage(closed=True):
            return _table(_tracklet(message), schema.TRACKLETS)
        case IdentityMessage():
            return _table(_identity(message), schema.IDENTITIES)
        case _:
            return None


def _identity(message: IdentityMessage) -> dict[str, object]:
    others = [{"global_id": one, "confidence": sure} for one, sure in message.runners_up]
    return {**msgspec.to_builtins(message), "runners_up": others or None}


def observations_table(message: ObservationsMessage) -> pa.Table:
    """The rows of a message, as in `schema.OBSERVATIONS`."""
    boxes = unpack(message.boxes)
    columns = {
        "frame_index": unpack(message.frame_index),
        "timestamp": unpack(message.timestamp),
        "track_id": unpack(message.track_id),
        **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        "score": unpack(message.scores),
    }
    ground = None if message.ground is None else unpack(message.ground)
    for i, name in enumerate(("ground_x", "ground_y")):
        values = np.full(len(boxes), np.nan) if ground is None else ground[:, i]
        columns[name] = pa.array(values, mask=~np.isfinite(values))
    if message.sizes is not None:
        sizes = unpack(message.sizes)
        columns |= {"frame_width": sizes[:, 0], "frame_height": sizes[:, 1]}
    return schema.conform(pa.table(columns), schema.OBSERVATIONS)


def _table(row: dict[str, object], columns: pa.Schema) -> pa.Table:
    known = pa.schema([field for field in columns if field.name in row])
    return schema.conform(pa.Table.from_pylist([row], known), columns)


def _tracklet(message: TrackletMessage) -> dict[str, object]:
    tracklet = tracklet_of(message)
    return {
        "camera_id": tracklet.camera_id,
        "track_id": tracklet.track_id,
        "start": tracklet.start,
        "end": tracklet.end,
        "n": tracklet.count,
        "embedding": _mean_exemplar(tracklet.exemplars, tracklet.qualities),
        "quality": float(tracklet.qualities.max(initial=0.0)),
        "thumbnail": message.thumbnail,
        "text_vector": _mean_text(message.text_vectors),
        "visibilities": _most_visible(message.visibilities),
        "model": message.model or None,
    }


def _mean_text(packed: Array | None) -> np.ndarray | None:
    if packed is None or not packed.shape[0]:
        return None
    mean = unpack(packed).astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(np.linalg.norm(mean), 1e-12), np.float16)


def _most_visible(packed: Array | None) -> np.ndarray | None:
    return None if packed is None or not packed.shape[0] else unpack(packed).max(axis=0)


def _mean_exemplar(exemplars: np.ndarray, qualities: np.ndarray) -> list[float] | None:
    if not len(exemplars):
        return None
    mean = np.average(exemplars, axis=0, weights=np.maximum(qualities, 1e-3))
    return [float(value) for value in mean / max(np.linalg.norm(mean), 1e-12)]
