"""lmp-admin: what operators do, one command for all stages.   lmp-admin <group> <command> [--json]

A group is run where its stage's settings are: in the stage's container, or with its variables set (docs/operations.md).
Exit codes: 0 done, 1 refused, 2 the command line is wrong, 3 something needed is away or not set, 4 a check found
something.
"""

import asyncio
import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from services.admin.showing import shown
from services.common import commands
from services.common.commands import Answer, Command, CommandError
from services.common.errors import MediaError
from services.common.settings import SettingsError

PROGRAM = "lmp-admin"
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Group:
    """Commands of one stage. A stage's code is imported when it is asked for: no image holds every stage's packages."""

    module: str
    help: str


GROUPS: Mapping[str, Group] = {
    "workspaces": Group("services.gateway.admin.tables", "customers, their plans, and whether they are let in"),
    "keys": Group("services.gateway.admin.tables", "API keys"),
    "media": Group("services.gateway.admin.stages", "media items"),
    "accounts": Group("services.gateway.admin.stages", "connected accounts"),
    "usage": Group("services.gateway.admin.stages", "what plans include, and what is used of it"),
    "reconcile": Group("services.ingest.admin", "stored objects beside their rows"),
    "dead-letters": Group("services.admin.dead_letters", "events that nobody could handle"),
    "sealing": Group("services.publisher.admin", "the keys that credentials are sealed under"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    group = _root().parse_args(arguments[:1]).group
    offered = cast("Mapping[str, Sequence[Command]]", import_module(GROUPS[group].module).COMMANDS)[group]
    return _run(_parser(group, offered).parse_args(arguments[1:]))


def _root() -> ArgumentParser:
    listed = "\n".join(f"  {name:<14} {group.help}" for name, group in GROUPS.items())
    root = ArgumentParser(
        prog=PROGRAM, description=__doc__, epilog=f"groups:\n{listed}", formatter_class=RawDescriptionHelpFormatter
    )
    root.add_argument("group", choices=list(GROUPS), metavar="group")
    return root


def _parser(group: str, offered: Sequence[Command]) -> ArgumentParser:
    parser = ArgumentParser(prog=f"{PROGRAM} {group}", description=f"{GROUPS[group].help}".capitalize() + ".")
    added = parser.add_subparsers(dest="command", required=True)
    for command in offered:
        one = added.add_parser(command.name, help=command.help, description=command.help.capitalize() + ".")
        one.add_argument("--json", action="store_true", help="for programs")
        command.arguments(one)
        one.set_defaults(run=command.run)
    return parser


def _run(namespace: Namespace) -> int:
    try:
        answer: Answer = asyncio.run(namespace.run(namespace))
    except CommandError as exc:
        return _failed(str(exc), "refused", commands.REFUSED, namespace.json)
    except SettingsError as exc:
        return _failed(str(exc), "settings_incomplete", commands.AWAY, namespace.json)
    except MediaError as exc:
        code = commands.AWAY if exc.row.retryable else commands.REFUSED
        lines = [exc.message, *(f"{it.field}: {it.message}" for it in exc.violations), *filter(None, [exc.why])]
        return _failed("\n".join(lines), exc.code.value, code, namespace.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        sys.stdout.write(shown(answer, as_json=namespace.json))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.exit_code


def _failed(message: str, code: str, exit_code: int, as_json: bool) -> int:
    error = json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False)
    sys.stderr.write(f"{error}\n" if as_json else f"{PROGRAM}: {message}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
