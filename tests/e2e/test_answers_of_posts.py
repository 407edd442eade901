"""What a post shows is brought to platforms behind the answer, which takes as long for a film as for a thumbnail."""

import time
from collections import defaultdict

import pytest

from tests import media
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy

ROUNDS = 15
FILM_BYTES = 90_000_000
NOISE_S = 0.05  # of a busy machine; reading the film alone would take longer


@pytest.mark.timeout(240)
def test_a_post_is_answered_as_soon_whatever_its_media_weigh(tenancy: Tenancy) -> None:
    client = tenancy.client
    made = {
        "nothing": [],
        "a thumbnail": [client.stored(media.jpeg(64, 64))["id"]],
        "a large photo": [client.stored(media.jpeg_of_size(7_900_000))["id"]],
        "a film": [client.stored(media.padded(media.film(seconds=4), FILM_BYTES), "film.mp4")["id"]],
        # Nothing is made of it yet, and the post is taken all the same.
        "a film under way": [body(client.upload(media.film(1280, 720, seconds=20), "later.mp4"))["id"]],
    }
    [target] = [it for it in tenancy.targets if it["platform"] == "bluesky"]
    took: dict[str, list[float]] = defaultdict(list)
    for turn in range(ROUNDS):
        for name, ids in made.items():
            begun = time.perf_counter()
            answer = client.create_post(f"{name} {turn}", ids, [target])
            took[name].append(time.perf_counter() - begun)
            assert answer.status_code == 202, answer.text
    fastest = {name: min(all_of_them) for name, all_of_them in took.items()}
    assert max(fastest.values()) <= 2 * fastest["a thumbnail"] + NOISE_S, fastest
