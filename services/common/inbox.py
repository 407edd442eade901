"""An event heard twice has its effect once."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def first_time(conn: AsyncConnection, schema: str, consumer: str, event_id: str) -> bool:
    """Notes the event in the transaction of its effect; False when it was noted before."""
    statement = text(
        f"INSERT INTO {schema}.inbox (consumer, event_id) VALUES (:consumer, :event_id)"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )
    return (await conn.execute(statement, {"consumer": consumer, "event_id": event_id})).rowcount == 1
