"""What a site keeps of people, for how long, and what of them its pictures show."""

from typing import Literal

from pipeline.config_section import Seconds, Section

#: What of a person is made unrecognisable in a picture.
Blur = Literal["none", "faces", "bodies"]


class RetentionConfig(Section):
    """How long what is recorded is kept, in seconds; None is for ever.

    A tracklet goes with its embedding and its thumbnail, so a thumbnail is never kept longer than
    ``tracklets_s``. Without its identity an observation is a box of nobody.
    """

    observations_s: Seconds | None = None
    tracklets_s: Seconds | None = None
    identities_s: Seconds | None = None
    thumbnails_s: Seconds | None = None
    video_s: Seconds | None = None

    @property
    def shortest_s(self) -> float | None:
        """The shortest of all, None when everything is kept for ever."""
        given = [seconds for _, seconds in self if seconds is not None]
        return min(given, default=None)


class PrivacyConfig(Section):
    """What is blurred in every picture that is written: thumbnails, videos, previews."""

    blur: Blur = "none"
