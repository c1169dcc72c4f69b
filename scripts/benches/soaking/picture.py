"""Draw the curves of a soak."""

from pathlib import Path
from typing import Any

from .drive import Soak
from .figures import FaultOutcome

_COLOURS = {
    **{"killed": "tab:orange", "stopped": "tab:purple", "gone": "tab:red"},
    **{"password": "tab:brown", "redis": "black"},
}


def draw(found: Soak, outcomes: list[FaultOutcome], path: Path) -> None:
    """Draw memory, delay and stream lengths over time, with the faults as bands."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, (memory, delay, entries) = pyplot.subplots(3, 1, figsize=(10, 8), sharex=True)
    _draw_memory(memory, found)
    _draw_delay(delay, found)
    _draw_entries(entries, found)
    for axis in (delay, entries):
        axis.set_ylim(bottom=0)
    for axis in (memory, delay, entries):
        _bands(axis, outcomes, name=axis is delay)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, loc="lower right" if axis is memory else "upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def _draw_memory(axis: Any, found: Soak) -> None:
    minutes = [sample.at / 60 for sample in found.samples]
    axis.plot(minutes, [sample.rss_mb for sample in found.samples], label="all")
    axis.plot(minutes, [sample.private_mb for sample in found.samples], label="without files")
    axis.axvline(found.warm_s / 60, color="grey", linestyle=":", label="end of warm-up")
    axis.set_title("memory of the run, MB", fontsize=10)


def _draw_delay(axis: Any, found: Soak) -> None:
    identities = found.observed.identities
    minutes = [n.moment / 60 for n in identities]
    axis.plot(minutes, [n.at - n.moment for n in identities], ".", markersize=3)
    axis.set_title("capture to identity, s", fontsize=10)


def _draw_entries(axis: Any, found: Soak) -> None:
    held = [sample for sample in found.samples if sample.entries]
    for stream in held[0].entries if held else ():
        counts = [sample.entries[stream] for sample in held]
        axis.plot([sample.at / 60 for sample in held], counts, label=stream)
    axis.set_title("entries in the streams", fontsize=10)
    axis.set_xlabel("minutes")


def _bands(axis: object, outcomes: list[FaultOutcome], *, name: bool) -> None:
    labelled = set[str]()
    for o in outcomes:
        kind = o.fault.kind
        label = kind if name and kind not in labelled else None
        labelled.add(kind)
        end = max(o.fault.until + min(o.back, 60), o.fault.at + 1)
        colour = _COLOURS[kind]
        axis.axvspan(o.fault.at / 60, end / 60, alpha=0.2, color=colour, label=label)  # type: ignore[attr-defined]
