"""The main job as one call from Python."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config.schema import SiteConfig
from pipeline.run_directory.reader import RunDirectory


def follow(
    sources: Sequence[str | Path], out: Path, config: SiteConfig | None = None
) -> RunDirectory:
    """Follow the people of all ``sources`` and return the run directory ``out``.

    A source is what the command line takes: a video, a folder of pictures, a glob, a URL, or
    recorded detections; ``NAME=SOURCE`` names its camera. Raises UserError for bad input.
    """
    from pipeline.runtime.run import run_site
    from pipeline.runtime.site_options import with_options

    site = with_options(config or SiteConfig(), [str(source) for source in sources], {})
    run = run_site(site, out)
    if site.recording.video:
        from pipeline.pictures.render import render_videos

        render_videos(run)
    return run
