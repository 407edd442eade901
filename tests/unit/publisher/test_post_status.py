"""A post's state follows from its targets' alone."""

import itertools

import pytest

from services.publisher.domain.post import SETTLED, PostStatus, TargetStatus, post_status

T = TargetStatus


@pytest.mark.parametrize(
    ("targets", "status"),
    [
        ([T.SCHEDULED, T.SCHEDULED], PostStatus.SCHEDULED),
        ([T.SCHEDULED, T.QUEUED], PostStatus.PUBLISHING),
        ([T.QUEUED], PostStatus.PUBLISHING),
        ([T.WAITING_MEDIA, T.PUBLISHED], PostStatus.PUBLISHING),
        ([T.PUBLISHED, T.FAILED, T.PUBLISHING], PostStatus.PUBLISHING),
        ([T.PUBLISHED, T.PUBLISHED], PostStatus.PUBLISHED),
        ([T.PUBLISHED, T.CANCELED], PostStatus.PUBLISHED),
        ([T.PUBLISHED, T.FAILED], PostStatus.PARTIALLY_PUBLISHED),
        ([T.PUBLISHED, T.UNCONFIRMED], PostStatus.PARTIALLY_PUBLISHED),
        ([T.FAILED, T.FAILED], PostStatus.FAILED),
        ([T.FAILED, T.CANCELED], PostStatus.FAILED),
        ([T.UNCONFIRMED], PostStatus.FAILED),
        ([T.CANCELED, T.CANCELED], PostStatus.CANCELED),
    ],
)
def test_the_state_of_a_post(targets: list[TargetStatus], status: PostStatus) -> None:
    assert post_status(targets) is status


def test_a_post_is_settled_exactly_when_all_its_targets_are() -> None:
    for targets in itertools.product(TargetStatus, repeat=3):
        settled = post_status(targets) not in (PostStatus.SCHEDULED, PostStatus.PUBLISHING)
        assert settled == (set(targets) <= SETTLED)


def test_published_means_that_every_target_that_was_not_canceled_is_live() -> None:
    for targets in itertools.product(TargetStatus, repeat=3):
        if post_status(targets) is PostStatus.PUBLISHED:
            assert set(targets) <= {T.PUBLISHED, T.CANCELED}
