"""As much of pip as the documentation uses: it checks that what a page has installed is here, and installs nothing."""

from __future__ import annotations

import re
import sys
from importlib import metadata

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[([a-z,]+)\])?")


def main() -> None:
    """Exit with status 1 where a requirement, or an extra of ours, does not exist."""
    command, *requirements = sys.argv[1:]
    if command != "install" or not requirements:
        sys.exit(f"not a command of the documentation: pip {' '.join(sys.argv[1:])}")
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement)
        if found is None:
            sys.exit(f"not a requirement: {requirement}")
        name, extras = found[1], (found[2] or "").split(",") if found[2] else []
        known = metadata.metadata(name).get_all("Provides-Extra") or []
        if missing := set(extras) - set(known):
            sys.exit(f"{name} has no extra {', '.join(sorted(missing))}; it has {', '.join(known)}")


if __name__ == "__main__":
    main()
