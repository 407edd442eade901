"""A post as the public message."""

from mediaapi.v1 import post_pb2

from services.publisher.domain.post import MediaRef, Post, Target, TargetStatus


def message(post: Post) -> post_pb2.Post:
    """The public message of a post, all its targets among it."""
    found = post_pb2.Post(
        id=post.post_id,
        status=post_pb2.PostStatus.Value(f"POST_STATUS_{post.status.name}"),
        text=post.text,
        media=[_media(it) for it in post.media],
        targets=[_target(it) for it in post.targets],
    )
    found.created_at.FromDatetime(post.created_at)
    if post.scheduled_at is not None:
        found.scheduled_at.FromDatetime(post.scheduled_at)
    return found


def _media(ref: MediaRef) -> post_pb2.PostMedia:
    media_id = ref.media_id if ref.url is None else None
    return post_pb2.PostMedia(media_id=media_id, alt_text=ref.alt_text, url=ref.url)


def _target(target: Target) -> post_pb2.PostTarget:
    message = post_pb2.PostTarget(
        platform=target.platform,
        account_id=target.account_id,
        status=post_pb2.TargetStatus.Value(f"TARGET_STATUS_{target.status.name}"),
        variant=target.preset,
        platform_post_id=target.platform_post_id,
        url=target.url,
        attempts=target.attempts,
    )
    if target.published_at is not None:
        message.published_at.FromDatetime(target.published_at)
    # While a target is tried again its last failure is not its fate.
    if target.error is not None and target.status in (TargetStatus.FAILED, TargetStatus.UNCONFIRMED):
        message.error.CopyFrom(post_pb2.TargetError(code=target.error.code, message=target.error.message))
    return message
