"""kill -9 of each stage in the middle of uploads and posts: nothing lost, nothing twice."""

import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from tests import media
from tests.e2e.client import Client, Json, post_body
from tests.e2e.tenants import Tenancy, received

CLIENTS = 3
ROUNDS = 3
KILLS = 3


def one_client(client: Client, targets: list[dict[str, str]], number: int) -> list[tuple[Json, Json, str]]:
    """Photos and posts, one after the other; returns what was acknowledged."""
    done = []
    for n in range(ROUNDS):
        data = media.jpeg(500 + number, 400 + n)
        photo = client.persistently("POST", "/v1/media", files={"file": ("photo.jpg", data)})
        text = f"post {uuid.uuid4().hex}"
        post = client.persistently("POST", "/v1/posts", json=post_body(text, [photo["id"]], targets))
        done.append((photo, post, text))
    return done


@pytest.mark.parametrize("victim", STAGES)
@pytest.mark.timeout(240)
def test_a_killed_stage_loses_nothing_and_repeats_nothing(stack: Stack, tenancy: Tenancy, victim: str) -> None:
    client, targets = tenancy.client, tenancy.targets
    finished = threading.Event()

    def kill() -> None:
        chance = random.Random(victim)  # noqa: S311  repeatable, not secret
        for _ in range(KILLS):
            if finished.wait(chance.uniform(0.3, 1.0)):
                return
            stack.kill(victim)
            stack.wait_ready(victim, within_s=60)

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        killing = pool.submit(kill)
        working = [pool.submit(one_client, client, targets, number) for number in range(CLIENTS)]
        done = [row for future in working for row in future.result()]
        finished.set()
        killing.result()

    photos = [client.settled_media(photo["id"], within_s=90) for photo, _, _ in done]
    assert {photo["status"] for photo in photos} == {"ready"}, photos
    posts = [client.settled_post(post["id"], within_s=120) for _, post, _ in done]
    assert {post["status"] for post in posts} == {"published"}, posts
    assert Counter(found["id"] for found in client.all_media()) == Counter(photo["id"] for photo in photos)
    for target in targets:
        texts = Counter(post["text"] for post in received(stack, target["platform"]))
        assert {texts[text] for _, _, text in done} == {1}, target["platform"]
    time.sleep(1.0)  # a second copy would come late
    for target in targets:
        texts = Counter(post["text"] for post in received(stack, target["platform"]))
        assert {texts[text] for _, _, text in done} == {1}, target["platform"]
