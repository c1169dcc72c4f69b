"""One camera inside a node: tracker, track log, selected crops and the messages to send."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.bus.messages import (
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    pack,
    tracklet_message,
)
from pipeline.bus.revisions import Revisions
from pipeline.config.schema import SiteConfig
from pipeline.node.batching import AnyFrame
from pipeline.node.crops import Crop, Thumbnails, crop_of, qualities
from pipeline.node.met_tracks import ComparedCrop, MetTracks
from pipeline.node.prediction import Prediction
from pipeline.node.tracker import FollowedRate, PeopleTracker, open_tracker
from pipeline.sources import Source
from pipeline.sources.source import Frame, FramePicture
from trackers.detections import Detections, no_detections, without_doubles
from trackers.ground.view import ground_to_image
from trackers.single_camera.continuity import SamePerson
from trackers.single_camera.crops import CropSelector, SelectedCrop
from trackers.single_camera.track_log import Exemplar, TrackLog
from trackers.tracklet import Tracklet

# Tracks are closed slightly later than the tracker drops them.
_CLOSE_AFTER = 1.2
_DEFAULT_FPS = 25.0
# Where a node cannot follow all frames, a new person is seen in at least this many.
_LEAST_FRAMES = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    frame_index: int
    timestamp: float
    tracked: Detections
    ground: NDArray[np.float64] | None
    size: tuple[int, int] | None

    def renamed(self, names: Mapping[int, int]) -> "_Rows":
        """The rows with other track ids."""
        assert self.tracked.track_ids is not None
        ids = [names.get(track_id, track_id) for track_id in self.tracked.track_ids.tolist()]
        return replace(self, tracked=replace(self.tracked, track_ids=np.array(ids, np.int64)))


class Camera:
    """Tracks the people of one camera and collects observations, tracklets and crops.

    ``tracker`` is None before the first frame; ``make_tracker`` makes one that is not that of the
    configuration. ``model`` names the network of its embeddings.
    """

    def __init__(
        self,
        source: Source,
        config: SiteConfig,
        thumbnails: Thumbnails | None,
        same_person: SamePerson | None = None,
        model: str = "",
        make_tracker: Callable[[], PeopleTracker] | None = None,
    ) -> None:
        camera_id = self.camera_id = source.camera_id
        self._model = model
        self._revisions = Revisions(model)
        self.frames = 0
        self._interval_s = config.association.interval_s
        self._thumbnails = thumbnails
        self._size = source.height, source.width
        self._source = source
        self._tracker_config = config.tracker
        self._most_per_s = config.detector.most_per_s or math.inf
        self._prediction = Prediction()
        self._make_tracker = make_tracker
        self.tracker: PeopleTracker | None = None
        self._tracker_fps = 0.0
        self._rate: FollowedRate | None = None
        self._ids_before = self._last_id = 0
        view = config.cameras[camera_id].view
        self._log = TrackLog(
            camera_id,
            close_after_s=config.tracker.buffer_s * _CLOSE_AFTER,
            exemplars=config.reid.exemplars,
            homography=None if view is None else ground_to_image(view.projection),
            same_person=same_person,
        )
        self._choice: CropSelector[Crop] = CropSelector(
            config.reid.spacing_s, config.reid.min_quality
        )
        self._met = None if same_person is None else MetTracks(self._log, self._choice, same_person)
        self._min_quality = config.reid.min_quality
        self._due: list[SelectedCrop[Crop]] = []
        # Tracks, by the tracker's ids, of which more crops are needed from the next period on.
        self._doubted: set[int] = set()
        self._closing: list[int] = []
        self._closed: list[Tracklet] = []
        self._rows: list[_Rows] = []
        self._period: int | None = None
        self._now = -math.inf
        self.timestamp = -math.inf

    def update(self, frame: AnyFrame, detections: Detections) -> Detections:
        """Track the detections of the next frame and select crops; returns the tracked ones."""
        picture = frame.picture if isinstance(frame, Frame) else None
        tracker = self._tracker_at(frame.timestamp)
        # A tracker that a program brings may use it.
        needs_image = getattr(tracker, "needs_image", True)
        image = picture.image if picture and needs_image else None
        detections = without_doubles(detections)
        if len(detections) or self._log.open_ids() or self._make_tracker is not None:
            followed = self._with_ids(tracker.update(detections, image, frame.timestamp))
        else:
            # An empty view costs nothing; a tracker that was idle for long begins again.
            followed = no_detections()
        tracked = self._log.add(followed, frame.timestamp, _size_of(picture))
        self._prediction.update(followed, frame.timestamp)
        self._add_rows(frame, tracked)
        self._choose_crops(followed, picture, frame.timestamp)
        self._end_overdue(frame.timestamp)
        return tracked

    def predict(self, frame: AnyFrame) -> Detections:
        """Where the people of the last update are in a frame of which nothing was detected.

        Only the observations get these boxes; the tracks have what was seen.
        """
        predicted = self._prediction.at(frame.timestamp, self._size)
        assert predicted.track_ids is not None
        ids = [self._log.track_at(i, frame.timestamp) for i in predicted.track_ids.tolist()]
        kept = np.array([row for row, i in enumerate(ids) if i is not None], np.intp)
        ours = np.array([i for i in ids if i is not None], np.int64)
        tracked = replace(predicted.take(kept), track_ids=ours)
        self._add_rows(frame, tracked)
        self._end_overdue(frame.timestamp)
        return tracked

    def _add_rows(self, frame: AnyFrame, tracked: Detections) -> None:
        """Count the frame, and note what is tracked in it."""
        self.frames += 1
        self.timestamp = frame.timestamp
        self._advance(frame.timestamp)
        if len(tracked):
            ground = self._log.ground(tracked.boxes)
            size = _size_of(frame.picture if isinstance(frame, Frame) else None)
            self._rows.append(_Rows(frame.index, frame.timestamp, tracked, ground, size))
        self._due += self._choice.pop_finished(frame.timestamp)

    def _tracker_at(self, timestamp: float) -> PeopleTracker:
        """The tracker, opened with the first frame and again when the rate becomes known.

        A live camera that is off at the start has no rate before it is connected, and one of an
        overloaded node is followed at a lower rate.
        """
        fps, own = min(self._source.fps, self._most_per_s), self._make_tracker
        is_new = bool(fps) and not self._tracker_fps
        if self.tracker is None or (is_new and own is None):
            usual = fps or min(_DEFAULT_FPS, self._most_per_s)
            self._take_over(own() if own else open_tracker(self._tracker_config, usual))
        if is_new:
            self._tracker_fps = fps
            if self._source.live:
                self._rate = FollowedRate(self._tracker_config, fps, switches=own is None)
        assert self.tracker is not None
        if self._rate is not None:
            self._take_over(self._rate.fitting(self.tracker, timestamp))
            self._log.close_after(self._rate.buffer_s * _CLOSE_AFTER)
        return self.tracker

    def _take_over(self, tracker: PeopleTracker) -> None:
        """Go on with ``tracker``, whose ids begin again unless it is the same."""
        if tracker is not self.tracker:
            self.tracker, self._ids_before = tracker, self._last_id

    def _with_ids(self, tracked: Detections) -> Detections:
        """``tracked`` with ids that no earlier tracker of this camera has given."""
        if not len(tracked) or tracked.track_ids is None:
            return tracked
        ids = tracked.track_ids + self._ids_before
        self._last_id = max(self._last_id, int(ids.max()))
        return replace(tracked, track_ids=ids) if self._ids_before else tracked

    @property
    def event_time(self) -> float:
        """Event time of this camera, seconds UTC: no further frame is earlier."""
        return self._now

    def advance_to(self, timestamp: float) -> None:
        """Advance the event time to ``timestamp``, seconds UTC; no later frame is earlier."""
        self._advance(timestamp)
        self._due += self._choice.pop_finished(timestamp)
        self._end_overdue(timestamp)

    def flush_to(self, timestamp: float) -> bool:
        """Advance the event time to that of the next frame, which waits for its turn.

        No track ends by that: the next frame may continue it. Returns whether a period has ended.
        """
        if timestamp <= self._now or self._period is None:
            return False
        self._now = timestamp
        self._due += self._choice.pop_finished(timestamp)
        return self._period_of(timestamp) > self._period

    def exemplars_of(self, chosen: SelectedCrop[Crop]) -> int:
        """The number of exemplars that the track of a crop has."""
        track_id = self._log.track_at(chosen.track_id, chosen.timestamp)
        return 0 if track_id is None else self._log.exemplar_count(track_id)

    def end(self) -> None:
        """End every open track, because the camera has ended."""
        for track_id in self._log.open_ids():
            self._end_track(track_id)

    def take_due_crops(self) -> list[SelectedCrop[Crop]]:
        """Take the crops that are due; each must be embedded and passed to `add_embedding`."""
        due, self._due = self._due, []
        return due

    def add_embedding(
        self,
        chosen: SelectedCrop[Crop],
        embedding: NDArray[np.float32],
        text_vector: NDArray[np.float32] | None = None,
        visibilities: NDArray[np.float32] | None = None,
    ) -> None:
        """Add the embedding ``(D,)`` float32 of a crop returned by `take_due_crops`.

        ``text_vector`` and ``visibilities`` are as of an `Exemplar`.
        """
        if isinstance(chosen.crop, ComparedCrop):
            assert self._met is not None
            found = self._met.compare(chosen.crop, chosen.track_id, embedding, self._closing)
            if found is not None:
                self._rename(found.names, found.since)
            return
        track_id = self._log.track_at(chosen.track_id, chosen.timestamp)
        if track_id is None:
            return
        exemplar = Exemplar(chosen.timestamp, chosen.quality, embedding, text_vector, visibilities)
        self._log.add_exemplar(track_id, exemplar)
        other = self._log.part(track_id, exemplar)
        if other is not None:
            self._end_parted(track_id, other)
        elif self._log.is_doubted(track_id):
            self._doubted.add(chosen.track_id)
        crop = chosen.crop
        if self._thumbnails is not None and crop.image is not None:
            self._thumbnails.add(other or track_id, chosen.quality, crop.image, crop.people)

    def close_tracks(self) -> None:
        """Close the tracks that have ended; call it once all their crops are embedded."""
        self._closed += [self._checked(self._log.close(track_id)) for track_id in self._closing]
        self._closing.clear()

    def take_messages(self, *, ended: bool) -> tuple[list[Message], list[Message]]:
        """Observations and tracklets to send: at the end of each association interval, and last
        when the camera has ``ended``. Empty in between.
        """
        if not ended and (self._period is None or self._period_of(self._now) <= self._period):
            return [], []
        # The end of a camera is later than every period, even one that ends at the last frame.
        at = math.nextafter(self._now, math.inf) if ended else self._next_period()
        tracklets = self._take_closed(at)
        tracklets += [self._revisions.next(self._checked(t), at) for t in self._log.snapshot()]
        tracklets.append(WatermarkMessage(self.camera_id, at, ended))
        return self._take_observations(), tracklets

    def _checked(self, tracklet: Tracklet) -> Tracklet:
        """``tracklet``, without exemplars where few frames are followed and too few show it.

        It may show no person, or be a part of another track, so it must not become a new person.
        """
        if self._rate is None or not self._rate.is_low or tracklet.count >= _LEAST_FRAMES:
            return tracklet
        return replace(
            tracklet,
            exemplars=tracklet.exemplars[:0],
            qualities=tracklet.qualities[:0],
            exemplar_times=tracklet.exemplar_times[:0],
            text_vectors=None,
            visibilities=None,
        )

    def _take_closed(self, at: float) -> list[Message]:
        closed, self._closed = self._closed, []
        return [self._closed_message(tracklet, at) for tracklet in closed]

    def _take_observations(self) -> list[Message]:
        rows, self._rows = self._rows, []
        return [_observations(self.camera_id, rows)] if rows else []

    def _closed_message(self, tracklet: Tracklet, at: float) -> TrackletMessage:
        self._revisions.end(tracklet.track_id)
        taken = None if self._thumbnails is None else self._thumbnails.take(tracklet.track_id)
        if taken is None:
            return tracklet_message(tracklet, at, model=self._model)
        return tracklet_message(tracklet, at, taken.path, taken.jpeg, self._model)

    def _period_of(self, timestamp: float) -> int:
        return int(np.floor(timestamp / self._interval_s))

    def _next_period(self) -> float:
        """Advance to the current period; returns its start, seconds UTC."""
        self._period = self._period_of(self._now)
        start = self._period * self._interval_s
        # Not as soon as a crop is embedded, which depends on the size of the batches.
        for tracker_id in sorted(self._doubted):
            self._choice.shorten(tracker_id, start)
        self._doubted.clear()
        return start

    def _advance(self, timestamp: float) -> None:
        self._now = timestamp
        if self._period is None:
            self._period = self._period_of(timestamp)

    def _end_overdue(self, timestamp: float) -> None:
        for track_id in self._log.overdue(timestamp):
            self._end_track(track_id)

    def _end_track(self, track_id: int) -> None:
        if track_id in self._closing:
            return
        for tracker_id in self._log.tracker_ids(track_id):
            last = self._choice.close(tracker_id)
            if last is not None:
                self._due.append(last)
        self._closing.append(track_id)

    def _end_parted(self, track_id: int, other: int) -> None:
        """End a track from which ``other`` was split; one that has ended takes the other along."""
        self._rename({track_id: other}, self._log.start_of(other))
        self._closing.append(other if track_id in self._closing else track_id)

    def _rename(self, names: Mapping[int, int], since: float) -> None:
        """Rename the tracks of what was not sent yet, from a moment on."""
        self._rows = [row.renamed(names) if row.timestamp >= since else row for row in self._rows]

    def _choose_crops(
        self, tracked: Detections, picture: FramePicture | None, timestamp: float
    ) -> None:
        if not len(tracked) or (picture is None and tracked.embeddings is None):
            return
        assert tracked.track_ids is not None
        found = qualities(tracked, picture, self._size)
        for row, tracker_id in enumerate(tracked.track_ids.tolist()):
            if not self._choice.accepts(tracker_id, float(found.most[row])):
                continue
            quality = found.of(row)
            if self._choice.accepts(tracker_id, quality):
                crop = crop_of(tracked, row, picture)
                self._choice.add(tracker_id, timestamp, quality, crop)
        if self._met is not None:
            self._due += self._met.update(
                tracked, lambda row: found.of(row) >= self._min_quality, picture, timestamp
            )


def _size_of(picture: FramePicture | None) -> tuple[int, int] | None:
    """Width and height."""
    return None if picture is None else (picture.shape[1], picture.shape[0])


def _observations(camera_id: str, rows: list[_Rows]) -> ObservationsMessage:
    counts = [len(row.tracked) for row in rows]
    grounds = [row.ground for row in rows if row.ground is not None]
    track_ids = [row.tracked.track_ids for row in rows if row.tracked.track_ids is not None]
    # Recorded detections have no picture.
    sizes = np.array([row.size for row in rows if row.size is not None], np.int32)
    return ObservationsMessage(
        camera_id=camera_id,
        frame_index=pack(np.repeat(np.array([r.frame_index for r in rows], np.int64), counts)),
        timestamp=pack(np.repeat(np.array([r.timestamp for r in rows], np.float64), counts)),
        track_id=pack(np.concatenate(track_ids)),
        boxes=pack(np.concatenate([row.tracked.boxes for row in rows])),
        scores=pack(np.concatenate([row.tracked.scores for row in rows])),
        ground=pack(np.concatenate(grounds)) if grounds else None,
        sizes=pack(np.repeat(sizes, counts, axis=0)) if len(sizes) == len(rows) else None,
    )
