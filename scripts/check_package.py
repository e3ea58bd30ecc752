"""Builds the package and tries it as a stranger would get it.

The source archive is built, the wheel from it, and the wheel is installed into two clean environments from
pinned, hashed requirements alone: the base, and with the server's parts. In each a smoke test runs outside
the checkout, with Python isolated from the caller's environment.

Run it with the checkout's own environment: ``make package``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / "scripts" / "package_smoke"

REQUIRED = (
    "tallystick/__init__.py",
    "tallystick/py.typed",
    "tallystick/charts/specifications/cost-by-month.vl.json",
    "tallystick/charts/specifications/dark.config.json",
    "tallystick/demo/data/january-2025.jobs.ndjson",
    "tallystick/demo/data/january-2025.report.json",
    "tallystick/ledger/standard.toml",
    "tallystick/printing/statement.css",
    "tallystick/printing/statement.html",
    "tallystick/store/migrations/env.py",
)
"""Files that no import names, so that only a look into the wheel tells whether they were packed."""


def main() -> int:
    """Run the check; the exit status is 0 when all of it holds."""
    with tempfile.TemporaryDirectory(prefix="tallystick-package-") as folder:
        place = Path(folder)
        wheel = build(place / "dist")
        problems = content_problems(wheel)
        for problem in problems:
            print(f"{wheel.name}: {problem}", file=sys.stderr)
        if problems:
            return 1
        print(f"{wheel.name} ({wheel.stat().st_size // 1024} KiB) holds what it should")
        for name in ("base", "server"):
            try_in_clean_environment(name, wheel, place)
            print(f"installed in a clean environment ({name}): smoke test passed")
    return 0


def build(folder: Path) -> Path:
    """The wheel, built from the source archive, so that the archive is known to be complete."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def content_problems(wheel: Path) -> list[str]:
    """What the wheel lacks, and what it should not hold."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    problems = [f"lacks {name}" for name in REQUIRED if name not in names]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append("lacks the licence")
    if not any(name.startswith("tallystick/store/migrations/versions/") for name in names):
        problems.append("lacks the migrations")
    strangers = [name for name in names if not name.startswith(("tallystick/", "tallystick-"))]
    strangers += [name for name in names if "test" in Path(name).parts or "__pycache__" in name]
    return problems + [f"should not hold {name}" for name in strangers]


def try_in_clean_environment(name: str, wheel: Path, place: Path) -> None:
    """Install the wheel beside the pinned requirements of `name` and run that smoke test there."""
    environment = place / name
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    run(*install, "--no-deps", "--require-hashes", "-r", str(ROOT / "requirements" / f"{name}.txt"))
    run(*install, "--no-deps", "--no-index", str(wheel))
    run(python, "-m", "pip", "--disable-pip-version-check", "check")
    elsewhere = place / f"{name}-elsewhere"
    elsewhere.mkdir()
    run(python, "-I", str(SMOKE / f"{name}.py"), folder=elsewhere)


def run(*command: str, folder: Path | None = None) -> None:
    """Run a command quietly; where it fails, show all that it said and stop."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}\nfailed with status {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
