"""An endless mixture of hostile uploads, the same for the same seed."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from tests.fuzz import targets
from tests.fuzz.mutations import mutated
from tests.hostile import foreign, names, playlists
from tests.hostile.brands import SWAPPED
from tests.hostile.polyglots import IMPOSTORS, POLYGLOTS
from tests.hostile.samples import CONTENT_TYPES, moving, sample
from tests.media import INFECTED_ZIP
from tests.unit.scanner.structure import test_walking_films, test_walking_heif, test_walking_pictures

DECLARED = (*CONTENT_TYPES, "text/html", "image/svg+xml", "application/octet-stream", "IMAGE/PNG; a=b, c", "x" * 300)
PREFER = ("wait=0", "wait=1", "wait=30", "wait=99999999999", "wait=-1", "respond-async, wait=5", 'wait="3"', "=;,")
KINDS = (b"image", b"video", b"IMAGE", b"", b"\xff", b"image\0")

Chance = random.Random
Named = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Upload:
    """One request. origin: which generator it is from, and what it is called there."""

    origin: str
    content: bytes = field(repr=False)
    headers: Mapping[str, str]


def uploads(count: int, seed: int) -> Iterator[Upload]:
    """`count` of them."""
    chance = Chance(seed)
    origins, weights = list(MIXTURE), [weight for weight, _ in MIXTURE.values()]
    for origin in chance.choices(origins, weights, k=count):
        name, data = MIXTURE[origin][1](chance)
        yield _upload(f"{origin}: {name}", data, chance)


def _upload(origin: str, data: bytes, chance: Chance) -> Upload:
    """With a name, a type, fields and headers that are as likely to be hostile as not."""
    filename = chance.choice([b"a.jpg", *(sent for sent, _ in (*names.NAMES.values(), *names.HEADERS.values()))])
    fields = {}
    if chance.random() < 0.2:
        fields["altText"] = chance.choice([*names.SAID.values(), *names.REFUSED.values()])
    if chance.random() < 0.1:
        fields["kind"] = chance.choice(KINDS)
    content = names.form(data, filename, declared=chance.choice(DECLARED), **fields)
    if chance.random() < 0.05:
        at = chance.randrange(len(content))
        content = content[:at] + content[at + chance.randint(1, 64) :]
    headers = {"content-type": names.FORM_TYPE}
    if chance.random() < 0.5:
        headers["prefer"] = chance.choice(PREFER)
    return Upload(origin, content, headers)


def _mutated(chance: Chance) -> Named:
    content_type = chance.choice(CONTENT_TYPES)
    return content_type, mutated([sample(content_type), *targets.seeds(content_type)], chance)


def _cut(chance: Chance) -> Named:
    content_type = chance.choice(CONTENT_TYPES)
    whole = sample(content_type)
    return content_type, whole[: chance.randrange(len(whole))]


def _infected(chance: Chance) -> Named:
    content_type = chance.choice(CONTENT_TYPES)
    return content_type, sample(content_type) + INFECTED_ZIP.read_bytes()


def _flawless(chance: Chance) -> Named:
    """Nothing is wrong with it but what is said of it."""
    content_type = chance.choice(CONTENT_TYPES)
    return content_type, sample(content_type) + bytes(chance.randrange(64))


def _animated(chance: Chance) -> Named:
    format_ = chance.choice(("GIF", "PNG", "WEBP", "AVIF"))
    return format_, moving(format_) + bytes(chance.randrange(64))


def _one_of(table: Callable[[], Sequence[Named]]) -> Callable[[Chance], Named]:
    return lambda chance: chance.choice(table())


@cache
def _bombs() -> Sequence[Named]:
    modules = (test_walking_films, test_walking_heif, test_walking_pictures)
    return [(str(bomb.id), bomb.values[1]) for module in modules for bomb in module.BOMBS]


@cache
def _foreign() -> Sequence[Named]:
    return list(foreign.everything())


@cache
def _two_at_once() -> Sequence[Named]:
    return [(name, polyglot.make()) for name, polyglot in (*POLYGLOTS.items(), *IMPOSTORS.items())]


@cache
def _naming_others() -> Sequence[Named]:
    url, path = "http://127.0.0.1:9", "/etc/hostname"
    texts = playlists.texts(url, path)
    return [
        *texts.items(),
        *((f"{name} as mp4", playlists.behind_a_beginning(text)) for name, text in texts.items()),
        *((name, playlists.film_elsewhere(one)) for name, one in playlists.references(url, path).items()),
    ]


@cache
def _branded() -> Sequence[Named]:
    return [(name, data) for name, (data, _) in SWAPPED.items()]


# By origin: how often, of a hundred, and from what.
MIXTURE: Mapping[str, tuple[int, Callable[[Chance], Named]]] = {
    "mutated": (45, _mutated),
    "cut": (10, _cut),
    "bomb": (15, _one_of(_bombs)),
    "foreign": (8, _one_of(_foreign)),
    "two at once": (8, _one_of(_two_at_once)),
    "naming others": (4, _one_of(_naming_others)),
    "branded": (3, _one_of(_branded)),
    "infected": (3, _infected),
    "animated": (2, _animated),
    "flawless": (2, _flawless),
}
