"""Live iteration: a run in the background whose frames a program receives one by one."""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config.schema import SiteConfig
from pipeline.node.own import Own, PeopleEmbedder
from pipeline.node.perception import PeopleDetector
from pipeline.node.tracker import PeopleTracker
from pipeline.pictures.mosaic import render_run
from pipeline.runtime.moments import Moment, MomentQueue
from pipeline.runtime.run import run_site, site_of
from pipeline.runtime.stopping import Stop


def stream(
    sources: str | Path | Iterable[str | Path],
    out: str | Path | None = None,
    config: SiteConfig | None = None,
    *,
    detector: PeopleDetector | None = None,
    tracker: Callable[[], PeopleTracker] | None = None,
    embedder: PeopleEmbedder | None = None,
) -> Iterator[Moment]:
    """Follow the people of all ``sources``, live or recorded, and give each frame as it is done.

    Frames come in the order in which they are processed, about that of time over all cameras.
    Recordings wait for the loop; a live camera drops frames while the loop is behind. Leaving the
    loop stops the run. Pictures are as the camera gave them, also where the configuration blurs
    what is written. Everything but ``out`` is as of `fusetrack.follow`: without ``out`` nothing
    is kept.

    Raises UserError for bad input, as soon as it is called where that can be known.

    Example:
        >>> for moment in fusetrack.stream("rtsp://gate.local/stream"):
        ...     print(moment.camera_id, moment.timestamp, moment.global_ids)
    """
    own = Own(detector, tracker, embedder)
    return _moments(site_of(sources, config, own), None if out is None else Path(out), own)


def _moments(site: SiteConfig, out: Path | None, own: Own) -> Iterator[Moment]:
    run = _BackgroundRun(site, out, own)
    run.start()
    try:
        yield from run.moments
    finally:
        run.stop_and_join()
    if run.error is not None:
        raise run.error


class _BackgroundRun(threading.Thread):
    """A run in a thread. A program that ends meanwhile does not wait for it."""

    def __init__(self, site: SiteConfig, out: Path | None, own: Own) -> None:
        super().__init__(name="stream", daemon=True)
        self.moments = MomentQueue()
        self.error: Exception | None = None
        self._site, self._out, self._own = site, out, own
        self._stop_run = Stop()

    def run(self) -> None:
        try:
            with _folder(self._out) as out:
                run = run_site(
                    self._site, out, stop=self._stop_run, own=self._own, moments=self.moments
                )
                if self._site.recording.video and not self._stop_run.input.is_set():
                    render_run(run)
        # An exception in a thread would only be printed; the iteration raises it.
        except Exception as error:  # noqa: BLE001
            self.error = error
        finally:
            self.moments.end()

    def stop_and_join(self) -> None:
        """Stop it; what was read is written where it is kept."""
        if self._out is None:
            self._stop_run.stop_all()
        # Before it waits for the program no longer, so that it reads nothing more.
        self._stop_run.input.set()
        self.moments.close()
        self.join()


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """The run directory, or one that is removed after the block."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="fusetrack-") as folder:
        yield Path(folder) / "run"
