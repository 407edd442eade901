"""The gateway and the JSON port before the same stages, and what is seen when both are asked the same."""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from google.protobuf.message import Message

from deploy.local.certificates import Authority
from deploy.local.json_port import Door, JsonPort
from deploy.local.ports import Ports
from deploy.local.state import State
from services.common import ids
from services.common.errors import MediaError
from services.common.public_json import JSON, dumps, to_json
from services.gateway.domain.rates import Kind, Rate
from services.gateway.transcode.calls import Upstreams
from tests.contract.json.stages import Script, serving
from tests.contract.test_http import Keyring
from tests.contract.test_http import serving as gateway

CALLER = "batch.example.internal"
NAME = "localhost"


@dataclass(frozen=True, slots=True)
class Case:
    """One request, as both are asked it, and what the stage behind says.

    Attributes:
        body: Sent as it is where it is bytes, else as JSON; None: nothing is sent.
        says: None: an empty answer.
        raw: The answers are compared as they are. Else what holds of all of them is passed over, see `differences`.
    """

    name: str
    method: str
    path: str
    body: "JSON | bytes" = None
    headers: Mapping[str, str] = field(default_factory=dict)
    says: Message | MediaError | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it. error: the code, "" where there is none; asked: the stage's request, None: it was not called."""

    status: int
    error: str | None
    fields: tuple[str, ...]
    told: JSON
    asked: JSON


@dataclass(frozen=True, slots=True)
class Sides:
    """Both, and the stages behind them. authority: the port's."""

    script: Script
    gateway: httpx.AsyncClient
    port: httpx.AsyncClient
    authority: Authority
    url: str
    ports: Ports

    async def ask(self, case: Case) -> tuple[Seen, Seen]:
        """The gateway's answer, and the port's."""
        return await self._seen(self.gateway, case), await self._seen(self.port, case)

    async def _seen(self, http: httpx.AsyncClient, case: Case) -> Seen:
        self.script.expect(case.says)
        content = case.body if isinstance(case.body, bytes) or case.body is None else dumps(case.body)
        typed = {"content-type": "application/json"} if content is not case.body else {}
        answer = await http.request(case.method, case.path, content=content, headers=typed | dict(case.headers))
        assert len(self.script.received) <= 1
        asked = [{"rpc": it.rpc, **to_json(it.request)} for it in self.script.received]
        told: JSON = answer.json() if answer.content else None
        call = asked[0] if asked else None
        if answer.status_code < 400 or case.raw:
            return Seen(answer.status_code, None, (), told, call)
        return Seen(answer.status_code, *_error(told), None, call)


def _error(told: JSON) -> tuple[str, tuple[str, ...]]:
    """The gateway's problem, a stage's google.rpc.Status, or what Envoy says by itself: no code."""
    match told:
        case {"error": {"code": str(code)}, "errors": rows}:
            return code, _fields(rows)
        case {"error": {"code": str(code)}}:
            return code, ()
        case {"details": [{"code": str(code), "violations": rows}]}:
            return code, _fields(rows)
    return "", ()


def _fields(rows: JSON) -> tuple[str, ...]:
    return tuple(str(row["field"]) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()


def context(folder: Path) -> ssl.SSLContext:
    """Of a client with the certificates in `folder`."""
    made = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return made


@asynccontextmanager
async def both(state: State) -> AsyncIterator[Sides]:
    """The real Envoy, and the gateway."""
    script, keyring, authority = Script(), Keyring(), Authority("ours")
    authority.furnish(state.folder("port"), NAME)
    authority.furnish(state.folder("caller"), CALLER)
    rates = dict.fromkeys(Kind, Rate(requests=10_000, window_s=60))
    async with AsyncExitStack() as held:
        ports, channels = await held.enter_async_context(serving(script))
        front = await held.enter_async_context(gateway(keyring, Upstreams(channels), rates))
        front.headers["authorization"] = f"Bearer {keyring.issue()}"
        envoy = JsonPort(state, ports=ports, door=Door(certificates=state.folder("port"), callers=re.escape(CALLER)))
        held.callback(envoy.stop)
        envoy.start()
        url = f"https://{NAME}:{ports.edge}"
        trusted = context(state.folder("caller"))
        port = await held.enter_async_context(httpx.AsyncClient(verify=trusted, base_url=url))
        port.headers.update({"x-workspace-id": ids.new("ws"), "x-mode": "test", "x-plan": "pro"})
        yield Sides(script, front, port, authority, url, ports)
