"""Plays Threads, for test accounts: limits, states and refusals as its reference has them.

Source: developers.facebook.com/docs/threads/{overview,posts,troubleshooting}, read 2026-10-10.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms import catalog
from services.platforms.ports import JSON
from services.platforms.sandboxing.allowances import Allowances, Use
from services.platforms.sandboxing.container_rules import Asked, Rules, Source
from services.platforms.sandboxing.containers import Containers
from services.platforms.sandboxing.graph import authorize, refused, told, too_many, unsupported
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.tokens import Scopes, bearer_mark
from services.platforms.sandboxing.web import RefusedError, build
from services.platforms.threads.checks import PLATFORM
from services.platforms.threads.publish import DIALECT, OF_REPLIES, SERVICE
from services.platforms.threads.refusals import LINKS
from services.platforms.threads.text import counted, links

SCOPES = Scopes(("threads_basic",), ("threads_content_publish", "threads_manage_replies"))
POSTS_A_DAY, REPLIES_A_DAY = 250, 1_000
FIELDS = frozenset(
    ["media_type", "image_url", "video_url", "text", "alt_text", "is_carousel_item", "children", "reply_to_id"]
)
SOURCES = {"IMAGE": "image_url", "VIDEO": "video_url"}


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    routes = [Route(f"{SERVICE.version}/debug_token", _told), *Containers(state, RULES).routes()]
    served = build(state, routes, too_many=too_many, unknown=unsupported())
    return Allowances(served, Use("", 4))


async def _told(request: Request) -> Response:
    """To testers of the app."""
    authorize(request)
    if bearer_mark(request) == "guest":
        raise refused(100, "The access token must be of a tester of the app")
    return told(SCOPES, request.query_params.get("input_token", ""))


def _read(form: Mapping[str, str]) -> Asked:
    if strange := set(form) - FIELDS:
        raise refused(100, f"Invalid parameter: {', '.join(sorted(strange))}")
    kind, text, item = form.get("media_type", ""), form.get("text", ""), form.get("is_carousel_item") == "true"
    _check_text(text, allowed=not item)
    post = "item" if item else "reply" if "reply_to_id" in form else "post"
    shown: dict[str, JSON] = {"replyTo": form["reply_to_id"]} if "reply_to_id" in form else {}
    match kind:
        case "TEXT" if text and not item:
            return Asked(kind=post, text=text, shown=shown)
        case "CAROUSEL" if not item:
            return Asked(kind=post, text=text, children=_children(form), shown=shown)
        case "IMAGE" | "VIDEO" if form.get(SOURCES[kind]):
            return Asked(kind=post, text=text, source=_source(form, kind), shown=shown)
        case _:
            raise refused(100, "Invalid parameter: media_type, and what it needs")


def _check_text(text: str, *, allowed: bool) -> None:
    if text and not allowed:
        raise refused(100, "Invalid parameter: an item of a carousel has no text")
    platform = catalog.load()[PLATFORM]
    if counted(text) > platform.text.max_length:
        raise refused(100, "Param text must be at most 500 characters long.")
    if len(links(text)) > platform.most("text", "links"):
        raise refused(100, f"{LINKS}: too many links")


def _children(form: Mapping[str, str]) -> tuple[str, ...]:
    image = catalog.load()[PLATFORM].image
    children = tuple(filter(None, form.get("children", "").split(",")))
    if not 2 <= len(children) <= (image.max_count if image else 0):
        raise refused(100, "Invalid parameter: a carousel has 2 to 20 items")
    return children


def _source(form: Mapping[str, str], kind: str) -> Source:
    platform = catalog.load()[PLATFORM]
    part = platform.video if kind == "VIDEO" else platform.image
    assert part is not None
    if len(form.get("alt_text", "")) > part.alt_text_max:
        raise refused(100, "Invalid parameter: alt_text")
    return Source(form[SOURCES[kind]], part.limits, form.get("alt_text"))


def _misfit(source: Source, rule: str) -> RefusedError | str:
    if any(kind.startswith("video/") for kind in source.limits.accept):
        reasons = {
            "unreached": "FAILED_DOWNLOADING_VIDEO", "aspect": "INVALID_ASPEC_RATIO", "duration": "INVALID_DURATION",
        }  # fmt: skip
        return reasons.get(rule, "FAILED_PROCESSING_VIDEO")
    if rule == "unreached":
        return refused(9004, "The media could not be fetched from this URI", 2207052)
    return refused(100, f"Invalid parameter: the image's {rule} is not supported")


RULES = Rules(
    service=SERVICE,
    dialect=lambda kind: OF_REPLIES if kind == "reply" else DIALECT,
    read=_read,
    misfit=_misfit,
    listing=lambda kind: "/replies" if kind == "reply" else "/threads",
    text_field="text",
    quota={"post": POSTS_A_DAY, "reply": REPLIES_A_DAY},
    exhausted=refused(9, "The maximum number of posts of a day is reached"),
    permalink=lambda account, post_id: f"https://www.threads.com/@{account}/post/{post_id}",
)
