"""The checkpoint of an associator in Redis, from which any associator continues: a hash.

A tracklet has a field of its own, and so have the learned transitions from each camera: only what
has changed is written. All else is in one field.
"""

from collections.abc import Iterable

import msgspec

from pipeline.associator.watermarks import WatermarkState
from pipeline.bus.messages import TrackletMessage, ViewOfGround, stored_tracklet, tracklet_of
from pipeline.bus.order import Numbers
from pipeline.bus.streams import Bus
from pipeline.run_directory.schema import TrackPart
from trackers.association.decision import Clarity
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import TrackletKey

_META = "meta"
# No name of a track: those have a camera and one colon.
_TRANSITIONS = "ways::"

Fields = dict[str, bytes]


class Meta(msgspec.Struct):
    """All that is neither a tracklet nor a transition.

    ``taken`` says which messages of each sender were processed, ``sent`` how many were sent,
    ``dimension`` the length of the embeddings, 0 before the first. ``last_correction`` is the
    number of the last one, and ``corrected`` that of the last one about each person.
    """

    watermarks: WatermarkState = msgspec.field(name="attendees")
    views: dict[str, ViewOfGround] = {}
    forgotten: list[TrackPart] = []
    taken: Numbers = {}
    sent: int = msgspec.field(default=0, name="told")
    dimension: int = 0
    last_correction: int = 0
    corrected: dict[int, int] = {}
    finished: bool = False


class _Learned(msgspec.Struct):
    """What the association stores beside tracklets and transitions."""

    next_global_id: int
    has_embeddings: bool = msgspec.field(name="has_looks")
    memory: bytes


class _Whole(msgspec.Struct):
    meta: Meta
    learned: _Learned = msgspec.field(name="learnt")


class _Stored(msgspec.Struct):
    tracklet: TrackletMessage
    global_id: int | None
    state: str
    clarity: Clarity | None = None


def encoded(
    meta: Meta, association: GroundAssociation, changed: Iterable[TrackletKey], at: float
) -> Fields:
    """The fields to write at the moment ``at``, when ``changed`` tracklets are new or decided."""
    learned = _Learned(
        association.next_global_id,
        association.has_embeddings,
        msgspec.msgpack.encode(association.memory()),
    )
    return {
        **_tracklets(association, {*changed, *association.pop_changed()}, at),
        **{
            f"{_TRANSITIONS}{camera_id}": msgspec.msgpack.encode(transitions)
            for camera_id, transitions in association.learned_topology.pop_changed().items()
        },
        _META: msgspec.msgpack.encode(_Whole(meta, learned)),
    }


def decoded(fields: Fields) -> Meta | None:
    """The stored state beside the association; None without one."""
    return msgspec.msgpack.decode(fields[_META], type=_Whole).meta if _META in fields else None


def restore(association: GroundAssociation, fields: Fields) -> None:
    """Restore a new association, which has the views of the cameras, from ``fields``."""
    learned = msgspec.msgpack.decode(fields[_META], type=_Whole).learned
    association.remember(msgspec.msgpack.decode(learned.memory))
    for name, data in sorted(fields.items()):
        if name.startswith(_TRANSITIONS):
            association.learned_topology.remember(
                name.removeprefix(_TRANSITIONS), msgspec.msgpack.decode(data)
            )
    for name, data in sorted(fields.items()):
        if _is_tracklet(name):
            kept = msgspec.msgpack.decode(data, type=_Stored)
            tracklet = tracklet_of(kept.tracklet)
            association.restore(tracklet, kept.global_id, kept.state, kept.clarity)
    association.next_global_id = learned.next_global_id
    association.has_embeddings = learned.has_embeddings


def field_of(key: TrackletKey) -> str:
    """The field of a tracklet."""
    return f"{key[0]}:{key[1]}"


def tracklets_in(fields: Fields) -> int:
    """The number of stored tracklets."""
    return sum(map(_is_tracklet, fields))


def progress_of(bus: Bus) -> int:
    """How many messages were decided on in the present run of the site of ``bus``."""
    meta = decoded(bus.state())
    return 0 if meta is None else sum(meta.taken.values())


def _tracklets(association: GroundAssociation, keys: Iterable[TrackletKey], at: float) -> Fields:
    found = ((key, association.tracklet(key)) for key in keys)
    return {
        field_of(key): msgspec.msgpack.encode(
            {
                "tracklet": stored_tracklet(tracklet, at),
                "global_id": association.owner(key),
                "state": association.state(key),
                "clarity": association.clarity(key),
            }
        )
        for key, tracklet in found
        if tracklet is not None
    }


def _is_tracklet(name: str) -> bool:
    return name != _META and not name.startswith(_TRANSITIONS)
