import numpy as np
import pytest

from builders_trackers import make_tracklet
from trackers.association.identity import Identity
from trackers.association.reassessment import merge_identities


def _identities(*sizes):
    """Identities 1, 2, ... with one tracklet of these many observations each."""
    identities = {}
    for global_id, count in enumerate(sizes, 1):
        identities[global_id] = Identity(global_id)
        identities[global_id].see(make_tracklet(0, 1, track_id=global_id, count=count))
    return identities


def _weight(identity):
    return sum(member.count for member in identity.members.values())


def _close(a, b):
    """Alike when they weigh about the same."""
    return 10.0 - abs(_weight(a) - _weight(b))


def test_nobody_and_somebody_alone():
    assert merge_identities({}, _close, 0.0) == []
    assert merge_identities(_identities(5), _close, 0.0) == []


def test_exactly_the_threshold_is_not_merged():
    assert merge_identities(_identities(5, 7), _close, 8.0) == []
    assert len(merge_identities(_identities(5, 7), _close, 7.999)) == 1


def test_the_surest_pair_first_and_the_older_id_is_kept():
    identities = _identities(10, 30, 31)
    (merge,) = merge_identities(identities, _close, 8.0)
    assert (merge.kept, merge.gone, merge.score, merge.keys) == (2, 3, 9.0, (("a", 3),))
    assert sorted(identities) == [1, 2]
    assert list(identities[2].members) == [("a", 2), ("a", 3)]


def test_what_was_merged_is_scored_anew():
    # 1 and 2 are a pair; together they weigh as much as 3, which neither does alone.
    identities = _identities(50, 51, 100)
    merges = merge_identities(identities, _close, 5.0)
    assert [(m.kept, m.gone, m.score) for m in merges] == [(1, 2, 9.0), (1, 3, 9.0)]
    assert merges[1].keys == (("a", 3),)
    assert list(identities) == [1]


def test_what_was_merged_may_no_longer_fit():
    # 3 is like 2, which is more like 1; after that nobody is like 3.
    merges = merge_identities(_identities(50, 51, 53), _close, 5.0)
    assert [(m.kept, m.gone) for m in merges] == [(1, 2)]


def test_of_equally_sure_pairs_the_oldest():
    merges = merge_identities(_identities(1, 1, 50, 50), _close, 9.0)
    assert [(m.kept, m.gone) for m in merges] == [(1, 2), (3, 4)]


def test_forbidden_is_never_merged():
    assert merge_identities(_identities(1, 1), lambda a, b: -np.inf, -1000.0) == []


@pytest.mark.parametrize("seed", range(20))
def test_as_when_every_pair_is_scored_every_time(seed):
    sizes = np.random.default_rng(seed).integers(1, 40, 9).tolist()
    merges = merge_identities(_identities(*sizes), _close, 6.0)
    assert [(m.kept, m.gone, m.score) for m in merges] == _the_slow_way(_identities(*sizes), 6.0)


def _the_slow_way(identities, alone):
    merges = []
    while True:
        scores = {
            (a, b): _close(identities[a], identities[b])
            for a in identities
            for b in identities
            if a < b
        }
        if not scores or max(scores.values()) <= alone:
            return merges
        best = max(scores.values())
        kept, gone = min(pair for pair, score in scores.items() if score == best)
        merges.append((kept, gone, best))
        for tracklet in identities.pop(gone).members.values():
            identities[kept].see(tracklet)


def test_the_number_of_scores_is_bounded():
    calls = []

    def score(a, b):
        calls.append((a.global_id, b.global_id))
        return _close(a, b)

    merges = merge_identities(_identities(*range(1, 41)), score, 8.5)
    pairs = 40 * 39 // 2
    assert len(merges) > 5
    assert all(older < younger for older, younger in calls)
    assert pairs <= len(calls) <= pairs + len(merges) * 39
