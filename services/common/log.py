"""Structured logs: a JSON object per line on stdout, with what looks like a secret taken out."""

import faulthandler
import json
import logging
import re
import sys
from datetime import UTC, datetime

from services.common import context, telemetry

HIDDEN = "[redacted]"
_SECRET_NAME = re.compile(r"token|secret|password|authorization|credential|pepper|cookie", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"lmp_(?:live|test)_\w+|whsec_[\w+/=-]+|(?i:bearer)\s+[\w.~+/=-]+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(stage: str, level: str) -> None:
    """Log as `stage` from `level` up: debug, info, warning or error, in any case. A native crash or SIGABRT leaves the
    stacks of all threads on stderr."""
    faulthandler.enable()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(stage))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("botocore", "boto3", "urllib3", "httpx", "httpcore", "nats", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """time, level, stage, logger, message, the caller's ids, and whatever `extra` holds."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        caller = context.current()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "stage": self._stage,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if caller.request_id:
            line |= {"request_id": caller.request_id, "workspace_id": caller.workspace_id}
        if traceparent := telemetry.traceparent():
            line["trace_id"] = traceparent.split("-")[1]
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({name: _shown(name, value) for name, value in line.items()}, ensure_ascii=False, default=str)


def clean(text: str) -> str:
    """The text without what looks like a secret."""
    return _SECRET_TEXT.sub(HIDDEN, text)


def _shown(name: str, value: object) -> object:
    if _SECRET_NAME.search(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(str(value))
