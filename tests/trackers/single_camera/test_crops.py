import math

import pytest

from trackers.single_camera.crops import CropSelector, SelectedCrop


def _selector(spacing_s=0.5, min_quality=0.25):
    return CropSelector[str](spacing_s, min_quality)


def _process(selector, track_id, timestamp, quality, crop="crop"):
    """Process a crop as a camera does; returns the finished crops."""
    finished = selector.pop_finished(timestamp)
    if selector.accepts(track_id, quality):
        selector.add(track_id, timestamp, quality, crop)
    return finished


def _rows(selected):
    return [(c.track_id, c.timestamp, c.quality) for c in selected]


def test_no_crops():
    assert _selector().pop_finished(99.0) == []
    assert _selector().close(1) is None


def test_the_best_of_an_interval():
    selector = _selector()
    for timestamp, quality in [(1.0, 0.5), (1.125, 0.875), (1.25, 0.625)]:
        assert _process(selector, 1, timestamp, quality, f"at {timestamp}") == []
    assert selector.pop_finished(1.5) == [SelectedCrop(1, 1.125, 0.875, "at 1.125")]
    assert selector.pop_finished(9.0) == []


def test_the_first_of_equally_good_crops():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5, "first")
    _process(selector, 1, 1.125, 0.5, "second")
    assert [c.crop for c in selector.pop_finished(2.0)] == ["first"]


def test_an_interval_ends_exactly():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    assert selector.pop_finished(1.498) == []
    assert _rows(selector.pop_finished(1.5)) == [(1, 1.0, 0.5)]


@pytest.mark.parametrize("start", [0.2, 0.3, 1.7e9 + 0.1])
def test_rounding_does_not_move_the_end(start):
    # 0.2 + 0.5 - 0.2 is a little less than 0.5.
    selector = _selector()
    crops = [c for i in range(50) for c in _process(selector, 1, start + i / 10, 0.5)]
    assert [round((c.timestamp - start) * 10) for c in crops] == [0, 5, 10, 15, 20]


def test_later_intervals_are_longer_until_they_are_shortened():
    selector = _selector()
    crops = [c for i in range(80) for c in _process(selector, 1, 1 + i / 8, 0.5)]
    assert [c.timestamp for c in crops] == [1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 7.0]
    selector.shorten(1, 11.0)
    selector.shorten(2, 11.0)
    assert [c.timestamp for c in selector.pop_finished(11.0)] == [9.0]
    again = [c for i in range(13) for c in _process(selector, 1, 11 + i / 8, 0.5)]
    assert [c.timestamp for c in again] == [11.0, 11.5, 12.0]


def test_short_intervals_stay_as_they_are_when_shortened():
    selector = _selector()
    crops = []
    for i in range(40):
        crops += _process(selector, 1, 1 + i / 8, 0.5)
        selector.shorten(1, 1 + i / 8)
    assert [c.timestamp for c in crops] == [1.0 + i / 2 for i in range(9)]


def test_intervals_count_from_the_first_crop():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    # Seen again late in the third interval, which ends at 2.5.
    assert _rows(_process(selector, 1, 2.375, 0.5)) == [(1, 1.0, 0.5)]
    assert selector.pop_finished(2.498) == []
    assert _rows(selector.pop_finished(2.5)) == [(1, 2.375, 0.5)]


def test_the_minimum_quality_is_exact():
    selector = _selector(min_quality=0.25)
    assert selector.accepts(1, 0.25)
    assert not selector.accepts(1, math.nextafter(0.25, 0.0))
    assert not selector.accepts(1, math.nan)


def test_a_poor_crop_does_not_start_an_interval():
    selector = _selector()
    _process(selector, 1, 0.75, 0.125)
    _process(selector, 1, 1.0, 0.5)
    assert selector.pop_finished(1.25) == []
    assert len(selector.pop_finished(1.5)) == 1


def test_only_better_crops_are_accepted_within_an_interval():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    assert not selector.accepts(1, 0.5)
    assert selector.accepts(1, 0.625)
    selector.pop_finished(1.5)
    assert selector.accepts(1, 0.25)


def test_tracks_have_separate_intervals():
    selector = _selector()
    _process(selector, 2, 1.0, 0.5)
    _process(selector, 1, 1.25, 0.75)
    assert _rows(selector.pop_finished(1.5)) == [(2, 1.0, 0.5)]
    assert _rows(selector.pop_finished(1.75)) == [(1, 1.25, 0.75)]


def test_finished_crops_are_ordered_by_track():
    selector = _selector()
    for track_id in (3, 1, 2):
        _process(selector, track_id, 1.0, 0.5)
    assert [c.track_id for c in selector.pop_finished(2.0)] == [1, 2, 3]


def test_closing_returns_the_pending_crop():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    assert selector.close(1) == SelectedCrop(1, 1.0, 0.5, "crop")
    assert selector.close(1) is None
    assert selector.pop_finished(9.0) == []


def test_closing_without_a_pending_crop():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    selector.pop_finished(1.5)
    assert selector.close(1) is None


def test_intervals_restart_after_closing():
    selector = _selector()
    _process(selector, 1, 1.0, 0.5)
    selector.close(1)
    _process(selector, 1, 1.25, 0.5)
    assert selector.pop_finished(1.5) == []
    assert _rows(selector.pop_finished(1.75)) == [(1, 1.25, 0.5)]
