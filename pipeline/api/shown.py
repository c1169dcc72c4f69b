"""What the API shows: a live site, see `site.LiveSite`, or a run, see `recorded.RecordedSite`."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from pipeline.api.archive import Archive
from pipeline.api.events import Events
from pipeline.api.recent_people import RecentRows
from pipeline.api.schemas import BoxAnswer, CameraAnswer, CountsAnswer, PersonAnswer
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig


class ShownSite(Protocol):
    """Cameras, people and events; any thread may read. Times are seconds UTC.

    ``is_live`` is False for a finished run, ``reachable`` whether Redis answers where it is
    needed. A running site is corrected over its ``bus``.
    """

    is_live: bool
    bus: Bus | None
    reachable: bool
    name: str
    config: SiteConfig
    events: Events

    @property
    def archive(self) -> Archive | None:
        """The run directory, None without one of the current run."""

    def cameras(self) -> list[CameraAnswer]:
        """All cameras, by name."""

    def now(self) -> float | None:
        """The current time of the site, or the end of the run; None while there is none."""

    def people_since(self, moment: float) -> list[PersonAnswer]:
        """All people seen after ``moment``, by global id, where they were last."""

    def observed(self, camera_id: str) -> float:
        """The time up to which the boxes of a camera are known; -inf before."""

    def boxes_at(self, camera_id: str, timestamp: float) -> list[BoxAnswer]:
        """The people in the frame of a camera at this time."""

    def counts(self) -> CountsAnswer:
        """The people in each zone now, and the crossings of each line."""

    def recent_rows(self) -> RecentRows:
        """Parts, tracks and observations that may not be in the run directory yet."""


class PictureViewer(Protocol):
    """A viewer of one camera."""

    async def next(self, timeout_s: float | None = None) -> Picture | None:
        """The next picture; None if there is none within ``timeout_s`` seconds."""

    def stream(self, first: Picture) -> AsyncIterator[bytes]:
        """The parts of an MJPEG stream, starting with ``first``."""


class ShownPictures(Protocol):
    """The pictures of the cameras of a site."""

    def viewer(self, camera_id: str, kind: PictureKind) -> PictureViewer:
        """A viewer of one camera, of pictures of one kind."""

    def newer(self, known: Mapping[str, float | None]) -> dict[str, Picture]:
        """The latest small picture of each camera of ``known`` that is not of its timestamp."""

    def missing(self, camera: CameraAnswer) -> str:
        """Why a camera has no picture, and what was expected."""
