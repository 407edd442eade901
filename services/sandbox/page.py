"""The page that shows what was published. Pure; everything received is escaped."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote

from services.platforms.calls import at, list_at, number_at, text_at
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

    @property
    def is_film(self) -> bool:
        """Whether it is played, and not just looked at."""
        return self.content_type.startswith("video/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One post, as the page shows it.

    Attributes:
        reply_to: Id of the post it answers.   created_at: ISO 8601, UTC.
        details: What else was chosen for it (a board, who sees it), by name.
        cover: The picture shown before a film plays.   cover_second: of the film, where that is told instead.
    """

    platform: str
    account: str
    text: str
    title: str
    link: str
    reply_to: str
    created_at: str
    details: tuple[tuple[str, str], ...]
    media: tuple[Medium, ...]
    cover: Medium | None
    cover_second: float | None

    @staticmethod
    def of(folder: str, name: str, doc: Mapping[str, JSON]) -> "Received":
        """From what a sandbox keeps. folder: the platform's id; name: as people call it."""
        cover = at(doc, "cover")
        return Received(
            platform=name,
            account=text_at(doc, "account"),
            text=text_at(doc, "text"),
            title=text_at(doc, "title"),
            link=text_at(doc, "link"),
            reply_to=text_at(doc, "replyTo"),
            created_at=text_at(doc, "createdAt"),
            details=tuple(_details(at(doc, "details"))),
            media=tuple(_medium(folder, one) for one in list_at(doc, "media")),
            cover=_medium(folder, cover) if text_at(cover, "sha256") or text_at(cover, "url") else None,
            cover_second=number_at(cover, "second"),
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


def _details(found: JSON) -> Iterator[tuple[str, str]]:
    for name, value in (found if isinstance(found, dict) else {}).items():
        shown = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value or "")
        if shown:
            yield name, shown


def _article(post: Received) -> str:
    parts = [
        f'<p class="head"><b>{escape(post.platform)}</b> <span>{escape(post.account)}</span> '
        f'<time datetime="{escape(post.created_at)}">{escape(_instant(post.created_at))}</time></p>',
        f'<p class="reply">In reply to <code>{escape(post.reply_to)}</code></p>' if post.reply_to else "",
        f"<h2>{escape(post.title)}</h2>" if post.title else "",
        f'<p class="text">{linked(post.text)}</p>' if post.text else "",
        f'<p class="link">{_link(post.link)}</p>' if post.link else "",
        _gallery(post),
        _options(post.details),
    ]
    return f"<article>{''.join(parts)}</article>"


def _gallery(post: Received) -> str:
    """One beside the other, to be moved through where there are several; the cover last."""
    count = len(post.media)
    poster = post.cover.src if post.cover is not None else ""
    shown = [_figure(medium, poster, f"{n} of {count}" if count > 1 else "") for n, medium in enumerate(post.media, 1)]
    if post.cover is not None:
        shown.append(_figure(post.cover, "", "Cover"))
    if not shown:
        return ""
    moment = post.cover_second
    second = "" if moment is None else f'<p class="note">Cover: the picture at {moment:g} s</p>'
    kind = "media several" if len(shown) > 1 else "media"
    focus = ' tabindex="0" role="group" aria-label="Media of this post"' if len(shown) > 1 else ""
    return f'<div class="{kind}"{focus}>{"".join(shown)}</div>{second}'


def _options(details: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in details)
    return f"<dl>{rows}</dl>" if rows else ""


def _figure(medium: Medium, poster: str, label: str) -> str:
    """poster: of a film. label: the figure's place or part."""
    src, alt = escape(medium.src), escape(medium.alt_text)
    if not medium.src:
        shown = f"<p>{_link(medium.url)}</p>"
    elif medium.is_film:
        still = f' poster="{escape(poster)}"' if poster else ""
        shown = f'<video src="{src}"{still} controls playsinline preload="metadata" aria-label="{alt}"></video>'
    else:
        shown = f'<a href="{src}"><img src="{src}" alt="{alt}" loading="lazy"></a>'
    mark = f"<b>{escape(label)}</b> " if label else ""
    described = "" if label == "Cover" else f"{alt}<br>" if alt else "<i>no alt text</i><br>"
    return f"<figure>{shown}<figcaption>{mark}{described}<small>{escape(medium.facts)}</small></figcaption></figure>"


def _link(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        return escape(url)
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow">{escape(url)}</a>'


def _instant(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text
