"""Fail where browser tests or notebooks were skipped or did not run: a green run must mean that they passed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

MUST_RUN = {"browser tests": "tests.browser", "front-end tests in Chromium": "test_in_chromium", "notebooks": "notebooks"}


def main(report: str) -> int:
    """0 where everything that must run did, else 1, with the reasons on standard error."""
    cases = list(ET.parse(report).getroot().iter("testcase"))
    wrong = []
    for what, place in MUST_RUN.items():
        mine = [case for case in cases if place in (case.get("classname") or "").replace("/", ".")]
        skipped = [case.get("name") for case in mine if case.find("skipped") is not None]
        if not mine:
            wrong.append(f"no {what} were run")
        if skipped:
            wrong.append(f"{what} were skipped: {', '.join(map(str, skipped))}")
    for line in wrong:
        print(f"check_report: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
