"""One type's walker under atheris: `python -m tests.fuzz.guided image/png [libFuzzer's arguments]`."""

import importlib
import sys

import atheris


def main() -> None:
    """Never returns."""
    content_type = sys.argv[1]
    with atheris.instrument_imports(include=["services.scanner.structure"]):
        targets = importlib.import_module("tests.fuzz.targets")

    def one(data: bytes) -> None:
        targets.check(content_type, data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
