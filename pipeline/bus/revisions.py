"""An open track on its way: each revision carries what is new, and the reader adds what it knew.

One revision in `_WHOLE` is whole, so that what a reader has lost, or dropped because somebody was
to be forgotten, comes back while the track is open. A closed track is always sent whole.
"""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.bus.messages import TrackletMessage, pack, tracklet_message, tracklet_of, unpack
from trackers.tracklet import Tracklet

# About a minute of revisions.
_WHOLE = 64


class Revisions:
    """Makes the messages of the open tracks of one camera; ``model`` is as of the message."""

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._sent: dict[int, Tracklet] = {}

    def next(self, tracklet: Tracklet, at: float) -> TrackletMessage:
        """The message of an open track at the event time ``at``, seconds UTC."""
        known = self._sent.get(tracklet.track_id)
        self._sent[tracklet.track_id] = tracklet
        if known is None or tracklet.revision % _WHOLE == 0:
            return tracklet_message(tracklet, at, model=self._model)
        rows = _fresh_rows(tracklet, known)
        # The last step is always sent: a reader without what was before has a place at least.
        first = min(_equal_rows(tracklet.path, known.path), len(tracklet.path) - 1)
        message = tracklet_message(_part(tracklet, rows, first), at, model=self._model)
        return msgspec.structs.replace(
            message,
            qualities=pack(tracklet.qualities),
            exemplar_times=pack(tracklet.exemplar_times),
            fresh=rows,
            after=float(tracklet.path[first - 1, 0]) if first > 0 else None,
        )

    def end(self, track_id: int) -> None:
        """Forget a track that was closed."""
        self._sent.pop(track_id, None)


def _fresh_rows(tracklet: Tracklet, known: Tracklet) -> list[int]:
    """The exemplars that are not in ``known``; one may be of the same frame but another person."""
    before = dict(zip(known.exemplar_times.tolist(), known.exemplars, strict=True))
    return [
        row
        for row, time in enumerate(tracklet.exemplar_times.tolist())
        if time not in before or not np.array_equal(before[time], tracklet.exemplars[row])
    ]


def _equal_rows(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """How many of the first rows are the same."""
    count = min(len(one), len(other))
    differs = (one[:count] != other[:count]).any(axis=1)
    return int(differs.argmax()) if differs.any() else count


def _part(tracklet: Tracklet, rows: list[int], first: int) -> Tracklet:
    """These exemplars of a tracklet, and its path from a row on."""
    text, visible = tracklet.text_vectors, tracklet.visibilities
    return replace(
        tracklet,
        exemplars=tracklet.exemplars[rows],
        qualities=tracklet.qualities[rows],
        exemplar_times=tracklet.exemplar_times[rows],
        text_vectors=None if text is None else text[rows],
        visibilities=None if visible is None else visible[rows],
        path=tracklet.path[first:],
        ground=None if tracklet.ground is None else tracklet.ground[first:],
    )


def joined(message: TrackletMessage, known: Tracklet | None) -> Tracklet:
    """The tracklet of a message, with what is ``known`` of it from the revisions before.

    What is missing in both is left out, see `is_missing`.
    """
    sent = tracklet_of(message)
    if message.is_whole or known is None:
        return sent
    path = {} if message.after is None else _with_path(sent, known, message.after)
    exemplars = {} if message.fresh is None else _with_exemplars(sent, known, message)
    # Once: what is replaced is checked again.
    return replace(sent, **path, **exemplars)


def is_missing(message: TrackletMessage, tracklet: Tracklet) -> bool:
    """Whether what `joined` made of a message lacks what was sent before."""
    after = message.after
    lacks_path = after is not None and not (tracklet.path[:, 0] == after).any()
    return lacks_path or len(tracklet.exemplars) < message.qualities.shape[0]


def _with_path(sent: Tracklet, known: Tracklet, after: float) -> dict[str, Any]:
    same_ground = (sent.ground is None) == (known.ground is None)
    if not same_ground or sent.path.shape[1] != known.path.shape[1]:
        return {}
    count = int(np.searchsorted(known.path[:, 0], after, side="right"))
    ground = sent.ground
    if ground is not None and known.ground is not None:
        ground = np.concatenate([known.ground[:count], ground])
    return {"path": np.concatenate([known.path[:count], sent.path]), "ground": ground}


def _with_exemplars(sent: Tracklet, known: Tracklet, message: TrackletMessage) -> dict[str, Any]:
    times, qualities = unpack(message.exemplar_times), unpack(message.qualities)
    if not message.fresh and message.exemplar_times.data == known.exemplar_times.tobytes():
        return {"exemplars": known.exemplars, "qualities": qualities, "exemplar_times": times}
    vectors: dict[float, NDArray[np.float32]] = {}
    if not message.fresh or known.exemplars.shape[1] == sent.exemplars.shape[1]:
        vectors |= zip(known.exemplar_times.tolist(), known.exemplars, strict=True)
    vectors |= zip(sent.exemplar_times.tolist(), sent.exemplars, strict=True)
    rows = [row for row, time in enumerate(times.tolist()) if time in vectors]
    if not rows:
        return {}
    return {
        "exemplars": np.stack([vectors[time] for time in times[rows].tolist()]),
        "qualities": qualities[rows],
        "exemplar_times": times[rows],
    }
