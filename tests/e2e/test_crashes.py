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
from tests.e2e.client import Client, Json, post_body, until
from tests.e2e.tenants import Tenancy, received

CLIENTS = 3
ROUNDS = 3
KILLS = 3
# These find a post by our own name for it, so that a lost answer leaves no doubt.
WITH_HANDLE = ("bluesky",)


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
    # An upload whose taker was killed before it had it whole is forgotten once its lease has run out.
    wanted = {photo["id"] for photo in photos}
    until(
        lambda: {"strays": [found for found in client.all_media() if found["id"] not in wanted]},
        lambda it: not it["strays"],
        90,
    )
    assert Counter(found["id"] for found in client.all_media()) == Counter(wanted)
    texts = {text: client.settled_post(post["id"], within_s=60, or_in_doubt=True) for _, post, text in done}
    time.sleep(1.0)  # a second copy would come late
    for n, target in enumerate(targets):
        platform = target["platform"]
        copies = Counter(post["text"] for post in received(stack, platform))
        for text, post in texts.items():
            status = post["targets"][n]["status"]
            if platform in WITH_HANDLE or victim != "publisher" or status == "published":
                assert (status, copies[text]) == ("published", 1), post
            else:
                # Killed between the word that it will be sent and the sending: nobody can tell, so it is not sent
                # again, and told as unconfirmed after a minute of looking.
                assert status in ("publishing", "unconfirmed"), post
                assert copies[text] == 0, post
