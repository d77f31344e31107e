"""Documents from the Jinja templates of this package."""

from __future__ import annotations

from typing import Any

from spinealign.metrics.registry import percent
from spinealign.reporting.markdown import Markdown, escape


def render(template: str, **values: Any) -> str:
    """Return a document.

    Args:
        template: File of this package, `*.md.jinja` or `*.html.jinja`. What it inserts is escaped, except tables and
            other `Markdown` or `Markup`.
        values: Values for the template.
    """
    import jinja2

    is_html = template.endswith(".html.jinja")
    environment = jinja2.Environment(
        autoescape=is_html,  # noqa: S701 - Markdown is escaped by `finalize`
        loader=jinja2.PackageLoader("spinealign", "reporting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=None if is_html else escape,
    )
    environment.filters |= {"percent": percent, "unescaped": Markdown}
    return environment.get_template(template).render(values)
