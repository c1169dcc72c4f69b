"""The parts of a run: node, associator and recorder, each able to be a process of its own."""

import threading
import time
from pathlib import Path

from pipeline.associator import AssociatorService
from pipeline.bus.streams import Bus
from pipeline.config import SiteConfig
from pipeline.node import Node
from pipeline.opening import (
    association_of,
    check_settings,
    open_bus,
    open_models,
    open_sources,
)
from pipeline.progress import Tally
from pipeline.recorder import Recorder
from pipeline.run_directory.preparing import prepare
from pipeline.run_directory.reader import RunDirectory
from pipeline.stopping import Stop


def associate(config: SiteConfig, bus: Bus, stop: threading.Event, tally: Tally) -> None:
    """Link the tracklets of a site until every camera has ended, or ``stop`` is set."""
    association = association_of(config)
    service = AssociatorService(bus, association, config.cameras, on_decision=tally.on_decision)
    service.run(stop)


def record(config: SiteConfig, bus: Bus, out: Path, stop: threading.Event) -> None:
    """Write what happens into ``out`` until all has ended, or ``stop`` is set."""
    recorder = Recorder(bus, out, config.recording.segment_s, time.monotonic)
    recorder.run(stop)


def run_node(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """A node as a process of its own: frames in, observations and tracklets to ``config.redis``."""
    sources = open_sources(config)
    check_settings(config, sources)
    detector, embedder = open_models(config, sources)
    with open_bus(config.redis, config.site) as bus:
        node = Node(
            config, sources, bus, detector=detector, embedder=embedder, on_frames=tally.on_frames
        )
        node.run(stop.input)


def run_associator(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """The associator as a process of its own, until every camera of ``config`` has ended."""
    with open_bus(config.redis, config.site) as bus:
        associate(config, bus, stop.input, tally)


def run_recorder(config: SiteConfig, out: Path, stop: Stop) -> RunDirectory:
    """The recorder as a process of its own; ``out`` is new, or that of a recorder that died."""
    prepare(out, config, resume=True)
    with open_bus(config.redis, config.site) as bus:
        record(config, bus, out, stop.input)
        if not stop.input.is_set():
            # All is recorded; the next run of this site starts with empty streams.
            bus.delete_site()
    return RunDirectory(out)
