"""The page that shows what was published. Pure; everything received is escaped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote

from services.platforms.calls import list_at, number_at, text_at
from services.platforms.ports import JSON

_URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox: received posts</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<header>
<h1>Sandbox</h1>
<p>What test keys published. Nothing here left this installation. Played: {platforms}.</p>
</header>
<main>
{posts}
</main>
</body>
</html>
"""
_EMPTY = '<p class="empty">No posts yet. Publish one with a test key, then reload this page.</p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One picture or film. src: relative to the page; "" where only the url of somebody else's server was given."""

    src: str
    url: str
    content_type: str
    alt_text: str
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One post, as the page shows it. created_at: ISO 8601, UTC."""

    platform: str
    account: str
    text: str
    title: str
    link: str
    created_at: str
    media: tuple[Medium, ...]

    @staticmethod
    def of(folder: str, name: str, doc: Mapping[str, JSON]) -> "Received":
        """From what a sandbox keeps. folder: the platform's id; name: as people call it."""
        return Received(
            platform=name,
            account=text_at(doc, "account"),
            text=text_at(doc, "text"),
            title=text_at(doc, "title"),
            link=text_at(doc, "link"),
            created_at=text_at(doc, "createdAt"),
            media=tuple(_medium(folder, one) for one in list_at(doc, "media")),
        )


def page(posts: Sequence[Received], platforms: Iterable[str]) -> str:
    """The whole document."""
    shown = "\n".join(_article(post) for post in posts) or _EMPTY
    return _FRAME.format(platforms=escape(", ".join(platforms) or "none"), posts=shown)


def linked(text: str) -> str:
    """The text as HTML, its URLs as links."""
    parts, at = [], 0
    for match in _URL.finditer(text):
        parts += [escape(text[at : match.start()]), _link(match[0])]
        at = match.end()
    return "".join([*parts, escape(text[at:])])


def _medium(folder: str, doc: JSON) -> Medium:
    sha256, size = text_at(doc, "sha256"), number_at(doc, "sizeBytes") or 0
    facts = [f"{number_at(doc, 'width') or 0:.0f} × {number_at(doc, 'height') or 0:.0f}", f"{size / 1000:,.0f} kB"]
    if seconds := number_at(doc, "durationSeconds"):
        facts.append(f"{seconds:.1f} s")
    return Medium(
        src=f"{quote(folder)}/_sandbox/files/{sha256}" if sha256 else "",
        url=text_at(doc, "url"),
        content_type=text_at(doc, "contentType"),
        alt_text=text_at(doc, "altText"),
        facts=" · ".join(facts) if sha256 else "by URL",
    )


def _article(post: Received) -> str:
    title = f"<h2>{escape(post.title)}</h2>" if post.title else ""
    text = f'<p class="text">{linked(post.text)}</p>' if post.text else ""
    link = f'<p class="link">{_link(post.link)}</p>' if post.link else ""
    media = "".join(_figure(medium) for medium in post.media)
    return (
        f'<article><p class="head"><b>{escape(post.platform)}</b> <span>{escape(post.account)}</span> '
        f'<time datetime="{escape(post.created_at)}">{escape(_instant(post.created_at))}</time></p>'
        f'{title}{text}{link}<div class="media">{media}</div></article>'
    )


def _figure(medium: Medium) -> str:
    src, alt = escape(medium.src), escape(medium.alt_text)
    if not medium.src:
        shown = f"<p>{_link(medium.url)}</p>"
    elif medium.content_type.startswith("video/"):
        shown = f'<video src="{src}" controls preload="metadata" aria-label="{alt}"></video>'
    else:
        shown = f'<a href="{src}"><img src="{src}" alt="{alt}" loading="lazy"></a>'
    described = alt or "no alt text"
    return f"<figure>{shown}<figcaption>{described}<br><small>{escape(medium.facts)}</small></figcaption></figure>"


def _link(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        return escape(url)
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow">{escape(url)}</a>'


def _instant(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text
