"""A process that is watched from outside, when its configuration asks for it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from pipeline.config.schema import SiteConfig
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import Answer, Pages, plain, served
from pipeline.service.asking import Asking
from pipeline.service.backlog import Backlog, backlog_of
from pipeline.service.health import why_not_alive, why_not_ready

# Prometheus and Kubernetes give up on an answer after some seconds, or one.
_REDIS_ANSWERS_S = 0.8

_log = logging.getLogger(__name__)


@contextmanager
def watched(config: SiteConfig, part: str, tally: Tally) -> Iterator[Watch]:
    """The watch of a process; while the block runs, it is shown where ``config`` says.

    Raises UserError when the address cannot be had.
    """
    watch = Watch(config)
    if config.service.metrics is None:
        yield watch
        return
    with served(config.service.metrics, _pages(config, part, tally, watch)) as address:
        _log.info("metrics at http://%s/metrics", address)
        yield watch


def _pages(config: SiteConfig, part: str, tally: Tally, watch: Watch) -> Pages:
    # Its library loads only when somebody may ask.
    from pipeline.monitoring.metrics import CONTENT_TYPE, Metrics

    asking: Asking[Backlog] = Asking(partial(backlog_of, watch), _REDIS_ANSWERS_S)
    metrics = Metrics(config.site, part, watch, people=tally.people, ask_redis=asking.answer)
    return {
        "/metrics": lambda: Answer(metrics.page(), content_type=CONTENT_TYPE),
        "/healthz": lambda: _verdict(why_not_alive(watch, config.service.stalled_s)),
        "/readyz": lambda: _verdict(why_not_ready(watch, asking.answer)),
    }


def _verdict(reason: str) -> Answer:
    return plain(reason, HTTPStatus.SERVICE_UNAVAILABLE) if reason else plain("ok")
