"""What sets of exemplars say of being one person."""

from dataclasses import replace

import numpy as np
import pytest

from builders_trackers import make_calibration, unit_vector
from trackers.association.appearance import (
    Appearance,
    Calibration,
    Population,
    direction_of,
    joined,
)
from trackers.tracklet import GROUND

LINE = make_calibration(10.0, 0.6)


def vectors(*degrees):
    return np.array([unit_vector(d) for d in degrees], np.float32).reshape(-1, 2)


def weights(*values):
    return np.array(values, np.float32)


def appearance(population, *degrees):
    return [population.appearance(vector, 1e9) for vector in vectors(*degrees)]


def crowd(people, common=0.0, seed=0, dimension=64):
    """Unit vectors of people who have so much in common."""
    random = np.random.default_rng(seed)
    own = random.normal(0, 1, (people, dimension)) * np.sqrt((1 - common) / dimension)
    shared = random.normal(0, 1, dimension) * np.sqrt(common / dimension)
    found = own + shared
    return list((found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32))


def test_evidence_is_zero_at_the_midpoint_and_linear_around_it():
    population = Population(LINE)
    one, *others = appearance(population, 0, np.degrees(np.arccos(0.6)), 0, 90)
    assert population.evidence(one, others) == pytest.approx([0.0, 4.0, -6.0], abs=1e-5)


def test_of_nobody_there_is_nothing_to_say():
    population = Population(LINE)
    (one,) = appearance(population, 0)
    assert population.evidence(one, []).shape == (0,)
    assert population.evidence_in_order([], []) == 0.0
    assert population.evidence_in_order([one], ["a"]) == 0.0
    assert joined([]) is None


def test_a_direction_lies_amid_the_exemplars_by_their_qualities():
    assert direction_of(vectors(0, 90), weights(1, 1)) == pytest.approx(unit_vector(45))
    nearer = direction_of(vectors(0, 90), weights(3, 1))
    assert nearer[0] > nearer[1] > 0
    # Crops of no quality count when there are no others.
    assert direction_of(vectors(0, 90), weights(0, 0)) == pytest.approx(unit_vector(45))


def test_in_order_each_is_compared_with_all_before_it():
    population = Population(LINE)
    first, second, third = appearance(population, 0, 20, 40)
    pairs = population.evidence(second, [first])[0]
    last = population.evidence(third, [joined([first, second])])[0]
    appearance_in_order = [first, second, third]
    found = population.evidence_in_order(appearance_in_order, ["a", "b", "c"])
    assert found == pytest.approx(pairs + last, abs=1e-4)


def test_in_one_view_a_person_appearance_the_same():
    """The third is like the second, of its own camera, and the first is between."""
    population = Population(LINE)
    first, second, third = appearance(population, 0, 80, 82)
    pairs = population.evidence(second, [first])[0]
    alike = population.evidence(third, [second], [True])[0]
    found = population.evidence_in_order([first, second, third], ["a", "b", "b"])
    assert found == pytest.approx(pairs + alike, abs=1e-4)


def test_within_one_camera_more_similarity_is_asked_for():
    population = Population(LINE)
    first, second = appearance(population, 0, 50)
    between, within = population.evidence(second, [first, first], [False, True])
    # The midpoint of 0.6 is 1.3 times as high.
    assert between - within == pytest.approx(10 * 0.18, abs=1e-4)
    assert population.evidence_in_order([first, second], ["a", "b"]) == pytest.approx(between)
    assert population.evidence_in_order([first, second], ["a", "a"]) == pytest.approx(within)
    on_ground = population.evidence_in_order([first, second], [GROUND, GROUND])
    assert on_ground == pytest.approx(between)


def test_more_crops_and_visits_are_more_precise_and_more_is_asked_of_them():
    population = Population(Calibration(10.0, 0.5, 0.0, 0.1, visit=0.3, crop=0.4))
    one, eight = (population.precision(weights(*[1] * count)) for count in (1, 8))
    assert one == pytest.approx(1 / 0.7)
    assert eight == pytest.approx(1 / 0.35)
    assert population.precision(weights(1, 0)) == pytest.approx(one, rel=0.01)
    vector = vectors(0)[0]
    sparse = population.evidence(Appearance(vector, one), [Appearance(vector, one)])[0]
    rich = population.evidence(Appearance(vector, eight), [Appearance(vector, eight)])[0]
    assert sparse > rich


