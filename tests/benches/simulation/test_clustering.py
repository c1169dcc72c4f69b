"""The clustering baseline: clusters of recent tracklets with persistent ids."""

from builders_trackers import make_tracklet
from simulation.clustering import EVERY_S, WINDOW_S, Clustering


def ids(clustering: Clustering, at: float) -> dict[int, int]:
    return {decision.key[1]: decision.global_id for decision in clustering.decide(at)}


def test_no_tracklets() -> None:
    assert Clustering().decide(EVERY_S) == []


def test_no_decision_before_it_is_due() -> None:
    clustering = Clustering()
    clustering.observe(make_tracklet(0, 2, exemplars=[0]))
    assert clustering.decide(EVERY_S - 0.1) == []
    assert len(clustering.decide(EVERY_S)) == 1


def test_similar_tracks_are_one_person() -> None:
    clustering = Clustering()
    clustering.observe(make_tracklet(0, 2, exemplars=[0], track_id=1))
    clustering.observe(make_tracklet(3, 5, exemplars=[10], track_id=2, camera_id="b"))
    clustering.observe(make_tracklet(3, 5, exemplars=[90], track_id=3, camera_id="c"))
    found = ids(clustering, 5)
    assert found[1] == found[2] != found[3]


def test_no_person_is_twice_in_a_camera_at_once() -> None:
    clustering = Clustering()
    clustering.observe(make_tracklet(0, 2, exemplars=[0], track_id=1))
    clustering.observe(make_tracklet(2, 4, exemplars=[0], track_id=2))
    found = ids(clustering, 5)
    assert found[1] != found[2]


def test_a_person_keeps_the_id_and_only_changes_are_returned() -> None:
    clustering = Clustering()
    clustering.observe(make_tracklet(0, 2, exemplars=[0], track_id=1))
    first = ids(clustering, 5)
    clustering.observe(make_tracklet(6, 8, exemplars=[5], track_id=2, camera_id="b"))
    assert ids(clustering, 10) == {2: first[1]}


def test_tracklets_outside_the_window_are_forgotten() -> None:
    clustering = Clustering()
    clustering.observe(make_tracklet(0, 2, exemplars=[0], track_id=1))
    clustering.decide(5)
    assert clustering.forget(2 + WINDOW_S) == []
    assert clustering.forget(2.1 + WINDOW_S) == [("a", 1)]
