import math

import pytest

from trackers.single_camera.crops import Chosen, CropChoice


def _choice(spacing_s=0.5, min_quality=0.25):
    return CropChoice[str](spacing_s, min_quality)


def _see(choice, track_id, timestamp, quality, crop="crop"):
    """What a camera does with every crop; returns what was finished."""
    finished = choice.take_finished(timestamp)
    if choice.wants(track_id, quality):
        choice.offer(track_id, timestamp, quality, crop)
    return finished


def _taken(chosen):
    return [(c.track_id, c.timestamp, c.quality) for c in chosen]


def test_nothing_offered():
    assert _choice().take_finished(99.0) == []
    assert _choice().close(1) is None


def test_the_best_of_a_spell():
    choice = _choice()
    for timestamp, quality in [(1.0, 0.5), (1.125, 0.875), (1.25, 0.625)]:
        assert _see(choice, 1, timestamp, quality, f"at {timestamp}") == []
    assert choice.take_finished(1.5) == [Chosen(1, 1.125, 0.875, "at 1.125")]
    assert choice.take_finished(9.0) == []


def test_of_equally_good_crops_the_first():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5, "first")
    _see(choice, 1, 1.125, 0.5, "second")
    assert [c.crop for c in choice.take_finished(2.0)] == ["first"]


def test_a_spell_is_over_at_its_exact_end():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    assert choice.take_finished(1.498) == []
    assert _taken(choice.take_finished(1.5)) == [(1, 1.0, 0.5)]


@pytest.mark.parametrize("start", [0.2, 0.3, 1.7e9 + 0.1])
def test_rounding_does_not_move_the_end(start):
    # 0.2 + 0.5 - 0.2 is a little less than 0.5.
    choice = _choice()
    crops = [c for i in range(50) for c in _see(choice, 1, start + i / 10, 0.5)]
    assert [round((c.timestamp - start) * 10) for c in crops] == list(range(0, 45, 5))


def test_spells_count_from_the_first_crop_not_from_the_last_one_taken():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    # Seen again late in the third spell, which ends at 2.5.
    assert _taken(_see(choice, 1, 2.375, 0.5)) == [(1, 1.0, 0.5)]
    assert choice.take_finished(2.498) == []
    assert _taken(choice.take_finished(2.5)) == [(1, 2.375, 0.5)]


def test_the_smallest_quality_counts_exactly():
    choice = _choice(min_quality=0.25)
    assert choice.wants(1, 0.25)
    assert not choice.wants(1, math.nextafter(0.25, 0.0))
    assert not choice.wants(1, math.nan)


def test_a_poor_crop_does_not_start_the_spells():
    choice = _choice()
    _see(choice, 1, 0.75, 0.125)
    _see(choice, 1, 1.0, 0.5)
    assert choice.take_finished(1.25) == []
    assert len(choice.take_finished(1.5)) == 1


def test_only_better_ones_are_wanted_in_a_spell_and_any_good_one_after_it():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    assert not choice.wants(1, 0.5)
    assert choice.wants(1, 0.625)
    choice.take_finished(1.5)
    assert choice.wants(1, 0.25)


def test_tracks_have_spells_of_their_own():
    choice = _choice()
    _see(choice, 2, 1.0, 0.5)
    _see(choice, 1, 1.25, 0.75)
    assert _taken(choice.take_finished(1.5)) == [(2, 1.0, 0.5)]
    assert _taken(choice.take_finished(1.75)) == [(1, 1.25, 0.75)]


def test_finished_ones_come_by_track():
    choice = _choice()
    for track_id in (3, 1, 2):
        _see(choice, track_id, 1.0, 0.5)
    assert [c.track_id for c in choice.take_finished(2.0)] == [1, 2, 3]


def test_closing_gives_what_still_waits():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    assert choice.close(1) == Chosen(1, 1.0, 0.5, "crop")
    assert choice.close(1) is None
    assert choice.take_finished(9.0) == []


def test_closing_after_the_last_spell_gives_nothing():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    choice.take_finished(1.5)
    assert choice.close(1) is None


def test_spells_start_again_after_closing():
    choice = _choice()
    _see(choice, 1, 1.0, 0.5)
    choice.close(1)
    _see(choice, 1, 1.25, 0.5)
    assert choice.take_finished(1.5) == []
    assert _taken(choice.take_finished(1.75)) == [(1, 1.25, 0.5)]
