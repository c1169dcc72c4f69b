"""Compiled OpenVINO networks, kept on disk: reading one takes a third of the time of compiling it.

A file has its own digest in front, because OpenVINO takes one in which bytes have changed.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from reid_model.atomic_file import replacing
from reid_model.openvino_runtime import core

_LOG = logging.getLogger(__name__)
_PROCESSOR = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
_DIGEST_BYTES = hashlib.sha256().digest_size


def compile_kept(
    make: Callable[[], Any], options: dict[str, Any], depends_on: bytes, folder: Path
) -> Any:
    """The network that ``make`` gives, compiled for the CPU with ``options``.

    It is read from ``folder`` where it was compiled before by this version of OpenVINO on such a
    processor from the same ``depends_on``, which are to be all the bytes that ``make`` uses. Any
    file there that is damaged is made again; several processes may do so at once. Where the folder
    cannot be written, nothing is kept. Raises RuntimeError when the network cannot be compiled.
    """
    path = folder / f"{_digest_of(options, depends_on)}.blob"
    kept = _read(path, options)
    if kept is not None:
        return kept
    compiled = core().compile_model(make(), "CPU", options)
    _keep(path, compiled)
    return compiled


def _digest_of(options: dict[str, Any], depends_on: bytes) -> str:
    digest = hashlib.sha256(depends_on)
    processor = [core().get_property("CPU", name) for name in _PROCESSOR]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    digest.update(repr((version("openvino"), processor, cores, sorted(options.items()))).encode())
    return digest.hexdigest()[:32]


def _read(path: Path, options: dict[str, Any]) -> Any:
    """A kept network; None if there is none, or not as it was written."""
    try:
        written = path.read_bytes()
    except OSError:
        return None
    digest, blob = written[:_DIGEST_BYTES], written[_DIGEST_BYTES:]
    if digest == hashlib.sha256(blob).digest():
        try:
            return core().import_model(blob, "CPU", options)
        except RuntimeError as error:
            _LOG.info("OpenVINO does not read %s: %s", path, error)
    _LOG.warning("%s is damaged; the network is compiled again", path)
    return None


def _keep(path: Path, compiled: Any) -> None:
    blob = compiled.export_model().getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, path.with_name(f".{path.stem}-{uuid4().hex}")) as partial:
            partial.write_bytes(hashlib.sha256(blob).digest() + blob)
    except OSError as error:
        _LOG.info("a compiled network cannot be kept as %s: %s", path, error)
