"""No stage that handles media has a parser of XML, but where the object store's own answers are read."""

import subprocess
import sys

import pytest

# Imports a whole stage and says who asked for a parser of XML. Migrations are run by another program.
PROGRAM = """
import importlib, importlib.abc, json, pkgutil, sys
PARSERS = {"xml", "pyexpat", "_elementtree", "lxml", "defusedxml"}
asking = set()
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top in PARSERS:
            frame = sys._getframe(1)
            while frame.f_globals.get("__name__", "").startswith("importlib"):
                frame = frame.f_back
            asking.add(frame.f_globals["__name__"])
sys.meta_path.insert(0, Finder())
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".migrations" not in module.name:
        importlib.import_module(module.name)
print(json.dumps(sorted(one for one in asking if one.partition(".")[0] not in PARSERS)))
"""


@pytest.mark.parametrize(
    ("stage", "readers"),
    [
        pytest.param("ingest", ["botocore.compat"], id="A4-ingest"),
        pytest.param("scanner", ["botocore.compat"], id="A4-scanner"),
        pytest.param("transcoder", ["botocore.compat"], id="A4-transcoder"),
        pytest.param("gateway", [], id="A4-gateway"),
    ],
)
def test_only_the_stores_answers_are_read_as_xml(stage: str, readers: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, f"services.{stage}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{readers!r}\n".replace("'", '"')
