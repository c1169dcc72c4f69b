"""What following people on the ground must remember over a restart, as plain lists and dicts."""

from typing import Any

import numpy as np

from trackers.ground.following import Following, Walk
from trackers.ground.kalman import Walkers, nobody
from trackers.ground.walk_log import Piece, Walked, WalkLog

Memory = dict[str, Any]


def following_memory(following: Following) -> Memory:
    """All of ``following`` but its views."""
    return {
        "time": following.time,
        "next": following.next_number,
        "boxes": [following.boxes, following.disagreement],
        "walks": [[w.number, w.last, w.hits, sorted(w.tracks.items())] for w in following.walks],
        "states": following.walkers.states.tolist(),
        "spreads": following.walkers.spreads.tolist(),
    }


def remember_following(following: Following, memory: Memory) -> None:
    """Bring ``following`` to where it was."""
    following.time = memory["time"]
    following.next_number = memory["next"]
    following.boxes, following.disagreement = memory["boxes"]
    following.walks = [
        Walk(number, last, hits, {camera_id: (track, when) for camera_id, (track, when) in tracks})
        for number, last, hits, tracks in memory["walks"]
    ]
    following.walkers = (
        Walkers(np.array(memory["states"]), np.array(memory["spreads"]))
        if following.walks
        else nobody()
    )


def log_memory(log: WalkLog) -> Memory:
    """All of ``log``."""
    return {
        "walks": [
            [
                number,
                [[*piece.key, piece.since, piece.first] for piece in walk.pieces],
                [list(step) for step in walk.path],
                [walk.count, walk.revision, walk.told, walk.confidence],
            ]
            for number, walk in sorted(log.walks.items())
        ],
        "shown": [[*key, [list(show) for show in shown]] for key, shown in log.shown.items()],
    }


def remembered_log(memory: Memory) -> WalkLog:
    """The log of which ``memory`` is."""
    return WalkLog(
        walks={
            number: Walked(
                [
                    Piece((camera_id, track), since, first)
                    for camera_id, track, since, first in pieces
                ],
                [(time, x, y) for time, x, y in path],
                *numbers,
            )
            for number, pieces, path, numbers in memory["walks"]
        },
        shown={
            (camera_id, track): [(since, number) for since, number in shown]
            for camera_id, track, shown in memory["shown"]
        },
    )
