"""What the site of `make pages` takes from elsewhere: a hook of MkDocs.

README and other pages of the repository, the notebooks (as executed by `python -m docs.tutorials`,
else as stored), the public names, the command line's help. A link to a file that is no page leads
to the repository's address, and is plain text while there is none.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from docs.make import NO_ADDRESS, URL  # noqa: E402

EXECUTED = ROOT / "build" / "tutorials"
COPIED = {  # page of the site: file of the repository
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "conduct.md": "CODE_OF_CONDUCT.md",
    "emoji.md": "vqclip_nb/emoji/README.md",
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = COPIED | {f"tutorials/{n.stem}.md": f"notebooks/{n.name}" for n in NOTEBOOKS}
SITE = {source: page for page, source in PAGES.items()} | {
    "docs/minimal.py": "minimal.md",
    "vqclip_nb/settings.py": "controls.md",
}
HAS_ADDRESS = "YOUR_NAME" not in URL
LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?://|mailto:|#)([^)\s#]*)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    if HAS_ADDRESS:
        config.repo_url = URL


def on_files(files: Files, config: MkDocsConfig) -> None:
    def add(uri: str, **content: Any) -> None:
        files.append(File.generated(config, uri, **content))

    for page, source in COPIED.items():
        add(page, content=without_head((ROOT / source).read_text("utf8")))
    for path in (ROOT / "notebooks" / "images").iterdir():
        add(f"notebooks/images/{path.name}", abs_src_path=str(path))
    for notebook in NOTEBOOKS:
        text, figures = tutorial(notebook)
        add(f"tutorials/{notebook.stem}.md", content=text)
        for name, data in figures.items():
            add(f"tutorials/{name}", content=data)
    add("minimal.md", content=code_page("The whole method in 120 lines", ROOT / "docs/minimal.py"))
    add("reference/api.md", content=public_names())
    add("reference/command_line.md", content=command_line())


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links as the repository has them become links of the site."""
    here = PurePosixPath(page.file.src_uri)
    source = PurePosixPath(PAGES.get(str(here), f"docs/{here}"))

    def link(match: re.Match) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = os.path.normpath(source.parent / target).replace(os.sep, "/")
        to = site_path(path)
        if to:
            return f"[{text}]({os.path.relpath(to, here.parent)}{anchor})"
        return f"[{text}]({URL}/blob/main/{path})" if HAS_ADDRESS else text

    if not HAS_ADDRESS:  # such a page does not exist yet
        markdown = re.sub(rf"\[([^\[\]]*)\]\({re.escape(URL)}/[^)]*\)", r"\1", markdown)
    return LINK.sub(link, markdown).replace(NO_ADDRESS, "")


def site_path(path: str) -> str | None:
    """Where a file of the repository is on the site; None if it is not there."""
    if path in SITE:
        return SITE[path]
    if path.startswith("docs/") and not path.endswith(".py"):
        return path.removeprefix("docs/")
    if path.startswith(("notebooks/images/", "tutorials/")):
        return path
    return None


def without_head(text: str) -> str:
    """A page without the YAML that the hub reads."""
    return re.sub(r"\A---\n.*?^---\n", "", text, flags=re.S | re.M)


def tutorial(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as a page, without its install cell, and its figures by file name."""
    import nbformat
    from nbconvert import MarkdownExporter

    executed = EXECUTED / notebook.name
    book = nbformat.read(executed if executed.is_file() else notebook, 4)
    book.cells = [c for c in book.cells if "install" not in c.metadata.get("tags", [])]
    for cell in book.cells:  # a widget needs its kernel
        shown = (o for o in cell.get("outputs", []) if "widget-view" not in str(o.get("data")))
        if "outputs" in cell:
            cell.outputs = list(shown)
    names = {"unique_key": notebook.stem, "output_files_dir": f"{notebook.stem}_files"}
    text, resources = MarkdownExporter().from_notebook_node(book, names)
    figures = resources["outputs"]
    for name in figures:  # as the rewriting of links expects: seen from the notebook
        text = text.replace(f"({name})", f"(../tutorials/{name})")
    return text, figures


def code_page(title: str, path: Path) -> str:
    return f"# {title}\n\n```python\n{path.read_text('utf8')}```\n"


def public_names() -> str:
    """A page of every name that `import vqclip_nb` offers, from the docstrings."""
    import vqclip_nb as vq

    text = "# Public names\n\nAll of these are names of `vqclip_nb`, as in `vqclip_nb.Run`.\n\n"
    for name in vq.__all__:
        thing = getattr(vq, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            text += f"::: {thing.__module__}.{thing.__qualname__}\n\n"
        elif inspect.ismethod(thing):
            text += f"## `{name}`\n\nThe same as `{thing.__qualname__}`.\n\n"
    presets = ", ".join(f"`{name}`" for name in vq.PRESETS)
    return text + f"## `PRESETS`\n\nSettings by name, for `Settings.preset`: {presets}.\n"


def command_line() -> str:
    from vqclip_nb.__main__ import make_parser

    os.environ["COLUMNS"] = "88"  # as wide as a block
    return f"# Command line\n\n```text\n{make_parser().format_help()}```\n"
