"""What operators' commands tell, to people and to programs, and how they end."""

import json
from argparse import ArgumentTypeError, Namespace
from types import SimpleNamespace

import pytest

from services.admin import cli
from services.admin.cli import GROUPS
from services.admin.showing import shown
from services.common.commands import FOUND, Answer, Command, CommandError, Row, at_least_one, no_arguments
from services.common.errors import Code, MediaError, Violation
from services.common.settings import SettingsError

ROWS: list[Row] = [{"id": "ws_1", "name": "Acme", "live": True}, {"id": "ws_22", "name": None, "live": False}]


def test_a_list_is_a_table() -> None:
    assert shown(Answer(ROWS, note="Two."), as_json=False).splitlines() == [
        "id     name  live",
        "ws_1   Acme  yes",
        "ws_22  -     no",
        "Two.",
    ]


def test_one_thing_is_its_fields() -> None:
    assert shown(Answer(ROWS[:1], single=True), as_json=False) == "id    ws_1\nname  Acme\nlive  yes\n"


def test_programs_get_a_list_or_an_object_and_no_note() -> None:
    assert json.loads(shown(Answer(ROWS, note="Two."), as_json=True)) == ROWS
    assert json.loads(shown(Answer(ROWS[:1], single=True), as_json=True)) == ROWS[0]
    assert json.loads(shown(Answer(), as_json=True)) == []


def test_what_a_customer_wrote_moves_no_cursor() -> None:
    text = shown(Answer([{"name": "\x1b[2Jx\nws_fake"}]), as_json=False)
    assert text == "name\n�[2Jx�ws_fake\n"


def run(monkeypatch: pytest.MonkeyPatch, ends: Answer | BaseException, *flags: str) -> int:
    """lmp-admin with one command that ends so."""

    async def command(_: Namespace) -> Answer:
        if isinstance(ends, BaseException):
            raise ends
        return ends

    module = SimpleNamespace(COMMANDS={"keys": (Command("list", "list them", no_arguments, command),)})
    monkeypatch.setattr(cli, "import_module", lambda name: module)
    return cli.main(["keys", "list", *flags])


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (Answer(), 0),
        (Answer(exit_code=FOUND), 4),
        (CommandError("there is no workspace"), 1),
        (MediaError(Code.KEY_NOT_FOUND, key_id="key_1"), 1),
        (MediaError(Code.UNAVAILABLE, why="database: away"), 3),
        (SettingsError("settings:\nMEDIA_X: missing"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_how_a_command_ends_is_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, ends: Answer | BaseException, code: int
) -> None:
    assert run(monkeypatch, ends) == code


def test_an_error_goes_to_standard_error_for_people_and_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = MediaError(Code.INVALID_REQUEST, violations=[Violation("name", "is too long")])
    run(monkeypatch, fault)
    people = capsys.readouterr()
    run(monkeypatch, fault, "--json")
    programs = capsys.readouterr()
    assert (people.out, programs.out) == ("", "")
    assert people.err == "lmp-admin: The request is not valid.\nname: is too long\n"
    assert json.loads(programs.err)["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["keys"], ["keys", "nothing"], ["keys", "list", "--nothing"]])
def test_a_wrong_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_its_commands_and_their_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([group, "--help"])
    assert caught.value.code == 0
    assert f"lmp-admin {group}" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_number_of_things_is_one_or_more(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        at_least_one(text)
