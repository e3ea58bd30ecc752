"""The charting scripts: made once for a process, outside of it, since making them holds up every thread for seconds."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib.metadata import version
from typing import Final

from tallystick import charts

_MAKE: Final = "import sys; from tallystick.charts import bundle; sys.stdout.buffer.write(bundle().encode())"
_SECONDS: Final = 60

_making: Final = threading.Lock()
_made: list[bytes] = []


def bundle() -> bytes:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    with _making:
        if not _made:
            _made.append(_make())
        return _made[0]


def begin_bundle() -> None:
    """Has the scripts made meanwhile, where nobody has asked for them yet."""
    if not _made and not _making.locked():
        threading.Thread(target=bundle, name="tallystick-bundle", daemon=True).start()


def bundle_version() -> str:
    """Names what the scripts are made of, without making them."""
    return f"{version('vl-convert-python')} {charts.VEGA_LITE}"


def _make() -> bytes:
    try:
        done = subprocess.run([sys.executable, "-c", _MAKE], capture_output=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        # A program that embeds Python may have no interpreter to start.
        return charts.bundle().encode()
    return done.stdout