def test_what_all_people_have_in_common_is_taken_out():
    population = Population(Calibration(20.0, 0.3, 0.3, 0.125, 0.3, 0.4))
    people = crowd(80, common=0.6)
    population.learn(people)
    assert population.epoch == 1
    before, after = (
        people[0] @ people[1],
        (
            population.appearance(people[0], 1.0).vector
            @ population.appearance(people[1], 1.0).vector
        ),
    )
    assert before > 0.4
    assert abs(after) < 0.4
    evidence = population.evidence(
        population.appearance(people[0], 1e9),
        [population.appearance(one, 1e9) for one in people[:40]],
    )
    assert evidence[0] > 5
    assert evidence[1:].max() < 0


def test_one_person_seen_often_is_not_taken_out():
    population = Population(Calibration(20.0, 0.3, 0.15, 0.1, 0.3, 0.4))
    (anna,) = crowd(1)
    population.learn([anna])
    same = population.appearance(anna, 1e9)
    assert population.evidence(same, [same])[0] > 5


def test_nobody_is_learnt_from():
    population = Population(LINE)
    population.learn([])
    assert (population.people, population.epoch, len(population.mean)) == (0, 1, 0)
    assert appearance(population, 0)[0].vector == pytest.approx(unit_vector(0))


def test_where_people_stray_further_than_one_person_can_be_appearance_say_little():
    flat = [np.array(unit_vector(d), np.float32) for d in range(0, 360, 5)]
    population = Population(Calibration(22.0, 0.3, 0.0, 0.1, 0.35, 0.4))
    strict = population.evidence(*_pair(population))
    population.learn(flat)
    assert abs(population.evidence(*_pair(population))[0]) < 1 < abs(strict[0])


def _pair(population):
    one, other = appearance(population, 0, 0)
    return one, [other]


def test_what_is_remembered_is_the_same_to_the_last_bit():
    population = Population(LINE)
    population.learn(crowd(9, common=0.3))
    population.learn_cameras({"": crowd(5, common=0.3)})
    other = Population(LINE)
    other.remember(population.memory())
    people = crowd(9, common=0.3)
    said = [
        known.evidence(known.appearance(people[0], 2.0), [known.appearance(p, 2.0) for p in people])
        for known in (population, other)
    ]
    assert said[0].tobytes() == said[1].tobytes()


def test_where_one_person_appearance_more_alike_more_is_asked():
    population = Population(Calibration(20.0, 0.3, 0.0, 0.1, 0.3, 0.4))
    population.learn(crowd(20))
    # As many deviations as in the calibration would be further than half way to one person.
    assert population.spread > 0.35 / 0.3 * 0.1
    population.learn_midpoint([])
    assert population.midpoint == pytest.approx(0.35)
    seen = [population.appearance(one, 1 / 0.3) for one in crowd(12, seed=5)]
    population.learn_midpoint([seen])
    assert population.midpoint == pytest.approx(0.35)
    population.learn_midpoint([seen, seen, []])
    # Twelve pairs of cosine 1 weigh as much as what was known; the midpoint is half way to them.
    assert population.midpoint == pytest.approx((0.35 + 0.5) / 2, abs=0.01)
    population.learn([])
    assert population.midpoint == 0.3


def test_people_of_the_site_outweigh_a_calibration_that_was_not_fitted():
    line = Calibration(20.0, 0.3, 0.0, 0.1, 0.3, 0.4)
    fitted, unfitted = Population(line), Population(replace(line, fitted=False))
    for population in (fitted, unfitted):
        population.learn_variation([np.stack(crowd(4, seed=seed)) for seed in range(8)])
        population.learn(crowd(6, common=0.6))
    assert unfitted.spread != fitted.spread
    assert not len(fitted.variation)
    assert len(unfitted.variation)
    again = Population(unfitted.calibration)
    again.remember(unfitted.memory())
    one, other = crowd(2, seed=9)
    said = [
        known.evidence(known.appearance(one, 2.0), [known.appearance(other, 2.0)])
        for known in (unfitted, again, fitted)
    ]
    assert said[0] == said[1]
    assert said[0] != said[2]


def test_what_a_camera_adds_to_everybody_is_taken_out_there():
    population = Population(Calibration(20.0, 0.3, 0.3, 0.1, 0.3, 0.4))
    bright, dark = crowd(30, common=0.4, seed=1), crowd(30, common=0.4, seed=2)
    population.learn([*bright, *dark])
    population.learn_cameras({"a": bright, "b": dark})

    def like_one_another(camera_id):
        appearance = [population.appearance(one, 1.0, camera_id).vector for one in bright]
        return np.mean(
            [one @ other for one in appearance for other in appearance if one is not other]
        )

    assert abs(like_one_another("a")) < abs(like_one_another("unknown"))
    population.learn([])
    population.learn_cameras({})
    assert population.means == {}
