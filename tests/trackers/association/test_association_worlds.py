"""Rules that hold whatever happens, over many small random worlds."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from builders_trackers import make_calibration, make_rules, make_tracklet
from trackers.association.association import Association
from trackers.association.motion import exclusive
from trackers.association.topology import topology_of

RULES = make_rules(calibration=make_calibration(10.0, 0.5))
SEEDS = range(60)
END = 60
# Early and late, or in the middle and at the end.
RESTARTS = ((10, 50), (25, END))
CLOSE_AFTER_S = 2.0
FORGETFUL = replace(RULES, gallery_s=6.0)
# People go from camera to camera in no time, so that many are judged again.
WITH_TRANSITIONS = replace(RULES, topology=topology_of({("a", "b"): 0.0, ("b", "c"): 2.0}))
SETS = {"remembers": RULES, "forgets": FORGETFUL, "with transitions": WITH_TRANSITIONS}
ALL = pytest.mark.parametrize("rules", SETS)


@cache
def _world(seed):
    """Revisions of tracklets by the second at which they are known: ``[(at, tracklet), ...]``.

    People look much alike and at first like somebody else, tracks pause while they are open, and
    some cameras are calibrated, so that the rules have something to do.
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 15))
    return [known for track_id in range(count) for known in _track(rng, track_id)]


def _track(rng, track_id):
    camera_id = str(rng.choice(["a", "b", "c"]))
    start, length, pause = rng.uniform(0, 40), rng.uniform(0.5, 12), rng.uniform(0, 1.9)
    lost, end = start + length / 2, start + length + pause
    person, first_look = rng.choice([0.0, 20.0, 90.0]), rng.choice([0.0, 90.0, 180.0])
    ground = None if camera_id == "c" else [(float(rng.uniform(0, 3)), 0.0)]
    # Lost for a while in the middle, but not for so long that it would be closed.
    ats = range(int(np.ceil(start)), int(np.ceil(end)))
    seen = [(at, lost if lost < at < lost + pause else at) for at in ats]
    seen.append((int(np.ceil(end + CLOSE_AFTER_S)), end))
    return [
        (
            at,
            make_tracklet(
                start,
                until,
                camera_id=camera_id,
                track_id=track_id,
                revision=revision,
                closed=revision == len(seen),
                exemplars=[first_look, *[person] * 8][: revision - 1],
                qualities=[0.2, *[0.8] * 8][: revision - 1],
                ground=ground,
            ),
        )
        for revision, (at, until) in enumerate(seen, 1)
    ]


@cache
def _undisturbed(seed, rules):
    """All decisions on a world in which nothing is shuffled or restarted."""
    return _run(_world(seed), SETS[rules])


def _run(revisions, rules, *, shuffle=None, restart_at=None):
    """All decisions on a world, second by second."""
    association = Association(rules)
    decisions = []
    for at in range(END + 1):
        if at == restart_at:
            association = _restarted(association)
        now = [tracklet for known_at, tracklet in revisions if known_at == at]
        if shuffle is not None:
            shuffle.shuffle(now)
        for tracklet in now:
            association.observe(tracklet)
        decisions += association.decide(at)
        association.forget(at)
    return decisions + association.finish()


def _restarted(association):
    """A new one that knows what the old one knew, in some other order."""
    fresh = Association(association.rules)
    fresh.remember(association.memory())
    for camera_id, memory in association.learned_topology.pop_changed().items():
        fresh.learned_topology.remember(camera_id, memory)
    keys = [*association.waiting]
    keys += [key for identity in association.identities.values() for key in identity.members]
    for key in sorted(keys, reverse=True):
        fresh.restore(
            association.tracklet(key),
            association.owner(key),
            association.state(key),
            association.clarity(key),
        )
    fresh.next_global_id = association.next_global_id
    return fresh


def _people(revisions, decisions):
    """The closed tracklets of each global id, by the last decision on each."""
    final = {decision.key: decision.global_id for decision in decisions}
    people = {}
    for _, tracklet in revisions:
        if tracklet.closed:
            people.setdefault(final[tracklet.key], []).append(tracklet)
    return people


@ALL
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_twice_in_one_camera_at_one_time(seed, rules):
    for tracklets in _people(_world(seed), _undisturbed(seed, rules)).values():
        for i, a in enumerate(tracklets):
            for b in tracklets[i + 1 :]:
                assert not exclusive(a, b), f"{a.key} and {b.key}"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_tracklet_is_assigned_once(seed):
    revisions = _world(seed)
    assigned = [d.key for d in _undisturbed(seed, "remembers") if d.kind == "assigned"]
    assert sorted(assigned) == sorted({tracklet.key for _, tracklet in revisions})


@ALL
@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_arrival_changes_nothing(seed, rules):
    shuffled = _run(_world(seed), SETS[rules], shuffle=np.random.default_rng(seed + 1000))
    assert shuffled == _undisturbed(seed, rules)


@ALL
@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_changes_nothing(seed, rules):
    for restart_at in RESTARTS[seed % 2]:
        interrupted = _run(_world(seed), SETS[rules], restart_at=restart_at)
        assert interrupted == _undisturbed(seed, rules)


def test_the_worlds_are_worth_it():
    """People are found again, and merged, often enough for the rules above to be tried."""
    runs = [_undisturbed(seed, "remembers") for seed in SEEDS]
    assert sum(d.reason == "known person" for run in runs for d in run) > 100
    assert sum(d.kind == "merged" for run in runs for d in run) > 20
    with_transitions = [_undisturbed(seed, "with transitions") for seed in SEEDS]
    assert sum(d.kind in ("reassigned", "split") for run in with_transitions for d in run) > 20
