"""What differs between the configuration of a running site and a new one, and what can be done."""

from dataclasses import dataclass

from pipeline.config.schema import CameraConfig, SiteConfig, Way
from pipeline.sources.source_kinds import kind_of


@dataclass(frozen=True, slots=True)
class Difference:
    """Live cameras by name that come, go and come anew; ``config`` is the site with them.

    ``restart`` names what else differs and is not in ``config``.
    """

    config: SiteConfig
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    @property
    def opened(self) -> tuple[str, ...]:
        """The cameras that are opened."""
        return self.added + self.changed

    @property
    def closed(self) -> tuple[str, ...]:
        """The cameras that are closed."""
        return self.removed + self.changed

    def __str__(self) -> str:
        names = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return "; ".join(f"{kind} {', '.join(them)}" for kind, them in names.items() if them)


def live_cameras(config: SiteConfig) -> list[str]:
    """The cameras whose timestamps are about now, by what their sources look like."""
    return [name for name, camera in config.cameras.items() if _is_live(camera)]


def is_live(config: SiteConfig) -> bool:
    """Whether cameras may come and go: any is live, or there is none yet."""
    return not config.cameras or bool(live_cameras(config))


def difference(now: SiteConfig, wanted: SiteConfig) -> Difference:
    """What to do to a site that runs as ``now`` for it to be as ``wanted``."""
    before, after = now.cameras, wanted.cameras
    differing = [name for name in (*after, *before) if before.get(name) != after.get(name)]
    fixed = {name for name in differing if not _can_change(before.get(name), after.get(name))}
    loose = [name for name in dict.fromkeys(differing) if name not in fixed]
    kept = {name: before[name] for name in before if name not in loose}
    cameras = {**kept, **{name: after[name] for name in loose if name in after}}
    # A way must not lead to a camera that has gone.
    ways = [way for way in now.ways if cameras.keys() >= set(way.between)]
    return Difference(
        config=now.model_copy(update={"cameras": cameras, "ways": ways}),
        added=tuple(name for name in loose if name not in before),
        removed=tuple(name for name in loose if name not in after),
        changed=tuple(name for name in loose if name in before and name in after),
        restart=(*(f"cameras.{name}" for name in sorted(fixed)), *_others(now, wanted, ways)),
    )


def _others(now: SiteConfig, wanted: SiteConfig, ways: list[Way]) -> list[str]:
    running = now.model_copy(update={"ways": ways})
    names = [name for name in SiteConfig.model_fields if name != "cameras"]
    return [name for name in names if getattr(running, name) != getattr(wanted, name)]


def _can_change(before: CameraConfig | None, after: CameraConfig | None) -> bool:
    """Recordings are played in one order of time from the start on: none can come or go."""
    return all(_is_live(camera) for camera in (before, after) if camera is not None)


def _is_live(camera: CameraConfig) -> bool:
    return camera.source is not None and kind_of(camera.source) in ("url", "webcam")
