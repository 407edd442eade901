"""A post's text as a server shows it. Pure. Source: docs.joinmastodon.org/spec/activitypub/#sanitization."""

import html

import regex

LINK_SHOWN = 30  # characters of a link, after its scheme

_SPECIAL = regex.compile(
    r"(?P<url>https?://\S+)|(?<![\w/])@(?P<name>[a-z0-9_]+)(?:@(?P<host>[\p{L}\p{N}.-]*[\p{L}\p{N}]))?"
    r"|(?<![\w/&])\#(?P<tag>\p{L}\w*)",
    regex.IGNORECASE,
)


def content(text: str) -> str:
    """Paragraphs, with links cut for the eye, mentions without their server, and tags linked."""
    paragraphs = regex.split(r"\n{2,}", text.strip().replace("\r\n", "\n"))
    return "".join(f"<p>{_line_breaks(_linked(it))}</p>" for it in paragraphs if it)


def _linked(text: str) -> str:
    parts, at = [], 0
    for match in _SPECIAL.finditer(text):
        parts += [html.escape(text[at : match.start()]), _link(match)]
        at = match.end()
    return "".join([*parts, html.escape(text[at:])])


def _link(match: "regex.Match[str]") -> str:
    if url := match["url"]:
        scheme, _, rest = url.partition("://")
        shown, hidden = html.escape(rest[:LINK_SHOWN]), html.escape(rest[LINK_SHOWN:])
        return (
            f'<a href="{html.escape(url)}" rel="nofollow noopener"><span class="invisible">{scheme}://</span>'
            f'<span class="ellipsis">{shown}</span><span class="invisible">{hidden}</span></a>'
        )
    if name := match["name"]:
        return f'<span class="h-card"><a href="#" class="u-url mention">@<span>{name}</span></a></span>'
    return f'<a href="#" class="mention hashtag" rel="tag">#<span>{match["tag"]}</span></a>'


def _line_breaks(text: str) -> str:
    return text.replace("\n", "<br />")
