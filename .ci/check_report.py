"""Fail where browser tests or notebooks were skipped or did not run: a green run must mean that they passed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

MUST_RUN = {"browser tests": "tests.browser", "front-end tests in Chromium": "in_chromium", "notebooks": "notebooks"}
WITHOUT_DATA = "DECONVWIDGETS_DATA names no folder"  # a machine without Caltech-101 may skip what needs it


def main(report: str) -> int:
    """0 where everything that must run did, else 1, with the reasons on standard error."""
    cases = list(ET.parse(report).getroot().iter("testcase"))
    wrong = []
    for what, place in MUST_RUN.items():
        mine = [case for case in cases if place in (case.get("classname") or "").replace("/", ".")]
        skips = [(case, case.find("skipped")) for case in mine]
        skipped = [case.get("name") for case, skip in skips if skip is not None and WITHOUT_DATA not in (skip.get("message") or "")]
        if not mine:
            wrong.append(f"no {what} were run")
        if skipped:
            wrong.append(f"{what} were skipped: {', '.join(map(str, skipped))}")
    for line in wrong:
        print(f"check_report: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
