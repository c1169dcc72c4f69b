"""Learning which cameras see one place, and what that says about people."""

import msgspec
import pytest

from builders_trackers import both_see, make_rules, make_tracklet
from trackers.association.association import Association
from trackers.association.shared_views import Pair, SharedViews
from trackers.tracklet import GROUND, Tracklet


def all_of(seen: dict[str, list[Tracklet]]) -> list[Tracklet]:
    return [tracklet for tracklets in seen.values() for tracklet in tracklets]


def nobody(_: str) -> list[Tracklet]:
    return []


def learned() -> SharedViews:
    views = SharedViews(lambda _: None)
    views.learn_all(["a", "b"], all_of(both_see()))
    return views


def test_cameras_of_one_place_are_found_and_told() -> None:
    told: list[set[Pair]] = []
    views = SharedViews(told.append)
    views.learn_all(["b", "a", GROUND], all_of(both_see()))
    assert told == [{("a", "b")}]


def test_evidence_is_the_same_from_both_sides_and_a_mean() -> None:
    views = learned()
    seen = both_see()
    a, same, other = seen["a"][0], seen["b"][0], seen["b"][1]
    good, bad = views.evidence(a, [same]), views.evidence(a, [other])
    assert good > 3
    assert bad < 0
    assert views.evidence(same, [a]) == good
    assert views.evidence(a, [same, other]) == pytest.approx((good + bad) / 2)


def test_without_a_map_or_company_there_is_no_evidence() -> None:
    seen = both_see()
    assert SharedViews(lambda _: None).evidence(seen["a"][0], seen["b"]) == 0
    assert learned().evidence(seen["a"][0], []) == 0
    elsewhere = make_tracklet(0, 30, camera_id="c")
    assert learned().evidence(seen["a"][0], [elsewhere]) == 0


def test_what_was_learned_survives_a_restart() -> None:
    views = learned()
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(views.memory()))
    told: list[set[Pair]] = []
    again = SharedViews(told.append)
    again.remember(memory)
    assert told == [{("a", "b")}]
    assert again.memory() == views.memory()
    seen = both_see()
    assert again.evidence(seen["a"][0], seen["b"]) == views.evidence(seen["a"][0], seen["b"])


def test_a_pair_is_tried_after_a_while_and_then_less_and_less_often() -> None:
    views = SharedViews(lambda _: None)
    tried = []

    for at in range(0, 161, 10):

        def seen_by(camera_id: str, at: int = at) -> list[Tracklet]:
            tried.append((at, camera_id))
            return both_see()[camera_id]

        views.learn(float(at), ["a", "b"], seen_by)
    assert tried == [(at, name) for at in (20, 40, 80, 160) for name in ("a", "b")]


def test_one_pair_every_five_seconds() -> None:
    views = SharedViews(lambda _: None)
    tried = []

    for at in (0.0, 20.0, 24.9, 25.0, 29.9, 31.0, 40.0):

        def seen_by(_: str, at: float = at) -> list[Tracklet]:
            tried.append(at)
            return []

        views.learn(at, ["a", "b", "c"], seen_by)
    assert tried == [at for at in (20.0, 25.0, 31.0, 40.0) for _ in range(2)]


def test_on_a_large_site_only_cameras_that_saw_a_person_at_once_are_tried() -> None:
    cameras = [f"c{n}" for n in range(9)]
    views = SharedViews(lambda _: None)
    views.learn(0.0, cameras, nobody)
    assert views.memory()["due"] == []
    here = make_tracklet(0, 5, camera_id="c2")
    at_once = make_tracklet(5, 9, camera_id="c1")
    later = make_tracklet(5.1, 9, camera_id="c3")
    on_ground = make_tracklet(0, 5, camera_id=GROUND)
    views.add(here, [here, at_once, later, on_ground])
    assert [(a, b) for a, b, *_ in views.memory()["due"]] == [("c1", "c2")]


def test_cameras_that_cannot_see_one_place_are_not_tried() -> None:
    found: list[set[tuple[str, str]]] = []
    views = SharedViews(found.append, lambda a, b: {a, b} == {"a", "c"})
    views.learn(0.0, ["a", "b", "c"], nobody)
    views.add(make_tracklet(0, 5, camera_id="b"), [make_tracklet(0, 5, camera_id="c")])
    assert [(a, b) for a, b, *_ in views.memory()["due"]] == [("a", "c")]
    views.learn_all(["a", "b"], all_of(both_see()))
    assert found == []


def test_a_map_that_many_tracks_do_not_confirm_is_dropped() -> None:
    views = learned()
    few = both_see(people=3, shift_s=7.0)
    views.learn_all(["a", "b"], all_of(few))
    assert views.evidence(both_see()["a"][0], both_see()["b"]) != 0
    views.learn_all(["a", "b"], all_of(both_see(people=12, shift_s=7.0)))
    assert views.evidence(both_see()["a"][0], both_see()["b"]) == 0


def test_people_are_linked_by_place_alone_where_views_overlap() -> None:
    association = Association(make_rules())
    for tracklet in all_of(both_see()):
        association.observe(tracklet)
    association.decide(40.0)
    association.finish()
    owners = {key: association.owner(key) for key in ((c, n) for c in "ab" for n in range(4))}
    assert all(owners["a", n] == owners["b", n] for n in range(4))
    assert len({*owners.values()}) == 4


def test_cameras_of_other_places_are_not_taken_for_one() -> None:
    association = Association(make_rules())
    for tracklet in all_of(both_see(shift_s=7.0)):
        association.observe(tracklet)
    association.decide(60.0)
    association.finish()
    assert not association.topology.beside
