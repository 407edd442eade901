"""A migration leaves what the version before it reads and writes, and holds up nobody for long.

Both versions work on the tables while an upgrade lasts: what they no longer share is taken away a release later.
"""

import contextlib
import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from alembic.script import Script, ScriptDirectory

from services.common.migrate import SERVICES

# Revisions that may break the rules, and why.
EXCEPTIONS = {
    "ingest_0005": "counts rows under a lock; older than the first release",
    "ingest_0006": "drops an index, which changes what a query costs and not what it answers",
}
CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\S+)")
ALTERED = re.compile(r"ALTER TABLE (\S+)")
RULES = (
    (r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)\S+ ON (\S+)", "an index that keeps writers out"),
    (r"ALTER TABLE (\S+) .*\bDROP COLUMN", "a column is dropped"),
    (r"ALTER TABLE (\S+) .*\bRENAME", "something is renamed"),
    (r"ALTER TABLE (\S+) .*\bALTER COLUMN \S+ (?:SET DATA )?TYPE", "a column's type changes"),
    (r"ALTER TABLE (\S+) .*\bSET NOT NULL", "every row is read under a lock"),
    (r"ALTER TABLE (\S+) .*\bADD CONSTRAINT (?!.*NOT VALID)", "every row is read under a lock"),
    (
        r"ALTER TABLE (\S+) .*\bADD COLUMN (?:(?!DEFAULT|, ADD).)*\bNOT NULL(?!(?:(?!, ADD).)*DEFAULT)",
        "a must for old writers",
    ),
    (r"DROP TABLE (\S+)", "a table is dropped"),
    (r"DROP INDEX (?!CONCURRENTLY)(\S+)", "an index is dropped"),
    (r"LOCK TABLE (\S+)", "a table is locked"),
)


def broken(statements: list[str]) -> list[str]:
    """What is wrong with them; tables they made themselves are nobody's yet."""
    own = {found[1] for one in statements if (found := CREATED.search(one))}
    altered = {found[1] for one in statements if (found := ALTERED.search(one))} - own
    # Held together, they are a deadlock with whoever uses them in another order, and Postgres ends either.
    several = [f"tables altered together: {sorted(altered)}"] if len(altered) > 1 else []
    return several + [
        f"{why}: {one}"
        for one in statements
        for rule, why in RULES
        if (found := re.search(rule, one, re.DOTALL)) and found[1] not in own
    ]


class _Recorder:
    """Takes down what a migration would execute."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, statement: str) -> None:
        self.statements.append(statement)

    def get_context(self) -> SimpleNamespace:
        return SimpleNamespace(autocommit_block=contextlib.nullcontext)


def _migrations() -> Iterator[Script]:
    for folder in sorted(SERVICES.glob("*/migrations")):
        yield from ScriptDirectory(str(folder)).walk_revisions()


@pytest.mark.parametrize("migration", list(_migrations()), ids=lambda it: it.revision)
def test_it_only_adds(migration: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = _Recorder()
    monkeypatch.setattr(migration.module, "op", recorder)
    migration.module.upgrade()
    assert recorder.statements
    assert bool(broken(recorder.statements)) is (migration.revision in EXCEPTIONS), broken(recorder.statements)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX slow ON a.b (c)",
        "ALTER TABLE a.b DROP COLUMN c",
        "ALTER TABLE a.b ADD COLUMN d text, DROP COLUMN c",
        "ALTER TABLE a.b RENAME COLUMN c TO d",
        "ALTER TABLE a.b ALTER COLUMN c TYPE bigint",
        "ALTER TABLE a.b ALTER COLUMN c SET NOT NULL",
        "ALTER TABLE a.b ADD CONSTRAINT c CHECK (d > 0)",
        "ALTER TABLE a.b ADD COLUMN c text NOT NULL",
        "ALTER TABLE a.b ADD COLUMN c text NOT NULL, ADD COLUMN d text DEFAULT ''",
        "DROP TABLE a.b",
        "LOCK TABLE a.b IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_what_would_hold_up_or_break_is_seen(statement: str) -> None:
    assert broken([statement])
    assert not broken(["CREATE TABLE a.b (c text)", statement])


def test_two_tables_in_use_are_two_migrations() -> None:
    first, second = "ALTER TABLE a.b ADD COLUMN c text", "ALTER TABLE a.d ADD COLUMN c text"
    assert broken([first, second])
    assert not broken([first, "CREATE TABLE a.d (e text)", second])


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY quick ON a.b (c)",
        "ALTER TABLE a.b ADD COLUMN c text",
        "ALTER TABLE a.b ADD COLUMN c boolean NOT NULL DEFAULT false, ADD COLUMN d text",
        "ALTER TABLE a.b ADD CONSTRAINT c CHECK (d > 0) NOT VALID",
    ],
)
def test_what_adds_is_let_pass(statement: str) -> None:
    assert not broken([statement])
