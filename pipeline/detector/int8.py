"""The eight-bit forms of detectors that come with fusetrack, and whether this processor gains.

`scripts/quantise_detector.py` makes them. Which form runs is measured at the first use, because
processors differ: with AVX2 or VNNI eight bits are about twice as fast as float32.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from pipeline.errors import UserError
from pipeline.weights.store import sha256_of

#: The folder of the forms.
INT8_FOLDER = Path(__file__).parent / "weights"

#: What is written beside an export once it was measured.
_CHOICE = "precision.txt"
_ROUNDS = 9
# Less is not worth the difference.
_GAIN = 1.1


def int8_name(checkpoint: Path) -> str:
    """The name of the eight-bit form of a checkpoint, which says of which file it is."""
    return f"{checkpoint.stem}-{sha256_of(checkpoint)[:16]}.int8.xml"


def int8_form(checkpoint: Path) -> Path | None:
    """The eight-bit form of a checkpoint, by its content; None where there is none."""
    found = INT8_FOLDER.glob(f"*-{sha256_of(checkpoint)[:16]}.int8.xml")
    return next(found, None)


def is_chosen(export: Path, measure: Callable[[], bool]) -> bool:
    """Whether eight bits were chosen for the ``export``, a file in the cache.

    ``measure`` says so at the first use; its answer is kept beside the export.
    """
    kept = export.with_name(_CHOICE)
    try:
        if kept.is_file():
            return kept.read_text().strip() == "int8"
        chosen = measure()
        kept.write_text("int8\n" if chosen else "float\n")
    except OSError as error:
        raise UserError(f"cannot read or write {kept}: {error.strerror}") from error
    return chosen


def gains(slow: Callable[[], object], fast: Callable[[], object]) -> bool:
    """Whether ``fast`` takes clearly less processor time than ``slow``; they take turns."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for run, times in zip((slow, fast), took, strict=True):
            begin = time.process_time()
            run()
            times.append(time.process_time() - begin)
    return median(took[0]) > _GAIN * median(took[1])
