"""Converts messages to rows of the run directory's tables."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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


def table_of(messages: Sequence[Message]) -> pa.Table:
    """The rows of closed tracklets, of identities, or of observations of one camera, in order.

    At least one message, all of one kind. Raises ArrowException, ValueError or OverflowError when
    they do not fit their table.
    """
    tracklets = [_tracklet(one) for one in messages if isinstance(one, TrackletMessage)]
    if tracklets:
        return _table(tracklets, schema.TRACKLETS)
    identities = [_identity(one) for one in messages if isinstance(one, IdentityMessage)]
    if identities:
        return _table(identities, schema.IDENTITIES)
    return _observations([one for one in messages if isinstance(one, ObservationsMessage)])


def _identity(message: IdentityMessage) -> dict[str, object]:
    others = [{"global_id": one, "confidence": sure} for one, sure in message.runners_up]
    return {**msgspec.to_builtins(message), "runners_up": others or None}


def _observations(messages: Sequence[ObservationsMessage]) -> pa.Table:
    def joined(arrays: Iterable[Array]) -> np.ndarray:
        return np.concatenate([unpack(array) for array in arrays])

    boxes = joined(one.boxes for one in messages)
    columns = {
        "frame_index": joined(one.frame_index for one in messages),
        "timestamp": joined(one.timestamp for one in messages),
        "track_id": joined(one.track_id for one in messages),
        **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        "score": joined(one.scores for one in messages),
    }
    grounds = _pairs([one.ground for one in messages], messages)
    sizes = _pairs([one.sizes for one in messages], messages)
    for i in range(2):
        columns[("ground_x", "ground_y")[i]] = _known(grounds[:, i])
        columns[("frame_width", "frame_height")[i]] = _known(sizes[:, i])
    return schema.conform(pa.table(columns), schema.OBSERVATIONS)


def _pairs(
    packed: Sequence[Array | None], messages: Sequence[ObservationsMessage]
) -> NDArray[np.float64]:
    """``(N, 2)`` for the N rows of ``messages``, NaN for those that have none."""
    return np.concatenate(
        [
            np.full((len(unpack(message.boxes)), 2), np.nan) if one is None else unpack(one)
            for one, message in zip(packed, messages, strict=True)
        ]
    ).astype(np.float64)


def _known(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def _table(rows: list[dict[str, object]], columns: pa.Schema) -> pa.Table:
    known = pa.schema([field for field in columns if field.name in rows[0]])
    return schema.conform(pa.Table.from_pylist(rows, known), columns)


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
