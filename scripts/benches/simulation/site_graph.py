"""A site as a graph: cameras, camera links and walking times."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEED_M_S = 1.3
_SPACING_M = 22.0
_JITTER_M = 4.0
# Part of the corridor to the next camera that a camera sees, in metres.
_SEEN_M = 5.0
_LINKED = 0.85
_OVERLAPPING = 0.15
_DOORS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SiteGraph:
    """A simulated site.

    ``links`` is ``(L, 2)`` int64 pairs of camera indices, each pair once, in ascending order;
    ``walks`` is ``(L,)`` float64 seconds between the two views at walking pace, 0 where they
    overlap; ``doors`` are the indices of the cameras at which people enter.
    """

    camera_ids: tuple[str, ...]
    links: NDArray[np.int64]
    walks: NDArray[np.float64]
    doors: NDArray[np.int64]

    def walking_times(self) -> dict[tuple[str, str], float]:
        """Transition time in seconds for both directions of every camera link."""
        times = {}
        for (a, b), walk in zip(self.links.tolist(), self.walks.tolist(), strict=True):
            times[self.camera_ids[a], self.camera_ids[b]] = walk
            times[self.camera_ids[b], self.camera_ids[a]] = walk
        return times


def make_site(cameras: int, seed: int) -> SiteGraph:
    """``cameras`` on an irregular grid of corridors, about 22 m apart; reproducible by seed.

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
    """Corridors to the right and down; all rows and the first column are connected."""
    numbers = np.arange(cameras)
    across = numbers[(numbers % columns < columns - 1) & (numbers + 1 < cameras)]
    down = numbers[numbers + columns < cameras]
    pairs = np.concatenate(
        [np.column_stack([across, across + 1]), np.column_stack([down, down + columns])]
    )
    kept = rng.random(len(pairs)) < _LINKED
    # Every camera is reachable: the rows are connected, and the first column joins them.
    kept[: len(across)] = True
    kept[len(across) :] |= down % columns == 0
    return np.asarray(pairs[kept], np.int64).reshape(-1, 2)
