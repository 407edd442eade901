"""The small part of HTML the pages are written with; every text is escaped here and nowhere else."""

import base64
import hashlib
import re
from functools import cache
from html import escape
from importlib import resources

from services.gateway.web.http import Headers

_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\((/[a-z0-9_/#-]+)\)")


def tag(name: str, *inner: str, **attributes: str) -> str:
    """An element; `inner` is HTML already, attribute values are text. `class_` is class."""
    told = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{told}>{''.join(inner)}</{name}>"


def text(plain: str) -> str:
    """Escaped, with `code` and [links](/within/the/site) as such."""
    return _LINK.sub(r'<a href="\2">\1</a>', _CODE.sub(r"<code>\1</code>", escape(plain, quote=False)))


def prose(plain: str) -> str:
    """Paragraphs, and lists of lines that begin with "- "."""
    blocks = []
    for block in filter(None, plain.split("\n\n")):
        lines = block.split("\n")
        if all(line.startswith("- ") for line in lines):
            blocks.append(tag("ul", *(tag("li", text(line[2:])) for line in lines)))
        else:
            blocks.append(tag("p", text(block)))
    return "".join(blocks)


def code_block(plain: str) -> str:
    """Text as it is."""
    return tag("pre", tag("code", escape(plain, quote=False)))


def table(*rows: tuple[str, ...]) -> str:
    """Rows of cells that are HTML already."""
    return tag("table", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))


def page(title: str, *body: str) -> bytes:
    """A whole document, with nothing to fetch."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        + tag("title", escape(title))
        + f"<style>{_style()}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'.encode()


@cache
def headers() -> Headers:
    """What a browser may do with a page: show it with its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    return (("content-security-policy", policy), ("cache-control", "public, max-age=300"))


@cache
def _style() -> str:
    return resources.files("services.gateway.openapi").joinpath("style.css").read_text(encoding="utf-8")
