"""Operator's commands on the gateway's tables; a key's text is printed once, to stdout, and to nothing else.

python -m services.gateway.admin create-workspace --id ws_… --name Acme --plan pro
python -m services.gateway.admin create-key --workspace ws_… --mode test --name laptop

Reads MEDIA_GATEWAY_DATABASE_URL_FILE and MEDIA_GATEWAY_KEY_PEPPER_FILE.
"""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Sequence

from services.common import clock, db, ids, settings
from services.gateway.adapters.postgres import PostgresKeys
from services.gateway.app import Authentication, KeyRing
from services.gateway.domain.keys import SECRET_BYTES, Mode, Workspace
from services.gateway.services import route_table
from services.gateway.settings import AdminSettings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="python -m services.gateway.admin", description="Workspaces and their API keys."
    )
    commands = root.add_subparsers(dest="command", required=True)
    workspace = commands.add_parser("create-workspace", help="create a workspace, or change its name and plan")
    workspace.add_argument("--id", required=True, help="ws_ and a ULID")
    workspace.add_argument("--name", required=True)
    workspace.add_argument("--plan", choices=("free", "pro", "business"), default="free")
    key = commands.add_parser("create-key", help="create an API key and print it")
    key.add_argument("--workspace", required=True)
    key.add_argument("--mode", choices=[mode.value for mode in Mode], required=True)
    key.add_argument("--name", required=True)
    key.add_argument("--scope", action="append", default=[], help="repeatable; none: every scope")
    return root


async def run(arguments: argparse.Namespace) -> str:
    """Do what the command line says; returns the line to print."""
    conf = settings.load(AdminSettings, "media_gateway")
    async with db.connect(conf.database_url, schema="gateway") as database:
        table = PostgresKeys(database)
        if arguments.command == "create-workspace":
            workspace = Workspace(arguments.id, arguments.name, arguments.plan)
            await table.put_workspace(workspace, at=clock.utc_now())
            return workspace.workspace_id
        authentication = Authentication(table, pepper=conf.key_pepper, now=clock.utc_now, monotonic=time.monotonic)
        ring = KeyRing(
            table,
            authentication,
            pepper=conf.key_pepper,
            known_scopes=route_table().scopes,
            now=clock.utc_now,
            new_id=lambda: ids.new("key"),
            new_secret=lambda: secrets.token_bytes(SECRET_BYTES),
        )
        _, text = await ring.issue(
            arguments.workspace, name=arguments.name, mode=Mode(arguments.mode), scopes=tuple(arguments.scope)
        )
        return text


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    sys.stdout.write(asyncio.run(run(parser().parse_args(argv))) + "\n")


if __name__ == "__main__":
    main()
