"""Print the lowest versions that pyproject.toml allows of the package's own dependencies, as requirements of pip.

Those given as arguments are left out: PyTorch's oldest wheels are gigabytes.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def main(left_out: list[str]) -> None:
    """Print one requirement a line."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["transfer"], *extras["dataframe"]]:
        found = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)
        if found is None:
            sys.exit(f"{requirement} of pyproject.toml names no lowest version")
        if found[1] not in left_out:
            print(f"{found[1]}=={found[2]}")


if __name__ == "__main__":
    main(sys.argv[1:])
