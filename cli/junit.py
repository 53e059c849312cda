"""A gate's verdicts as JUnit XML, which continuous integration shows by test case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["junit"]

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold; class names may."""


def junit(classes: pd.DataFrame, reasons: list[str], require_safe: bool) -> str:
    """Return one test case per class and curve.

    Parameters
    ----------
    classes : DataFrame
        Of a gate: ``model, axis, split, title, allowed, verdict, values, n, level``.
    reasons : list of str
        Why the gate did not pass.
    require_safe : bool
        Whether classes that are not shown to be safe fail, too; otherwise they are skipped, which
        in JUnit's words is neither passed nor failed.
    """
    suites = ElementTree.Element("testsuites", name="lpa gate")
    for (model, axis, split), part in classes.groupby(["model", "axis", "split"], sort=False):
        suite = ElementTree.SubElement(suites, "testsuite", name=_text(f"{model} {axis} {split}"))
        verdicts = part["verdict"]
        failing = ~verdicts.eq("safe") if require_safe else verdicts.eq("fails")
        suite.set("tests", str(len(part)))
        suite.set("failures", str(int(failing.sum())))
        suite.set("skipped", str(int((~failing & verdicts.ne("safe")).sum())))
        for row, fails in zip(part.to_dict("records"), failing, strict=True):
            case = ElementTree.SubElement(
                suite, "testcase", name=_text(str(row["title"])), classname=_text(f"{model}.{axis}")
            )
            if fails:
                values = ",".join(f"{value:.12g}" for value in row["values"])
                where = f" at {values}" if values else ""
                ElementTree.SubElement(case, "failure", message=_text(
                    f"{row['verdict']}{where}: {100 * row['allowed']:g} points are allowed"
                ))  # fmt: skip
            elif row["verdict"] != "safe":
                ElementTree.SubElement(case, "skipped", message=str(row["verdict"]))
    if reasons:
        ElementTree.SubElement(suites, "system-out").text = _text("\n".join(reasons))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _text(text: str) -> str:
    return FORBIDDEN.sub("�", text)
