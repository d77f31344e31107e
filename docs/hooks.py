"""Pages of the site that are written elsewhere: README, model card, changelog, contributing, and the notebooks."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "model_card.md": "model_card.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
PICTURES = "spinealign/assets/default"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages, and the pictures of the model card."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=_relinked((ROOT / source).read_text(encoding="utf-8"))))
    for picture in (ROOT / PICTURES).glob("*.png"):
        files.append(File.generated(config, f"images/{picture.name}", abs_src_path=str(picture)))
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        body, resources = MarkdownExporter().from_filename(notebook.abs_src_path)
        files.append(File.generated(config, notebook.src_uri.removesuffix("ipynb") + "md", content=body))
        folder = posixpath.dirname(notebook.src_uri)
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, f"{folder}/{name}", content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links to files beside docs/ to their pages in the site."""
    return re.sub(rf"\]\(\.\./({'|'.join(map(re.escape, PAGES))})", lambda found: f"]({PAGES[found[1]]}", markdown)


def _relinked(text: str) -> str:
    """Return the text of a file of the root with links as from docs/."""
    text = text.replace("](docs/", "](").replace(f"]({PICTURES}/", "](images/").replace(".ipynb)", ".md)")
    return re.sub(r"^> \[!WARNING\]\n> ", "!!! warning\n    ", text, flags=re.MULTILINE)  # a box on GitHub too
