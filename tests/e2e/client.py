"""The public API as its clients use it: over HTTP, through Envoy, with nothing but a key."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

UNSETTLED_MEDIA = ("receiving", "scanning", "processing")
UNSETTLED_POST = ("scheduled", "publishing")
POLL_S = 0.1
PATIENCE_S = 90.0

Json = dict[str, Any]


class Client:
    """One key's view. Answers are httpx responses where a test looks at them, JSON where it does not."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def upload(self, data: bytes, filename: str = "photo.jpg", **fields: str) -> httpx.Response:
        """POST /v1/media; `fields` are the form's own: kind, altText."""
        return self.http.post("/v1/media", files={"file": (filename, data)}, data=fields)

    def imported(self, url: str, headers: Mapping[str, str] | None = None, **fields: str) -> httpx.Response:
        """POST /v1/media with a URL; `fields` are the body's own: kind, altText."""
        return self.http.post("/v1/media", json={"url": url, **fields}, headers=headers)

    def stored(self, data: bytes, filename: str = "photo.jpg", **fields: str) -> Json:
        """An upload that must succeed, once it is settled."""
        answer = self.upload(data, filename, **fields)
        assert answer.status_code == 201, answer.text
        return self.settled_media(answer.json()["id"])

    def media(self, media_id: str) -> Json:
        return body(self.http.get(f"/v1/media/{media_id}"))

    def settled_media(self, media_id: str, *, within_s: float = 60.0) -> Json:
        return until(lambda: self.media(media_id), lambda it: it["status"] not in UNSETTLED_MEDIA, within_s)

    def all_media(self) -> Iterator[Json]:
        return self._pages("/v1/media")

    def create_post(self, text: str, media_ids: Sequence[str], targets: Sequence[Mapping[str, Any]]) -> httpx.Response:
        return self.http.post("/v1/posts", json=post_body(text, media_ids, targets))

    def settled_post(self, post_id: str, *, within_s: float = 60.0, or_in_doubt: bool = False) -> Json:
        """or_in_doubt: what is still looked up by then is given as it stands."""

        def enough(post: Json) -> bool:
            return post["status"] not in UNSETTLED_POST or (or_in_doubt and time.monotonic() > ends)

        ends = time.monotonic() + within_s
        return until(lambda: body(self.http.get(f"/v1/posts/{post_id}")), enough, within_s + 1)

    def persistently(self, method: str, path: str, **request: Any) -> Json:
        """A POST as a careful client makes it: one idempotency key, again and again until there is an answer."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self.http.request(method, path, headers=headers, **request)
            except httpx.TransportError:
                answer = None
            if answer is not None and not _worth_repeating(answer):
                return body(answer)
            assert time.monotonic() < ends, f"{method} {path}: {answer.text if answer else 'no answer'}"
            time.sleep(0.3)

    def _pages(self, path: str) -> Iterator[Json]:
        cursor = None
        while True:
            page = body(self.http.get(path, params={"limit": 100} | ({"cursor": cursor} if cursor else {})))
            yield from page["data"]
            cursor = page["nextCursor"]
            if cursor is None:
                return


def post_body(text: str, media_ids: Sequence[str], targets: Sequence[Mapping[str, Any]]) -> Json:
    return {"text": text, "targets": list(targets), "media": [{"mediaId": media_id} for media_id in media_ids]}


def body(answer: httpx.Response) -> Json:
    """The JSON of an answer that must be a success."""
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    found: Json = answer.json()
    return found


def until(ask: Callable[[], Json], enough: Callable[[Json], bool], within_s: float) -> Json:
    """The first answer that is enough."""
    ends = time.monotonic() + within_s
    while True:
        found = ask()
        if enough(found):
            return found
        assert time.monotonic() < ends, f"after {within_s:.0f} s still {found}"
        time.sleep(POLL_S)


def eventually(holds: Callable[[], bool], *, within_s: float) -> None:
    """Waits until it holds."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, f"not after {within_s:.0f} s"
        time.sleep(POLL_S)


def _worth_repeating(answer: httpx.Response) -> bool:
    busy = answer.status_code == 409 and answer.json()["error"]["code"] == "idempotency_in_progress"
    return answer.status_code >= 500 or answer.status_code == 429 or busy
