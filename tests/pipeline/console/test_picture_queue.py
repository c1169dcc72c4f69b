"""Pictures wait for their boxes, so that boxes are where people are. Times are milliseconds."""

from itertools import pairwise
from typing import Any

from typescript import run_typescript

_PLAY = """
(() => {
  const queue = new PictureQueue(), shown = [];
  const events = %s;
  for (let now = 0; now <= %d; now += 20) {
    for (const [what, at, timestamp] of events) {
      if (at !== now) continue;
      if (what === 'picture') queue.addPicture({timestamp, arrived: now, jpeg: `${timestamp}`});
      else queue.addBoxes({timestamp, people: []}, now);
    }
    const due = queue.takeDue(now);
    if (due) shown.push([now, due.timestamp, due.jpeg !== null, due.boxes?.timestamp ?? null]);
  }
  return shown;
})()
"""


def play(events: list[tuple[str, int, float]], until: int) -> list[tuple[Any, ...]]:
    """When each frame was shown, with a picture or not, and the frame of its boxes."""
    script = _PLAY % ([list(event) for event in events], until)
    return [tuple(shown) for shown in run_typescript("picture_queue.ts", script)]


def live(delay: int, seconds: int = 6) -> list[tuple[str, int, float]]:
    """Five pictures a second, and the boxes of a second ``delay`` after its end."""
    frames = range(5 * seconds)
    pictures = [("picture", 200 * frame, float(frame)) for frame in frames]
    boxes = [("boxes", 1000 * (frame // 5 + 1) + delay, float(frame)) for frame in frames]
    return sorted(pictures + boxes, key=lambda event: event[1])


def test_pictures_come_steadily_each_with_its_boxes() -> None:
    shown = play(live(500), 6000)
    later = [one for one in shown if one[0] > 3000]
    assert len(later) >= 12
    assert all(frame == boxes and picture for _, frame, picture, boxes in later)
    gaps = {after[0] - before[0] for before, after in pairwise(later)}
    assert max(gaps) <= 240


def test_a_picture_whose_boxes_are_lost_is_shown_without() -> None:
    events = [event for event in live(0) if event[0] == "picture" or event[2] != 12]
    shown = {frame: boxes for _, frame, _, boxes in play(events, 6000)}
    assert shown[12] is None
    assert shown[11] == 11


def test_boxes_alone_are_shown_where_no_pictures_come() -> None:
    shown = play([("boxes", 3000, 1.0), ("boxes", 3200, 2.0)], 4000)
    assert shown == [(3000, 1.0, False, 1.0), (3200, 2.0, False, 2.0)]


def test_a_page_that_slept_shows_the_newest_picture_only() -> None:
    events = [("picture", 0, float(frame)) for frame in range(10)]
    assert play(events, 1500) == [(1100, 9.0, True, None)]
