"""The report: run folders -> statistics -> one HTML page that opens offline.

One file per part of the page; ``page`` puts them together, ``sources`` lays runs side by side.
"""

from lpa.report.omissions import omissions
from lpa.report.page import write_report

__all__ = ["omissions", "write_report"]
