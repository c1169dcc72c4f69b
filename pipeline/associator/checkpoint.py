"""The checkpoint of an associator in Redis, from which any associator continues: a hash.

A tracklet has a field of its own, and so have the learned transitions from each camera: only what
has changed is written. What of a tracklet stays the same as it grows, its vectors and all but the
end of its path, is in fields that are named by their content. A walk on the ground shares the
vectors of the tracks that it is made of. All else is in one field.
"""

from collections import Counter
from collections.abc import Iterable, Set
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.associator.watermarks import WatermarkState
from pipeline.bus.messages import Array, ViewOfGround, pack, unpack
from pipeline.bus.order import Numbers
from pipeline.bus.streams import Bus
from pipeline.run_directory.schema import TrackPart
from trackers.association.decision import Clarity
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import Tracklet, TrackletKey

_META = "meta"
# No names of tracks: those have a camera and one colon.
_TRANSITIONS = "ways::"
_PARTS = "parts::"
# Rows of a path in one field, and the bytes of its name.
_ROWS, _NAME = 16, 12

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


class _Stored(msgspec.Struct, array_like=True):
    """A tracklet, and what is known about it. ``vectors`` and ``blocks`` are names of parts.

    ``end_of_path`` is what is later than all blocks. Rows of a path have the place on the ground
    too if there ``is_ground``.
    """

    camera_id: str
    track_id: int
    revision: int
    start: float
    end: float
    count: int
    closed: bool
    dimension: int
    vectors: list[bytes]
    qualities: bytes
    times: bytes
    blocks: list[bytes]
    end_of_path: Array
    is_ground: bool
    global_id: int | None
    state: str
    clarity: Clarity | None = None


class Written(NamedTuple):
    """Fields to write and fields to delete."""

    fields: Fields
    gone: list[str]


class Checkpoint:
    """Knows which parts of tracklets are stored."""

    def __init__(self) -> None:
        self._parts: dict[TrackletKey, frozenset[bytes]] = {}
        # How many tracklets have a part.
        self._uses: Counter[bytes] = Counter()
        # The exemplars of an open tracklet that were written last, and their names.
        self._vectors: dict[TrackletKey, tuple[NDArray[np.float32], list[bytes]]] = {}

    def written(
        self,
        meta: Meta,
        association: GroundAssociation,
        changed: Iterable[TrackletKey],
        forgotten: Iterable[TrackletKey],
    ) -> Written:
        """What to write when ``changed`` tracklets are new or decided, and others forgotten."""
        learned = _Learned(
            association.next_global_id,
            association.has_embeddings,
            msgspec.msgpack.encode(association.memory()),
        )
        changed = {*changed, *association.pop_changed()}
        tracklets = self._tracklets(association, changed, {*forgotten})
        ways = {
            f"{_TRANSITIONS}{camera_id}": msgspec.msgpack.encode(transitions)
            for camera_id, transitions in association.learned_topology.pop_changed().items()
        }
        whole = {_META: msgspec.msgpack.encode(_Whole(meta, learned))}
        return Written({**tracklets.fields, **ways, **whole}, tracklets.gone)

    def restore(self, association: GroundAssociation, fields: Fields) -> None:
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
                tracklet = _tracklet(kept, fields)
                self._use(tracklet.key, {*kept.vectors, *kept.blocks}, {})
                association.restore(tracklet, kept.global_id, kept.state, kept.clarity)
        association.next_global_id = learned.next_global_id
        association.has_embeddings = learned.has_embeddings

    def _tracklets(
        self,
        association: GroundAssociation,
        changed: Set[TrackletKey],
        forgotten: Set[TrackletKey],
    ) -> Written:
        fields, parts, before = dict[str, bytes](), dict[bytes, bytes](), dict[bytes, int]()
        for key in sorted(forgotten):
            self._vectors.pop(key, None)
            self._use(key, set(), before)
        for key in sorted(changed - forgotten):
            tracklet = association.tracklet(key)
            if tracklet is not None:
                vectors = self._names_of(tracklet, parts)
                stored = _stored(association, tracklet, vectors, parts)
                self._use(key, {*vectors, *stored.blocks}, before)
                fields[_field_of(key)] = msgspec.msgpack.encode(stored)
        new = sorted(name for name, uses in before.items() if not uses and self._uses[name])
        old = sorted(name for name, uses in before.items() if uses and not self._uses[name])
        fields |= {_name_of(name): parts[name] for name in new}
        for name in old:
            del self._uses[name]
        return Written(fields, [*map(_field_of, sorted(forgotten)), *map(_name_of, old)])

    def _names_of(self, tracklet: Tracklet, parts: dict[bytes, bytes]) -> list[bytes]:
        """The names of the exemplars, which are put into ``parts`` unless they were written."""
        known = self._vectors.get(tracklet.key)
        if known is not None and known[0] is tracklet.exemplars:
            return known[1]
        names = [_put(row.tobytes(), parts) for row in tracklet.exemplars.astype(np.float16)]
        if tracklet.closed:
            self._vectors.pop(tracklet.key, None)
        else:
            self._vectors[tracklet.key] = tracklet.exemplars, names
        return names

    def _use(self, key: TrackletKey, names: Set[bytes], before: dict[bytes, int]) -> None:
        """Note the parts of a tracklet, and in ``before`` how often each was used before."""
        old = self._parts.pop(key, frozenset())
        for name in names ^ old:
            before.setdefault(name, self._uses[name])
            self._uses[name] += 1 if name in names else -1
        if names:
            self._parts[key] = frozenset(names)


