from builders_ground import track_at
from trackers.ground.following import StepResult
from trackers.ground.walk_log import Piece, WalkLog, log_memory, remembered_log

WEST, SOUTH, GATE = ("west", 1), ("south", 2), ("gate", 3)


def _log(*moments):
    """``moments`` are dicts of the walk of each track, one a second."""
    log = WalkLog()
    for number, seen in enumerate(moments):
        time = float(number)
        places = {walk: (float(walk), time) for walk in seen.values()}
        log.add(StepResult(time, seen, places, []), dict.fromkeys(seen, time))
    return log


def _tracks(**ends):
    keys = {"west": WEST, "south": SOUTH, "gate": GATE}
    found = {}
    for name, end in ends.items():
        camera_id, track = keys[name]
        tracklet = track_at("west", track, [(0.0, (4, 3)), (end, (4, 3))])
        found[camera_id, track] = tracklet
    return found


def test_walks_are_exchanged_from_a_moment_on():
    log = _log(*[{WEST: 1, SOUTH: 2}] * 4)
    log.walks[1].decided = log.walks[2].decided = 1
    log.exchange(1, 2, 2.0, _tracks(west=3.0, south=3.0))
    assert log.shown == {WEST: [(0.0, 1), (2.0, 2)], SOUTH: [(0.0, 2), (2.0, 1)]}
    assert log.walks[1].pieces == [Piece(WEST, 0.0, first=True), Piece(SOUTH, 2.0, first=False)]
    assert log.walks[2].pieces == [Piece(SOUTH, 0.0, first=True), Piece(WEST, 2.0, first=False)]
    assert [log.walks[1].decided, log.walks[2].decided] == [1, 1]
    assert [place[1] for place in log.walks[1].path] == [1.0, 1.0, 2.0, 2.0]
    assert [place[1] for place in log.walks[2].path] == [2.0, 2.0, 1.0, 1.0]


def test_pieces_that_begin_later_move_and_are_told_again():
    log = _log({WEST: 1, SOUTH: 2}, {WEST: 1, SOUTH: 2}, {WEST: 1, GATE: 2}, {WEST: 1, GATE: 2})
    log.walks[1].decided, log.walks[2].decided = 1, 2
    log.exchange(1, 2, 2.0, _tracks(west=1.9, south=1.0, gate=3.0))
    moved = Piece(GATE, 2.0, first=True, moved=True)
    assert log.walks[1].pieces == [Piece(WEST, 0.0, first=True), moved]
    assert log.walks[1].decided == 1
    # The others had ended by then.
    assert log.walks[2].pieces == [Piece(SOUTH, 0.0, first=True)]
    assert log.shown == {WEST: [(0.0, 1)], SOUTH: [(0.0, 2)], GATE: [(2.0, 1)]}
    assert log_memory(remembered_log(log_memory(log))) == log_memory(log)


def test_the_parts_of_others_stay():
    log = _log({WEST: 1, SOUTH: 2, GATE: 3}, {WEST: 3, SOUTH: 2, GATE: 1}, {WEST: 3, SOUTH: 2})
    log.exchange(1, 2, 1.5, _tracks(west=2.0, south=2.0, gate=1.0))
    assert log.shown[WEST] == [(0.0, 1), (1.0, 3)]
    assert log.shown[GATE] == [(0.0, 3), (1.0, 1)]
    assert log.shown[SOUTH] == [(0.0, 2), (1.5, 1)]
