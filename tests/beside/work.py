"""What clients do that several stages, or several moments, have a part in."""

from tests.e2e.busy import Caller, Seen, Task, publish
from tests.e2e.client import UNSETTLED_MEDIA, UNSETTLED_POST, Json, until

SETTLED_WITHIN_S = 90.0


def illustrated(account: str, data: bytes, filename: str) -> Task:
    """That file is uploaded, encoded and posted, and looked at until it is published."""

    def work(caller: Caller, seen: Seen) -> None:
        media_id: str = caller.ask("POST", "/v1/media", files={"file": (filename, data)})["id"]
        seen.uploaded(media_id, data)
        stored = settled(caller, f"/v1/media/{media_id}", UNSETTLED_MEDIA)
        assert stored["status"] == "ready", stored
        post_id = publish(caller, seen, account, media_id)
        posted = settled(caller, f"/v1/posts/{post_id}", UNSETTLED_POST)
        assert posted["status"] == "published", posted

    return work


def settled(caller: Caller, path: str, unsettled: tuple[str, ...]) -> Json:
    """What is there once it has come to an end."""
    return until(lambda: caller.ask("GET", path), lambda it: it["status"] not in unsettled, SETTLED_WITHIN_S)
