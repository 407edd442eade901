"""Where pins go: the post's own board, else the account's, else the first one it has.

Credentials: those of bearer.py; `board_id` is the default board, which verify() adds if there is one.
"""

from services.platforms.bearer import Api, Service
from services.platforms.calls import list_at, text_at
from services.platforms.pinterest import refusals
from services.platforms.ports import Draft, Fault, PlatformError, Progress

SERVICE = Service("Pinterest", "https://api.pinterest.com", "/v5/oauth/token", refusals.refusal)
STEP = "board"


async def choose(api: Api, draft: Draft, progress: Progress) -> str:
    """The board's id. Raises PlatformError: PERMANENT if the account has none."""
    given = draft.options.get("boardId") or api.account.credentials.get("board_id")
    if given:
        return str(given)
    if (saved := progress.load(STEP)) is not None:
        return text_at(saved, "id")
    board_id = await first(api)
    if not board_id:
        message = "The account has no board. Make one, or name one by the option boardId."
        raise PlatformError(Fault.PERMANENT, "board_missing", message)
    await progress.save(STEP, {"id": board_id})
    return board_id


async def default(api: Api) -> str:
    """The board of an account that is verified; "" if it has none. Raises PlatformError: ACCOUNT for an unknown one."""
    given = api.account.credentials.get("board_id", "")
    if not given:
        return await first(api)
    try:
        await api.get(f"/v5/boards/{given}")
    except PlatformError as exc:
        if exc.fault is not Fault.PERMANENT:
            raise
        raise PlatformError(Fault.ACCOUNT, "board_not_found", f"The account has no board {given}.") from exc
    return given


async def first(api: Api) -> str:
    """Of the account's boards, as Pinterest lists them; "" if there is none."""
    found = await api.get("/v5/boards", {"page_size": "1"})
    return next((text_at(board, "id") for board in list_at(found, "items")), "")
