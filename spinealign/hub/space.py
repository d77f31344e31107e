"""Spaces: the page with one model, as a folder that Hugging Face Spaces runs.

Spaces installs `requirements.txt` before it copies the other files, so the package cannot be installed from a file of
the Space. It is imported from the folder of the app instead.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from spinealign._version import __version__
from spinealign.checkpoint.files import ASSETS, ONNX_FILE, WEIGHTS_FILE, checkpoint_files
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError, MissingDependencyError, require, requirements
from spinealign.hub.checks import check_checkpoint
from spinealign.hub.repository import Commit, Repository
from spinealign.inference.predictor import Predictor
from spinealign.page.models import check_binary
from spinealign.reporting.templates import render
from spinealign.writing import new_folder

MESSAGE = "Build with spinealign"
PACKAGE = ASSETS.parent
_SUFFIXES = {".py", ".typed", ".css", ".js", ".json", ".jinja", ".onnx", ".safetensors", ".md", ".png"}


def build_space(
    folder: str | os.PathLike[str], *, model: str | None = None, revision: str | None = None, title: str = "spinealign"
) -> Path:
    """Write a Space into a folder and return the folder.

    Args:
        folder: A new or empty folder.
        model: Hub id, checkpoint folder, or None for the embedded model.
        revision: Branch, tag or commit of a model on the Hub; the Space uses its current commit.
        title: Title of the Space.

    Raises:
        CheckpointError: If the model does not exist, is not binary, has no ONNX weights, or is a folder that cannot be
            published.
        FileExistsError: If the folder is not empty.
        MissingDependencyError: If Gradio is not installed, of which the Space requires the same version, or spinealign
            itself.
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
    """Build a Space named after its repository, `owner/name` or `name`, and push it in a single commit.

    It is created if missing; with `private`, a public one is refused. Model and revision are those of `build_space`.

    Raises:
        CheckpointError: As for `build_space`.
        HubError: If the Hub refuses or cannot be reached. A push is never applied in part.
        MissingDependencyError: As for `build_space`.
    """
    files = space_files(model, revision=revision, title=repo_id.rsplit("/", maxsplit=1)[-1])
    repository = Repository(repo_id, kind="space", private=private, token=token).checked()
    return repository.push(files, message=MESSAGE, owned=("spinealign/*", "checkpoints/*"))


def space_files(
    model: str | None = None, *, revision: str | None = None, title: str = "spinealign"
) -> dict[str, Path | bytes]:
    """Return the content of each file of a Space by name; the arguments are those of `build_space`."""
    require("gradio", extra="app")
    from huggingface_hub import SpaceCardData

    if not requirements():
        raise MissingDependencyError("not installed: spinealign", "app")
    folder = Path(model) if model is not None and revision is None and os.path.isdir(model) else None
    checkpoint = Predictor.from_pretrained(model, revision=revision).checkpoint
    check_binary(checkpoint)
    if folder:
        check_checkpoint(folder)
    if checkpoint.path(ONNX_FILE) is None:
        raise CheckpointError(f"{checkpoint.model} has no {ONNX_FILE}, and a Space runs without torch.")
    arguments, name, files = "", checkpoint.model, {}
    if folder is not None:
        # without characters that have a meaning in code, Markdown or git
        name = re.sub(r"^\.|[^\w.-]", "_", folder.resolve().name)
        arguments = f'Path(__file__).parent / "checkpoints/{name}"'
        stored = checkpoint_files(folder)
        del stored[WEIGHTS_FILE]
        files = {f"checkpoints/{name}/{file}": path.read_bytes() for file, path in stored.items()}
        checkpoint.check_unchanged()
    elif model is not None:
        arguments = f'"{model}", revision="{checkpoint.folder.name}"'
    metadata = SpaceCardData(
        title=title,
        emoji="🦴",
        colorFrom="gray",
        colorTo="blue",
        sdk="gradio",
        sdk_version=version("gradio"),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        license="apache-2.0",
        models=[model] if model is not None and folder is None else None,
        tags=["spinealign", "medical"],
        short_description="Slices of the spine; research, not a medical device",
    )
    card = render("space_card.md.jinja", metadata=metadata.to_yaml(), title=title, model=name, release=__version__)
    return {
        "README.md": card.encode(),
        "requirements.txt": "".join(f"{line}\n" for line in _requirements(checkpoint.settings.preprocessing)).encode(),
        "app.py": render("space_app.py.jinja", arguments=arguments, in_folder=folder is not None).encode(),
        **files,
        **dict(_package(with_default=model is None)),
    }


def _requirements(config: PreprocessingConfig) -> Iterator[str]:
    """Yield the requirements of the page, with the installed version of Gradio and without torch."""
    enhanced = config.denoise != "none" or config.equalize != "none"
    for name, needed in {**requirements("app"), **(requirements("filters") if enhanced else {})}.items():
        yield f"gradio=={version('gradio')}" if name == "gradio" else f"{name}{needed.specifier}"


def _package(*, with_default: bool) -> Iterator[tuple[str, Path]]:
    """Yield name and path of the files of the installed package, with no embedded model but perhaps the default."""
    for path in sorted(PACKAGE.rglob("*")):
        shown = ASSETS not in path.parents or (with_default and DEFAULT_FOLDER in path.parents)
        if path.is_file() and path.suffix in _SUFFIXES and shown:
            yield path.relative_to(PACKAGE.parent).as_posix(), path
