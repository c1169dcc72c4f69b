"""A site as a graph: cameras, which one leads to which, and how long the walk takes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEED_M_S = 1.3
_SPACING_M = 22.0
_JITTER_M = 4.0
# What a camera sees of the way to the next one.
_SEEN_M = 5.0
_LINKED = 0.85
_OVERLAPPING = 0.15
_DOORS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SiteGraph:
    """``links`` is ``(L, 2)`` int64 pairs of camera numbers, each pair once and in order;
    ``walks`` ``(L,)`` float64 seconds between the two views at an ordinary pace, 0 where they
    overlap; ``doors`` are the numbers of the cameras at which people come in.
    """

    camera_ids: tuple[str, ...]
    links: NDArray[np.int64]
    walks: NDArray[np.float64]
    doors: NDArray[np.int64]

    def walking_times(self) -> dict[tuple[str, str], float]:
        """Seconds from one view to the next, for both directions of every link."""
        times = {}
        for (a, b), walk in zip(self.links.tolist(), self.walks.tolist(), strict=True):
            times[self.camera_ids[a], self.camera_ids[b]] = walk
            times[self.camera_ids[b], self.camera_ids[a]] = walk
        return times


def make_site(cameras: int, seed: int) -> SiteGraph:
    """``cameras`` on a crooked grid of corridors, some 22 m apart; the same seed, the same site.

    Raises ValueError when there are fewer than two.
    """
    if cameras < 2:
        raise ValueError(f"a simulated site has at least 2 cameras, got {cameras}")
    rng = np.random.default_rng([seed, cameras])
    columns = math.ceil(math.sqrt(cameras))
    cells = np.column_stack(np.divmod(np.arange(cameras), columns))
    places = cells * _SPACING_M + rng.normal(0, _JITTER_M, (cameras, 2))
    links = _links(cameras, columns, rng)
    distances = np.linalg.norm(places[links[:, 0]] - places[links[:, 1]], axis=1)
    walks = np.maximum(distances - 2 * _SEEN_M, 1.0) / SPEED_M_S
    walks[rng.random(len(links)) < _OVERLAPPING] = 0.0
    doors = np.sort(rng.choice(cameras, max(1, round(_DOORS * cameras)), replace=False))
    return SiteGraph(tuple(f"c{n:04d}" for n in range(cameras)), links, walks, doors)


def _links(cameras: int, columns: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Corridors to the right and down; the first column and all rows' first steps are open."""
    numbers = np.arange(cameras)
    across = numbers[(numbers % columns < columns - 1) & (numbers + 1 < cameras)]
    down = numbers[numbers + columns < cameras]
    pairs = np.concatenate(
        [np.column_stack([across, across + 1]), np.column_stack([down, down + columns])]
    )
    kept = rng.random(len(pairs)) < _LINKED
    # Nowhere is out of reach: the rows hang together, and the first column joins them.
    kept[: len(across)] = True
    kept[len(across) :] |= down % columns == 0
    return np.asarray(pairs[kept], np.int64).reshape(-1, 2)
