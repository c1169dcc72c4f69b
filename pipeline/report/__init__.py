"""The report and the statistics: self-contained HTML pages of a run.

summary.py     the content of the page as plain values, computed from the tables of a run
page.py        the page itself, from report.html.jinja, report.css and report.js
statistics.py  the page of statistics, from statistics.html.jinja and the shapes of charts.py
"""

from pipeline.report.page import write_report

__all__ = ["write_report"]
