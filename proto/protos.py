"""What is done with the protos.   python proto/protos.py gen | check | baseline

gen       writes proto/gen: messages, stubs, their types, and what the comments say
check     lints, compares with the released interface (baseline.binpb), and sees that proto/gen is up to date
baseline  makes the interface as it is now the released one; only additive changes pass `check` from then on
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "gen"
BASELINE = HERE / "baseline.binpb"
# Descriptors at run time know no comments, and the API reference is made of them.
COMMENTS = Path("mediaapi", "v1", "comments.json")
BUF_CONFIG = HERE.parent / "buf.yaml"
PROGRAMS = sysconfig.get_path("scripts")


def main() -> None:
    """Entry point; the exit code is 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("gen", "check", "baseline"))
    command = parser.parse_args().command
    if command == "gen":
        generate(GENERATED)
    elif command == "baseline":
        protoc(["--include_imports", f"--descriptor_set_out={BASELINE}"])
    else:
        sys.exit(1 if check() else 0)


def protoc(arguments: Sequence[str]) -> None:
    """Run the pinned compiler over all our protos."""
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("mediaapi/**/*.proto"))
    # google/api comes with the wheel googleapis-common-protos.
    includes = [f"-I{HERE}", f"-I{sysconfig.get_path('purelib')}"]
    run([sys.executable, "-m", "grpc_tools.protoc", *includes, *arguments, *files])


def generate(target: Path) -> None:
    """Write the generated code below `target`."""
    plain = [f"--{name}_out={target}" for name in ("python", "grpc_python")]
    protoc([*plain, *(f"--{name}_out=quiet:{target}" for name in ("mypy", "mypy_grpc"))])
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        protoc(["--include_source_info", f"--descriptor_set_out={image}"])
        files = FileDescriptorSet.FromString(image.read_bytes()).file
    found = dict(row for file in files for row in comments(file))
    (target / COMMENTS).write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Full name and comment of all that has one; an enum's value is named below its enum."""
    for location in file.source_code_info.location:
        text = location.leading_comments or location.trailing_comments
        if text and len(location.path) % 2 == 0:
            yield ".".join([file.package, *_names(file, location.path)]), " ".join(text.split())


def _names(file: FileDescriptorProto, path: Sequence[int]) -> Iterator[str]:
    """The names along a path of pairs: a field of the descriptor, and an index into it."""
    node: Message = file
    for number, index in zip(path[::2], path[1::2], strict=True):
        node = getattr(node, node.DESCRIPTOR.fields_by_number[number].name)[index]
        yield node.name  # type: ignore[attr-defined]  # whatever has a comment has a name


def check() -> list[str]:
    """Every check; returns what failed, told on stderr already."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        protoc(["--include_imports", "--include_source_info", f"--descriptor_set_out={image}"])
        config = ["--config", str(BUF_CONFIG)]
        asked = (["lint", str(image)], ["breaking", str(image), "--against", str(BASELINE)])
        buf = str(Path(PROGRAMS) / "buf")
        failed = [f"buf {words[0]}" for words in asked if not run([buf, *words, *config], may_fail=True)]
        fresh = Path(scratch) / "gen"
        fresh.mkdir()
        generate(fresh)
        stale = differences(fresh, GENERATED)
    if stale:
        failed.append("proto/gen")
        sys.stderr.write("proto/gen is not what the protos say; run `make gen`:\n" + "".join(f"  {s}\n" for s in stale))
    return failed


def differences(fresh: Path, committed: Path) -> list[str]:
    """Relative paths that are missing, extra or different in `committed`."""
    names = _files(fresh) | _files(committed)
    return sorted(
        str(name)
        for name in names
        if not (fresh / name).exists()
        or not (committed / name).exists()
        or not filecmp.cmp(fresh / name, committed / name, shallow=False)
    )


def _files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*") if path.suffix in {".py", ".pyi", ".json"}}


def run(command: Sequence[str], *, may_fail: bool = False) -> bool:
    """Run a command with our own programs first on its path; ends the process when it fails and may not."""
    env = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(command, env=env, check=False)
    if done.returncode and not may_fail:
        sys.exit(done.returncode)
    return done.returncode == 0


if __name__ == "__main__":
    main()
