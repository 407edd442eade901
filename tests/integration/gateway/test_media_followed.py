"""GET /v1/media/{id}/events on the whole service."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from deploy.local.ports import HOST
from tests.integration.gateway.conftest import Service, Workspace, refused
from tests.media import film


def followed(service: Service, customer: Workspace, media_id: str, last: str = "") -> Iterator[tuple[str, str, Any]]:
    """Name, id and data of each event, as they come."""
    headers = {"authorization": f"Bearer {customer.key}"} | ({"last-event-id": last} if last else {})
    url = f"http://{HOST}:{service.port}/v1/media/{media_id}/events"
    with httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as answer:
        if answer.status_code == 204:
            return
        assert answer.headers["content-type"] == "text/event-stream"
        event: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "event" in event:
                yield event["event"], event.get("id", ""), json.loads(event["data"])
                event = {}


def test_a_film_is_followed_until_every_variant_is_settled(service: Service) -> None:
    with service.customer() as customer:
        made = customer.media(film(640, 360, seconds=2, fps=30), "clip.mp4")
        heard = list(followed(service, customer, made["id"]))
        assert {name for name, _, _ in heard} == {"media"}
        assert heard[-1][2] == customer.http.get(f"/v1/media/{made['id']}").json()
        assert heard[-1][2]["status"] == "ready"
        assert len({state for _, state, _ in heard}) == len(heard)
        assert list(followed(service, customer, made["id"], last=heard[-1][1])) == []


@pytest.mark.timeout(240)
def test_how_far_each_film_is_is_followed_and_never_goes_back(service: Service) -> None:
    with service.customer() as customer:
        # No platform takes MPEG-4 part 2: all of it is encoded.
        made = customer.media(film(1280, 720, seconds=10, fps=25, codec="mpeg4", options={}), "clip.mp4")
        heard = [data for _, _, data in followed(service, customer, made["id"])]
    courses: dict[str, list[int]] = {}
    for media in heard:
        for one in media["variants"]:
            if one["progress"] is not None:
                assert one["status"] == "processing"
                courses.setdefault(one["preset"], []).append(one["progress"])
    assert "x.video" in courses
    assert "cover" not in courses
    for course in courses.values():
        assert course == sorted(course)
        assert len(set(course)) > 1
        assert 0 <= course[0] <= course[-1] < 100
    assert heard[-1]["status"] == "ready"
    assert {one["progress"] for one in heard[-1]["variants"]} == {None}


def test_an_item_deleted_meanwhile_is_a_problem(service: Service) -> None:
    with service.customer() as customer:
        made = customer.media(film(640, 360, seconds=4, fps=30), "clip.mp4")
        following = followed(service, customer, made["id"])
        name, _, first = next(following)
        assert (name, first["id"]) == ("media", made["id"])
        assert first["status"] == "processing"
        assert customer.http.delete(f"/v1/media/{made['id']}").status_code == 204
        *_, (name, _, last) = following
        assert (name, last["code"]) == ("problem", "media_not_found")
        assert refused(customer.http.get(f"/v1/media/{made['id']}/events")) == (404, "media_not_found")
