"""Which node follows a camera: one at a time, and another one when that falls silent."""

import socket
import uuid
from collections.abc import Sequence

from pipeline.bus.hold import Hold
from pipeline.bus.keys import claim_key


class Claims(Hold):
    """The cameras of a node, so that no other node follows them too."""

    def __init__(self, url: str, site: str, camera_ids: Sequence[str]) -> None:
        name = f"{uuid.uuid4().hex} {socket.gethostname()}"
        super().__init__(url, site, [], name)
        self._wanted = list(camera_ids)

    def claim(self) -> dict[str, str]:
        """The cameras that other nodes follow and where these run; when there are none, all are
        ours.
        """
        return self.claim_more(self._wanted)

    def claim_more(self, camera_ids: Sequence[str]) -> dict[str, str]:
        """As `claim`, for cameras that come later."""
        cameras = {claim_key(self._site, camera_id): camera_id for camera_id in camera_ids}
        return {
            cameras[key]: name.split(" ", 1)[1] for key, name in self.add(list(cameras)).items()
        }

    def leave(self, camera_ids: Sequence[str]) -> None:
        """These cameras are ours no longer."""
        self.drop([claim_key(self._site, camera_id) for camera_id in camera_ids])
