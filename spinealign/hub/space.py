"""A Space: the page with one model, as a folder that Hugging Face Spaces runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path, PurePosixPath

from spinealign._version import __version__
from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.errors import CheckpointError, require
from spinealign.hub.checks import check_checkpoint
from spinealign.hub.contents import checkpoint_files
from spinealign.hub.repository import Commit, Repository
from spinealign.inference.predictor import Predictor
from spinealign.writing import new_folder

MESSAGE = "Build with spinealign"
PACKAGE = Path(__file__).parent.parent
_SUFFIXES = {".py", ".typed", ".css", ".js", ".json", ".onnx", ".safetensors", ".md", ".png"}  # of the package
_APP = '''"""The page with its model; Spaces runs this file."""

{imports}from spinealign import Predictor
from spinealign.page import launch

if __name__ == "__main__":
    launch(Predictor.from_pretrained({arguments}))
'''
_README = """
# {title}

Axial CT slices of the neck: fracture or normal, with a confidence, reasons to abstain and a heat map. **Research
software, not a medical device: no decision about a person may rest on it.** What the model is worth stands on the page
itself, under "The model".

Model: {model}. An uploaded file is read once and deleted before the answer is shown.

This folder was written by `spinealign space`; run it again to update model or software. `spinealign/` is the package,
release {release}, without the weights of the torch engine. To ask for a login, set the secret `SPINEALIGN_AUTH` to
`user:password`.
"""


def build_space(
    folder: str | os.PathLike[str], *, model: str | None = None, revision: str | None = None, title: str = "spinealign"
) -> Path:
    """Write a Space into a folder.

    Args:
        folder: Where it goes; new or empty.
        model: A Hub id, a checkpoint folder, or None for the embedded model.
        revision: Branch, tag or commit of a model on the Hub; the Space keeps to the commit that this is now.
        title: Its title.

    Returns:
        The folder.

    Raises:
        CheckpointError: If there is no such model, it has no ONNX weights, or the folder is not fit to be pushed.
        FileExistsError: If the folder holds something.
        MissingDependencyError: If Gradio, whose version the Space pins, is not installed.
    """
    files = space_files(model, revision=revision, title=title)
    with new_folder(Path(folder)) as staging:
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return Path(folder).resolve()


def push_space(
    repo_id: str,
    *,
    model: str | None = None,
    revision: str | None = None,
    private: bool = False,
    token: str | None = None,
) -> Commit:
    """Build a Space and push it in one commit; it is made where there is none.

    Args:
        repo_id: owner/name, or a name alone for your own account; the name is its title.
        model: As for `build_space`.
        revision: As for `build_space`.
        private: Make it a Space that nobody else may see.
        token: An access token that may write; None takes the one of `hf auth login` or HF_TOKEN.

    Raises:
        CheckpointError: As for `build_space`.
        HubError: If the Hub refuses or cannot be reached; it holds all of the push then, or nothing of it.
        MissingDependencyError: As for `build_space`.
    """
    files = space_files(model, revision=revision, title=repo_id.rsplit("/", maxsplit=1)[-1])
    repository = Repository(repo_id, kind="space", private=private, token=token).checked()
    return repository.push(files, message=MESSAGE, owned=("spinealign/*", "checkpoints/*"))


def space_files(
    model: str | None = None, *, revision: str | None = None, title: str = "spinealign"
) -> dict[str, Path | bytes]:
    """Return name and content of each file of a Space, as for `build_space`."""
    require("gradio", extra="app")
    folder = Path(model) if model is not None and os.path.isdir(model) else None
    if folder is not None:
        check_checkpoint(folder)
    predictor = Predictor.from_pretrained(model, revision)
    checkpoint = predictor.checkpoint
    if checkpoint.path(ONNX_FILE) is None:
        raise CheckpointError(f"{predictor.model} has no {ONNX_FILE}, and a Space runs without torch.")
    if folder is not None:
        about_model = _readme(title, _place(folder).name, models=[])
        app, carried = _app_with_folder(folder)
    else:
        about_model = _readme(title, predictor.model, models=[model] if model is not None else [])
        app, carried = _app_of_hub(model, checkpoint.folder.name), {}
    return {
        "README.md": about_model.encode(),
        "requirements.txt": "".join(f"{line}\n" for line in _requirements(predictor)).encode(),
        "app.py": app.encode(),
        **carried,
        **dict(_package(with_default=model is None)),
    }


def _app_of_hub(model: str | None, commit: str) -> str:
    arguments = f'"{model}", revision="{commit}"' if model is not None else ""
    return _APP.format(imports="", arguments=arguments)


def _app_with_folder(folder: Path) -> tuple[str, dict[str, Path]]:
    """Return the app and the files of a checkpoint that travels in the Space."""
    place = _place(folder).as_posix()
    files = {f"{place}/{name}": path for name, path in checkpoint_files(folder).items() if name != WEIGHTS_FILE}
    arguments = f'Path(__file__).parent / "{place}"'
    return _APP.format(imports="from pathlib import Path\n\n", arguments=arguments), files


def _place(folder: Path) -> PurePosixPath:
    """Return where a folder lies in the Space, without what would mean something in code, Markdown or git."""
    return PurePosixPath("checkpoints") / re.sub(r"^\.|[^\w.-]", "_", folder.resolve().name)


def _readme(title: str, model: str, *, models: list[str]) -> str:
    from huggingface_hub import SpaceCardData

    data = SpaceCardData(
        title=title,
        emoji="🦴",
        colorFrom="gray",
        colorTo="blue",
        sdk="gradio",
        sdk_version=version("gradio"),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        license="apache-2.0",
        models=models or None,
        tags=["spinealign", "medical", "ct", "cervical-spine"],
        short_description="CT slices of the neck; research, no medical device",
    )
    return f"---\n{data.to_yaml()}\n---\n{_README.format(title=title, model=model, release=__version__)}"


def _requirements(predictor: Predictor) -> Iterator[str]:
    """Yield what the page needs, Gradio in the version of the Space; no torch is among it."""
    from packaging.requirements import Requirement

    enhanced = predictor.conditioning.denoise != "none" or predictor.conditioning.equalize != "none"
    extras = ("", "app", "filters") if enhanced else ("", "app")
    for line in requires("spinealign") or ():
        needed = Requirement(line)
        if needed.name != "spinealign" and any(
            needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in extras
        ):
            yield f"gradio=={version('gradio')}" if needed.name == "gradio" else f"{needed.name}{needed.specifier}"


def _package(*, with_default: bool) -> Iterator[tuple[str, Path]]:
    """Yield the package as it is installed here.

    Spaces installs `requirements.txt` before any other file of the Space is there, so the package cannot be installed
    from a file beside it; it is imported from the folder of the app instead.
    """
    for path in sorted(PACKAGE.rglob("*")):
        wanted = path.suffix in _SUFFIXES and path.name != WEIGHTS_FILE
        if path.is_file() and wanted and (with_default or DEFAULT_FOLDER not in path.parents):
            yield path.relative_to(PACKAGE.parent).as_posix(), path
