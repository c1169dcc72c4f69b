"""The people of a day: the requested number of plausible tracks."""

from itertools import pairwise

import numpy as np
import pytest

from simulation.people import TRACKS_PER_MINUTE, Tracks, people_of_a_day
from simulation.site_graph import make_site


def a_day(cameras: int = 20, tracks: int = 2000) -> Tracks:
    return people_of_a_day(make_site(cameras, seed=1), tracks, seed=1)


@pytest.mark.parametrize("tracks", [1, 40, 2000])
def test_exactly_the_requested_number_of_tracks_in_order(tracks: int) -> None:
    found = a_day(tracks=tracks)
    assert len(found) == tracks
    assert (np.diff(found.start) >= 0).all()
    assert (found.end > found.start).all()


def test_no_person_is_twice_in_a_camera_at_once() -> None:
    found = a_day()
    order = np.lexsort((found.start, found.camera, found.person))
    same = (np.diff(found.person[order]) == 0) & (np.diff(found.camera[order]) == 0)
    gaps = found.start[order][1:] - found.end[order][:-1]
    assert (gaps[same] > 0).all()


def test_only_overlapping_cameras_see_a_person_at_once() -> None:
    site = make_site(20, seed=1)
    found = people_of_a_day(site, 2000, seed=1)
    overlapping = {pair for pair, seconds in site.walking_times().items() if seconds == 0}
    order = np.lexsort((found.start, found.person))
    seen_together = {
        (site.camera_ids[found.camera[a]], site.camera_ids[found.camera[b]])
        for a, b in pairwise(order.tolist())
        if found.person[a] == found.person[b] and found.start[b] < found.end[a]
    }
    assert seen_together
    assert seen_together <= overlapping


def test_cameras_are_equally_busy_on_a_large_site() -> None:
    for cameras in (20, 200):
        found = a_day(cameras, 100 * cameras)
        # The first minutes fill the site.
        steady = (found.start > found.start[-1] / 2).sum()
        minutes = (found.start[-1] - found.start[-1] / 2) / 60
        assert steady / minutes / cameras == pytest.approx(TRACKS_PER_MINUTE, rel=0.25)
