"""One self-contained HTML page of a run, to look at.

summary.py    the tables of a run -> what the page shows, as plain values
clock.py      how moments are written, placed and ticked on a time line
pictures.py   thumbnails as data URIs
page.py       the page itself, from report.html.jinja, report.css and report.js
"""

from pipeline.report.page import write_report

__all__ = ["write_report"]
