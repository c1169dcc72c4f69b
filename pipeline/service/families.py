"""Rows of labels and numbers as metrics of Prometheus, each with the label site."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from pipeline.service.counts import Histogram

#: Label names and values, all but the site.
Labels = dict[str, str]

_PREFIX = "fusetrack_"


class Families:
    """Makes the metrics of ``site``."""

    def __init__(self, site: str) -> None:
        self._site = {"site": site}

    def gauge(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """What goes up and down."""
        family = GaugeMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(family.name, self._site | labels, value)
        return family

    def counter(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """What only grows while the process lives; it is called ``name`` with ``_total`` behind."""
        family = CounterMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(f"{family.name}_total", self._site | labels, value)
        return family

    def histogram(self, name: str, text: str, rows: Iterable[tuple[Labels, Histogram]]) -> Metric:
        """How values are spread."""
        family = HistogramMetricFamily(_PREFIX + name, text)
        for labels, histogram in rows:
            given = self._site | labels
            counts = histogram.cumulative()
            bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
            for bound, count in zip(bounds, counts, strict=True):
                family.add_sample(f"{family.name}_bucket", given | {"le": bound}, count)
            family.add_sample(f"{family.name}_count", given, counts[-1])
            family.add_sample(f"{family.name}_sum", given, histogram.total)
        return family
