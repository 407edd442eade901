"""/docs/errors/<code>: one page for each row of the error table."""

from services.common.errors import TABLE, Code, MediaError
from services.gateway.openapi import html
from services.gateway.openapi.html import tag, text
from services.gateway.openapi.operations import error_codes, summary
from services.gateway.transcode.routes import RouteTable
from services.gateway.web.problems import title


def render(word: str, table: RouteTable) -> bytes:
    """The page of one code. Raises: MediaError NOT_FOUND for a code that is none."""
    if word not in {str(code) for code in Code}:
        raise MediaError(Code.NOT_FOUND)
    code = Code(word)
    row = TABLE[code]
    again = "Yes, the same request may succeed later." if row.retryable else "No, not unchanged."
    facts = html.table(
        (tag("b", "Code"), tag("code", text(code))),
        (tag("b", "HTTP status"), str(row.http)),
        (tag("b", "Message"), text(row.sentence)),
        (tag("b", "What to do"), text(row.remediation)),
        (tag("b", "Worth trying again"), text(again)),
    )
    routes = [route for route in table.routes if code in error_codes(route)]
    listed = tag(
        "ul",
        *(tag("li", tag("a", text(summary(route)), href=f"/docs#{_anchor(route.rpc.name)}")) for route in routes),
    )
    where = tag("h4", "Answered by") + listed if routes else ""
    back = tag("p", tag("a", "All errors", href="/docs#errors"))
    return html.page(
        f"{title(code)} – letmepost Media API", tag("main", back, tag("h1", text(title(code))), facts, where)
    )


def _anchor(name: str) -> str:
    return name[0].lower() + name[1:]
