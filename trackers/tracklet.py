"""A tracklet: one track of one camera, summarised for the association across cameras."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Identifies a tracklet: its camera and its track id.
TrackletKey = tuple[str, int]
#: The pseudo camera of people tracked on the ground plane; no real camera can have this name.
GROUND = ":ground"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tracklet:
    """The state of one track up to ``end``; final once ``closed``.

    ``start`` and ``end`` are seconds UTC, ``count`` the number of observations.
    ``exemplars`` is ``(K, D)`` float32 unit vectors of the best crops, ``qualities`` ``(K,)``
    float32 in 0..1, ``exemplar_times`` ``(K,)`` float64 seconds UTC.
    ``path`` is ``(M, 4)`` float64, in order of time: seconds UTC, footpoint x and y in pixels, and
    box height in pixels; an optional fifth column is the detector's score, and a sixth which sides
    of the box are uncertain, see `ground.sides`. ``ground`` is
    ``(M, 2)`` float64 ground metres of the same rows, or None when the camera is not calibrated.
    ``text_vectors`` is ``(K, T)`` and ``visibilities`` ``(K, P)`` float32 of the same crops as the
    exemplars, or None from a network that does not give them.
    """

    camera_id: str
    track_id: int
    revision: int
    start: float
    end: float
    count: int
    closed: bool
    exemplars: NDArray[np.float32]
    qualities: NDArray[np.float32]
    exemplar_times: NDArray[np.float64]
    path: NDArray[np.float64]
    ground: NDArray[np.float64] | None = None
    text_vectors: NDArray[np.float32] | None = None
    visibilities: NDArray[np.float32] | None = None
    #: Camera and track id.
    key: TrackletKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.camera_id, self.track_id))
        if self.end < self.start:
            raise ValueError(f"tracklet {self.key} ends at {self.end}, before {self.start}")
        if not len(self.exemplars) == len(self.qualities) == len(self.exemplar_times):
            raise ValueError(f"tracklet {self.key}: exemplars and qualities differ in length")
        for of_crops in (self.text_vectors, self.visibilities):
            if of_crops is not None and len(of_crops) != len(self.exemplars):
                raise ValueError(f"tracklet {self.key}: its crops differ in number")
        if self.path.ndim != 2 or self.path.shape[1] not in (4, 5, 6):
            shape = self.path.shape
            raise ValueError(f"tracklet {self.key}: path must have 4 to 6 columns, got {shape}")
        if self.ground is not None and self.ground.shape != (len(self.path), 2):
            raise ValueError(f"tracklet {self.key}: ground must be (M, 2) like path")
