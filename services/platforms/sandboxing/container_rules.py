"""What differs between the services whose containers a sandbox plays, and what files must obey."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.platforms.catalog import Limits
from services.platforms.containers import Dialect
from services.platforms.graph import Service
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import Facts
from services.platforms.sandboxing.web import RefusedError


@dataclass(frozen=True, slots=True)
class Source:
    """A file to fetch. limits: what it must obey."""

    url: str
    limits: Limits
    alt_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A form, read and found in order.

    Attributes:
        kind: "item" of a carousel, or the service's own word for the post, by which its listing is chosen.
        children: Ids of a carousel's items.   shown: further fields of the received post.
    """

    kind: str
    text: str = ""
    source: Source | None = None
    cover: Source | None = None
    children: tuple[str, ...] = ()
    shown: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """One service's.

    Attributes:
        read: A form as what is asked, or RefusedError.
        misfit: How a file is refused: by its source, and the rule it breaks: "unreached", "size", "type", "aspect" or
            "duration". A RefusedError at once; a text is the reason of the container's ERROR.
        listing: The path below the user where posts of this kind are.   text_field: of a post.
        quota: Posts of this kind a day.   exhausted: the answer past it.
        permalink: Of a post: account, id.
    """

    service: Service
    dialect: Callable[[str], Dialect]
    read: Callable[[Mapping[str, str]], Asked]
    misfit: Callable[[Source, str], RefusedError | str]
    listing: Callable[[str], str]
    text_field: str
    quota: Mapping[str, int]
    exhausted: RefusedError
    permalink: Callable[[str, str], str]


def broken(facts: Facts, limits: Limits) -> str:
    """The rule a file breaks; "" if none. Pictures of another width are scaled, so only films have one."""
    if facts.content_type not in limits.accept:
        return "type"
    aspect = facts.width / facts.height
    if not (limits.min_aspect or 0) <= aspect <= (limits.max_aspect or aspect):
        return "aspect"
    if not facts.content_type.startswith("video/"):
        return ""
    if facts.width > (limits.max_width_px or facts.width):
        return "type"
    lasts = (limits.min_duration_s or 0) <= facts.duration_s <= (limits.max_duration_s or facts.duration_s)
    return "" if lasts else "duration"
