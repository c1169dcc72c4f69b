"""Computations of an OpenVINO network, several of which may be under way at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class InferenceRequests:
    """The inference requests of a compiled network that are not in use; more are made as needed."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._free: list[Any] = []

    def start(self, batch: NDArray[np.uint8]) -> "Running":
        """Begin to compute; ``batch`` is not copied, and must not be changed until it is done."""
        request = self._free.pop() if self._free else self._compiled.create_infer_request()
        request.start_async([batch], share_inputs=True)
        return Running(request, self._free)


class Running:
    """One computation. Its request is used again once it is given back."""

    def __init__(self, request: Any, free: list[Any]) -> None:
        self._request = request
        self._free = free

    def wait(self) -> Any:
        """The first output, valid until `give_back`."""
        self._request.wait()
        return self._request.get_output_tensor(0).data

    def give_back(self) -> None:
        """Let the request be used again, and its output be overwritten."""
        self._free.append(self._request)