def decoded(fields: Fields) -> Meta | None:
    """The stored state beside the association; None without one."""
    return msgspec.msgpack.decode(fields[_META], type=_Whole).meta if _META in fields else None


def tracklets_in(fields: Fields) -> int:
    """The number of stored tracklets."""
    return sum(map(_is_tracklet, fields))


def progress_of(bus: Bus) -> int:
    """How many messages were decided on in the present run of the site of ``bus``."""
    meta = decoded(bus.state())
    return 0 if meta is None else sum(meta.taken.values())


def _stored(
    association: GroundAssociation,
    tracklet: Tracklet,
    vectors: list[bytes],
    parts: dict[bytes, bytes],
) -> _Stored:
    """The field of a tracklet with these exemplars; what else it is made of is put into
    ``parts``."""
    rows = tracklet.path
    if tracklet.ground is not None:
        rows = np.hstack([rows, tracklet.ground])
    count = len(rows) // _ROWS
    blocks = [_put(rows[i * _ROWS : (i + 1) * _ROWS].tobytes(), parts) for i in range(count)]
    key = tracklet.key
    return _Stored(
        camera_id=tracklet.camera_id,
        track_id=tracklet.track_id,
        revision=tracklet.revision,
        start=tracklet.start,
        end=tracklet.end,
        count=tracklet.count,
        closed=tracklet.closed,
        dimension=tracklet.exemplars.shape[1],
        vectors=vectors,
        qualities=tracklet.qualities.tobytes(),
        times=tracklet.exemplar_times.tobytes(),
        blocks=blocks,
        end_of_path=pack(rows[count * _ROWS :]),
        is_ground=tracklet.ground is not None,
        global_id=association.owner(key),
        state=association.state(key),
        clarity=association.clarity(key),
    )


def _tracklet(stored: _Stored, fields: Fields) -> Tracklet:
    vectors = b"".join(fields[_name_of(name)] for name in stored.vectors)
    blocks = b"".join(fields[_name_of(name)] for name in stored.blocks)
    last = unpack(stored.end_of_path)
    rows = np.concatenate([np.frombuffer(blocks).reshape(-1, last.shape[1]), last])
    columns = rows.shape[1] - 2 if stored.is_ground else rows.shape[1]
    shape = len(stored.vectors), stored.dimension
    return Tracklet(
        camera_id=stored.camera_id,
        track_id=stored.track_id,
        revision=stored.revision,
        start=stored.start,
        end=stored.end,
        count=stored.count,
        closed=stored.closed,
        exemplars=np.frombuffer(vectors, np.float16).reshape(shape).astype(np.float32),
        qualities=np.frombuffer(stored.qualities, np.float32),
        exemplar_times=np.frombuffer(stored.times),
        path=rows[:, :columns],
        ground=rows[:, columns:] if stored.is_ground else None,
    )


def _put(data: bytes, parts: dict[bytes, bytes]) -> bytes:
    """Put a part among ``parts``; its name."""
    name = blake2b(data, digest_size=_NAME).digest()
    parts[name] = data
    return name


def _name_of(part: bytes) -> str:
    return f"{_PARTS}{part.hex()}"


def _field_of(key: TrackletKey) -> str:
    return f"{key[0]}:{key[1]}"


def _is_tracklet(name: str) -> bool:
    return name != _META and not name.startswith((_TRANSITIONS, _PARTS))
