"""The running system: sources, detector, node, bus, associator, recorder, API, command line."""

from importlib.util import find_spec
from pathlib import Path


def check_trackers() -> None:
    """Raise ImportError when Roboflow's ``trackers`` lies in front of ours or among its files."""
    own = Path(__file__).resolve().parent.parent / "trackers"
    spec = find_spec("trackers")
    found = own if spec is None or spec.origin is None else Path(spec.origin).resolve().parent
    if found != own or (own / "core").is_dir():
        raise ImportError(
            f"{found} is not fusetrack's: the package trackers (Roboflow) has the same import "
            "name, and the two cannot share an environment. Install fusetrack into one of its "
            "own, or `pip uninstall trackers` and install fusetrack again"
        )
