"""Resource use of a Space: disk, memory, and time to the first answer.

    python benchmarks/space_footprint.py                    # with the embedded model
    python benchmarks/space_footprint.py --model my-model --json

The script builds a Space, installs its `requirements.txt` into a new virtual environment, runs the page and makes one
API call, like Hugging Face Spaces: on port 7860, as user 1000 if started by root, and without access to the Hub unless
the model is there. The exit status is 1 if a limit is exceeded or torch was installed. (Gradio warns that the package
`spaces` is missing; Hugging Face installs it for reloading only.)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file
from PIL import Image
from serving import wait_until_it_answers

from spinealign.hub.space import build_space
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.reporting.tables import Table

USER = 1000
PORT = 7860
PATIENCE_S = 120
LIMITS = (
    ("disk, with environment and cache, MiB", "disk_mib", 1536),
    ("memory, peak, MiB", "memory_mib", 700),
    ("start to first answer, s", "seconds", 20),
)
HUB = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DISABLE_XET")  # address of the Hub and credentials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--port", type=int, default=PORT, help="port of the page (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.model, options.port)
    if options.json:
        print(json.dumps(found))
    else:
        print(f"{found['packages']} packages{', including torch' if found['torch'] else ''}; {found['prediction']}\n")
        rows = [(name, f"{found[key]:.1f}", limit) for name, key, limit in LIMITS]
        print(Table(("what", "measured", "limit"), rows, numbers=(1, 2)).markdown())
    if found["torch"] or not all(found[key] <= limit for _, key, limit in LIMITS):
        sys.exit(1)


def measure(folder: Path, model: str | None, port: int) -> dict[str, Any]:
    """Build, install and run a Space, and make one prediction.

    Args:
        folder: Empty folder for the Space and its environment.
        model: Hub id or checkpoint folder; None for the embedded model.
        port: Port of the page.

    Returns:
        Number of packages, whether torch is one of them, disk and memory in MiB, seconds, and the prediction.
    """
    space = build_space(folder / "space", model=model)
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pip = [os.fspath(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--requirement", "requirements.txt"], cwd=space, check=True)
    packages = subprocess.run([*pip, "list", "--format=json"], capture_output=True, check=True).stdout
    image = folder / "slice.png"
    Image.fromarray(render(draw_phantom(40_000_000, fractured=True).slice)).save(image)
    (folder / "home").mkdir()
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
    environment = _environment(folder, port, hub=model is not None and not Path(model).is_dir())
    start = time.monotonic()
    process = subprocess.Popen([python, "app.py"], cwd=space, env=environment, user=USER if os.getuid() == 0 else None)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url, process)
        prediction = Client(url, verbose=False).predict(handle_file(image), api_name="/predict")
        seconds = time.monotonic() - start
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
    return {
        "packages": len(json.loads(packages)),
        "torch": b'"torch"' in packages,
        "disk_mib": sum(_size(folder / part) for part in ("env", "space", "home")) / 2**20,
        "memory_mib": int(peak[1]) / 1024 if peak else float("nan"),
        "seconds": seconds,
        "prediction": prediction,
    }


def _environment(folder: Path, port: int, *, hub: bool) -> dict[str, str]:
    """Return the environment variables of Spaces; from this shell, only those of the Hub, if it is needed."""
    return {
        **({name: os.environ[name] for name in HUB if name in os.environ} if hub else {"HF_HUB_OFFLINE": "1"}),
        "HOME": os.fspath(folder / "home"),
        "PATH": f"{folder / 'env' / 'bin'}:/usr/bin:/bin",
        "SYSTEM": "spaces",
        "SPACE_ID": "owner/name",
        "SPACE_HOST": f"127.0.0.1:{port}",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink() and path.is_file())


if __name__ == "__main__":
    main()
