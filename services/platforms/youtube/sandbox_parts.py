"""What the sandbox takes as parts of a video. Pure.

Source: developers.google.com/youtube/v3/docs/videos, read 2026-10-08.
"""

from collections.abc import Mapping

from services.platforms import catalog
from services.platforms.calls import list_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.store import Doc
from services.platforms.youtube.checks import LICENSES, PLATFORM, PRIVACIES, tags_length
from services.platforms.youtube.sandbox_accounts import invalid

# Those videos may be given; films and series have ids that may not.
CATEGORIES = frozenset(["1", "2", "10", "15", "17", "19", "20", "22", "23", "24", "25", "26", "27", "28", "29"])
SNIPPET = frozenset(["title", "description", "tags", "categoryId", "defaultLanguage"])
FLAGS = frozenset(["selfDeclaredMadeForKids", "embeddable", "containsSyntheticMedia", "publicStatsViewable"])


def check_parts(wanted: Doc, parts: str, known: set[str], also: frozenset[str] = frozenset()) -> None:
    """The parts of a body that `part` names, all of them and no others. Raises RefusedError."""
    named = set(parts.split(","))
    if not named <= known:
        raise invalid(f"part {parts!r} is not taken here", "unexpectedPart")
    if strange := set(wanted) - named - also:
        raise invalid(f"{', '.join(sorted(strange))} is not in part", "unexpectedPart")
    if "snippet" in named:
        _check_snippet(_object(wanted, "snippet"))
    if "status" in named:
        _check_status(_object(wanted, "status"))


def _check_snippet(snippet: Mapping[str, JSON]) -> None:
    if strange := set(snippet) - SNIPPET:
        raise invalid(f"{', '.join(sorted(strange))} is no field of a snippet")
    platform = catalog.load()[PLATFORM]
    title, description, tags = text_at(snippet, "title"), text_at(snippet, "description"), list_at(snippet, "tags")
    if not 1 <= len(title.strip()) <= platform.most("options.title") or _has_brackets(title):
        raise invalid("The request metadata specifies an invalid or empty video title.", "invalidTitle")
    if len(description.encode()) > (platform.text.max_bytes or 0) or _has_brackets(description):
        raise invalid("The request metadata specifies an invalid video description.", "invalidDescription")
    length = tags_length([str(tag) for tag in tags])
    if length > platform.most("options.tags") or any(_has_brackets(str(tag)) for tag in tags):
        raise invalid("The request metadata specifies invalid video keywords.", "invalidTags")
    if text_at(snippet, "categoryId") not in CATEGORIES:
        raise invalid("The request metadata specifies an invalid category ID.", "invalidCategoryId")


def _check_status(status: Mapping[str, JSON]) -> None:
    if strange := set(status) - FLAGS - {"privacyStatus", "license"}:
        raise invalid(f"{', '.join(sorted(strange))} is no field of a status")
    if status.get("privacyStatus") not in PRIVACIES or status.get("license", LICENSES[0]) not in LICENSES:
        raise invalid("The request metadata specifies an invalid status.", "invalidVideoMetadata")
    if not all(isinstance(status[name], bool) for name in FLAGS & set(status)):
        raise invalid("The request metadata specifies an invalid status.", "invalidVideoMetadata")


def _object(wanted: Doc, name: str) -> Mapping[str, JSON]:
    found = wanted.get(name)
    if not isinstance(found, dict):
        raise invalid(f"{name} is missing", "invalidVideoMetadata")
    return found


def _has_brackets(text: str) -> bool:
    return "<" in text or ">" in text
