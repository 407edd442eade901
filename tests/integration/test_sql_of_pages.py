"""What the pages for operators ask the database is understood, and allowed to the role they name for it."""

import re

import psycopg
import pytest

from deploy.local.state import REPOSITORY

PAGES = (*sorted((REPOSITORY / "docs" / "runbooks").glob("*.md")), REPOSITORY / "docs" / "backup.md")
QUERIES = [
    pytest.param(query.replace("STAGE.", f"{stage}."), id=f"{page.stem}-{stage}")
    for page in PAGES
    for query in re.findall(r"`(SELECT [^`]+;)`", page.read_text())
    for stage in ("ingest", "transcoder", "publisher")
    if "STAGE." in query or f" {stage}." in query
]


def test_there_are_some() -> None:
    assert len(QUERIES) > 5


@pytest.mark.parametrize("query", QUERIES)
def test_it_is_understood(query: str, ingest_url: str, transcoder_url: str, publisher_url: str) -> None:
    urls = {"ingest": ingest_url, "transcoder": transcoder_url, "publisher": publisher_url}
    [stage] = set(re.findall(r"FROM (\w+)\.", query))
    with psycopg.connect(urls[stage]) as connection:
        connection.execute(f"SET ROLE mediaapi_{stage}_system")
        connection.execute(query.encode())
