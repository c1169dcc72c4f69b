"""A simulated site: every camera is reachable, and it is reproducible by seed."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simulation.site_graph import make_site


@pytest.mark.parametrize("cameras", [2, 3, 10, 97, 1000])
def test_every_camera_can_be_reached(cameras: int) -> None:
    site = make_site(cameras, seed=1)
    assert len(site.camera_ids) == len(set(site.camera_ids)) == cameras
    links = coo_array((np.ones(len(site.links)), tuple(site.links.T)), (cameras, cameras))
    assert connected_components(links, directed=False)[0] == 1
    assert len(site.doors) >= 1


def test_one_camera_is_not_a_site() -> None:
    with pytest.raises(ValueError, match="at least 2 cameras, got 1"):
        make_site(1, seed=1)


def test_a_site_is_reproducible() -> None:
    one, same, other = make_site(30, seed=1), make_site(30, seed=1), make_site(30, seed=2)
    assert one.walking_times() == same.walking_times() != other.walking_times()


def test_some_views_overlap_and_the_others_are_a_walk_apart() -> None:
    walks = make_site(200, seed=1).walks
    assert 0.05 < (walks == 0).mean() < 0.25
    assert 5 < np.median(walks[walks > 0]) < 15


def test_walking_times_are_symmetric() -> None:
    site = make_site(10, seed=1)
    times = site.walking_times()
    assert len(times) == 2 * len(site.links)
    assert all(times[a, b] == times[b, a] for a, b in times)
