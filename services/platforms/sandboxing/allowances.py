"""Meta's allowances of requests, told in every answer's headers, as sandboxes of its services play them.

A page and a professional account have 4,800 requests a day for everybody who saw them, of whom there is one here.
Accounts whose token says "busy" have 40 a minute, so that the end is near. Counted in memory, so anew after a restart.
Source, read 2026-11-26: developers.facebook.com/docs/graph-api/overview/rate-limiting. Threads' pages count the same
way and name no header; its sandbox tells what an app has used.
"""

import json
import math
import time
from collections import deque
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platforms.sandboxing.graph import refused
from services.platforms.sandboxing.tokens import bearer_mark, bearer_name, number_of
from services.platforms.sandboxing.web import answer

BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Use:
    """How a service tells and refuses. business: its name as a use case, "" where it tells of the app alone."""

    business: str
    code: int

    def headers(self, owner: str, percent: int, blocked_s: float) -> tuple[str, str]:
        """Name and value."""
        shares = {"call_count": percent, "total_cputime": 0, "total_time": 0}
        if not self.business:
            return "x-app-usage", json.dumps(shares)
        told = {"type": self.business, **shares, "estimated_time_to_regain_access": math.ceil(blocked_s / 60)}
        return "x-business-use-case-usage", json.dumps({number_of(owner): [told]})


@dataclass(slots=True)
class Allowance:
    """One account's."""

    requests: int
    within_s: float
    made: deque[float] = field(default_factory=deque)

    def taken(self, now: float) -> tuple[int, float]:
        """Percent used with this request, which counts even where it is refused, and seconds until one is free."""
        while self.made and self.made[0] <= now - self.within_s:
            self.made.popleft()
        self.made.append(now)
        over = len(self.made) - self.requests
        blocked_s = self.made[over - 1] + self.within_s - now if over > 0 else 0.0
        return len(self.made) * 100 // self.requests, blocked_s


class Allowances:
    """The application below, whose accounts' requests are counted."""

    def __init__(self, app: ASGIApp, use: Use) -> None:
        self._app = app
        self._use = use
        self._accounts: dict[tuple[str, bool], Allowance] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, and its answer tell what is used."""
        owner = bearer_name(Request(scope)) if scope["type"] == "http" else None
        if owner is None:
            await self._app(scope, receive, send)
            return
        key = owner, bearer_mark(Request(scope)) == BUSY
        allowance = self._accounts.setdefault(key, Allowance(40, 60.0) if key[1] else Allowance(4_800, 86_400.0))
        percent, blocked_s = allowance.taken(time.monotonic())
        name, value = self._use.headers(owner, percent, blocked_s)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[name] = value
            await send(message)

        if percent > 100:
            await answer(refused(self._use.code, "There have been too many calls", status=400))(scope, receive, telling)
            return
        await self._app(scope, receive, telling)
