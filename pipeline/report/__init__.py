"""The report: one self-contained HTML page of a run.

summary.py     the content of the page as plain values, computed from the tables of a run
page.py        the page itself, from report.html.jinja, report.css and report.js
"""

from pipeline.report.page import write_report

__all__ = ["write_report"]
