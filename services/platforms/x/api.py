"""X's API, and whose token one is. verify() adds the credentials `user_id` and `username`.

Source: docs.x.com/x-api; user tokens with tweet.read tweet.write users.read media.write offline.access.
"""

from dataclasses import dataclass

from services.platforms.bearer import Api, Service
from services.platforms.calls import WHOSE, answered_without, text_at
from services.platforms.x import refusals

SERVICE = Service("X", "https://api.x.com", "/2/oauth2/token", refusals.refusal)


@dataclass(frozen=True, slots=True)
class Me:
    """Who the token belongs to. username: without the @."""

    user_id: str
    username: str


async def ask_me(api: Api) -> Me:
    """Raises PlatformError."""
    found = await api.get("/2/users/me")
    me = Me(text_at(found, "data", "id"), text_at(found, "data", "username"))
    if not (me.user_id and me.username):
        raise answered_without("X", WHOSE)
    return me
