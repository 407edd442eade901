"""The sandbox's accounts, named by their tokens, their boards, and how Pinterest refuses."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.platforms.calls import text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.tokens import bearer_name, is_readonly, number_of
from services.platforms.sandboxing.web import RefusedError, json_body

FIRST_BOARD = "1234567890"
BOARDS, SECTIONS = "board", "board_section"
NAME_MAX = 50
SECTION_NAME_MAX = 180
READ_MAX = 10_000


def refused(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> RefusedError:
    """Pinterest's refusals."""
    return RefusedError(status, {"code": code, "message": message}, headers)


def invalid(message: str) -> RefusedError:
    """A request its schema does not allow."""
    return refused(400, 1, f"Invalid request: {message}")


def too_many() -> RefusedError:
    """The answer past a limit. The window is short, since no test waits for a minute."""
    headers = {"x-ratelimit-limit": "100, 100;w=60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}
    return refused(429, 8, "You have exceeded your rate limit. Try again later.", headers)


def authorize(request: Request, *, writing: bool = False) -> str:
    """Whose token the request carries. Raises RefusedError."""
    name = bearer_name(request)
    if name is None:
        raise refused(401, 2, "Authentication failed.")
    if writing and is_readonly(request):
        raise refused(403, 29, "You are not permitted to access that resource: the token lacks pins:write.")
    return name


def user_id(name: str) -> str:
    """The account's number."""
    return number_of(name)


def new_id() -> str:
    """Of pins, boards and media."""
    return str(10**17 + secrets.randbelow(9 * 10**17))


class Boards:
    """/v5/boards."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Below the sandbox's root."""
        return [
            Route("/v5/boards", self._list),
            Route("/v5/boards", self._create, methods=["POST"]),
            Route("/v5/boards/{board_id}", self._get),
            Route("/v5/boards/{board_id}/sections", self._sections),
            Route("/v5/boards/{board_id}/sections", self._create_section, methods=["POST"]),
        ]

    async def find(self, owner: str, board_id: str) -> Doc:
        """The account's board. Raises RefusedError."""
        if board_id == FIRST_BOARD:
            await self._add(owner, board_id, "Sandbox")
        found = await self._store.get(BOARDS, f"{owner}/{board_id}")
        if found is None:
            raise refused(404, 40, "Board not found.")
        return found

    async def find_section(self, owner: str, board_id: str, section_id: str) -> Doc:
        """A section of the account's board. Raises RefusedError."""
        found = await self._store.get(SECTIONS, section_id)
        if found is None or (found["owner"], found["board_id"]) != (owner, board_id):
            raise refused(404, 2031, "Board section not found.")
        return found

    async def _add(self, owner: str, board_id: str, name: str) -> dict[str, JSON]:
        board: dict[str, JSON] = {"id": board_id, "name": name, "owner": {"username": owner}, "privacy": "PUBLIC"}
        await self._store.add(BOARDS, f"{owner}/{board_id}", board)
        return board

    async def _list(self, request: Request) -> Response:
        owner = authorize(request)
        await self.find(owner, FIRST_BOARD)
        every = [
            doc for doc in await self._store.newest(BOARDS, READ_MAX) if text_at(doc, "owner", "username") == owner
        ]
        return JSONResponse(listed(every[::-1], request))

    async def _create(self, request: Request) -> Response:
        owner = authorize(request)
        name = text_at(await json_body(request, invalid, 80_000), "name")
        if not 1 <= len(name) <= NAME_MAX:
            raise invalid(f"name must have 1 to {NAME_MAX} characters")
        return JSONResponse(await self._add(owner, new_id(), name), 201)

    async def _get(self, request: Request) -> Response:
        found = await self.find(authorize(request), str(request.path_params["board_id"]))
        return JSONResponse(dict(found))

    async def _sections(self, request: Request) -> Response:
        owner = authorize(request)
        board = await self.find(owner, str(request.path_params["board_id"]))
        every = await self._store.newest(SECTIONS, READ_MAX)
        ours = [_section(doc) for doc in every if (doc["owner"], doc["board_id"]) == (owner, board["id"])]
        return JSONResponse(listed(ours[::-1], request))

    async def _create_section(self, request: Request) -> Response:
        owner = authorize(request)
        board = await self.find(owner, str(request.path_params["board_id"]))
        name = text_at(await json_body(request, invalid, 80_000), "name")
        if not 1 <= len(name) <= SECTION_NAME_MAX:
            raise invalid(f"name must have 1 to {SECTION_NAME_MAX} characters")
        section_id = new_id()
        doc: Doc = {"id": section_id, "name": name, "board_id": board["id"], "owner": owner}
        await self._store.add(SECTIONS, section_id, doc)
        return JSONResponse(dict(_section(doc)), 201)


def _section(doc: Doc) -> Doc:
    """As the API shows it."""
    return {"id": doc["id"], "name": doc["name"]}


def listed(docs: list[Doc], request: Request) -> dict[str, JSON]:
    """A page of them, by the request's page_size and bookmark."""
    size, start = request.query_params.get("page_size", "25"), request.query_params.get("bookmark", "0")
    if not size.isdigit() or not 1 <= int(size) <= 250 or not start.isdigit():
        raise invalid("page_size must be 1 to 250")
    end = int(start) + int(size)
    return {
        "items": [dict(doc) for doc in docs[int(start) : end]],
        "bookmark": str(end) if end < len(docs) else None,
    }
