"""The sandbox's pages, named by their tokens.

"sandbox-anna.person" is a person's token, "sandbox-anna.readonly" one of a page that may not post.
"""

from starlette.requests import Request

from services.platforms.sandboxing import graph
from services.platforms.sandboxing.tokens import bearer_mark, is_readonly, number_of


def own(request: Request, *, posting: bool = False) -> str:
    """The page, whose own paths these must be. Raises RefusedError."""
    name, page_id = graph.authorize(request), str(request.path_params["page_id"])
    if page_id not in ("me", number_of(name)):
        raise graph.missing(page_id)
    if posting and is_readonly(request):
        raise graph.refused(200, "(#200) The permission pages_manage_posts is not granted", status=403)
    if posting and bearer_mark(request) == "person":
        raise graph.refused(200, "(#200) Posts on a page need the page's own token", status=403)
    return name
