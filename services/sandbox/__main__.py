"""sandbox: plays the platforms for test keys, and shows what they received.   python -m services.sandbox"""

import asyncio
from pathlib import Path

from services.common import log, settings
from services.sandbox.app import opened
from services.sandbox.server import serve
from services.sandbox.settings import Settings


async def main() -> None:
    """Wires the sandbox and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_SANDBOX")
    log.setup("sandbox", conf.log_level)
    async with opened(Path(conf.state_dir), conf.public_url, conf.trusted_origins) as app:
        await serve(app, conf.listen, drain_s=conf.drain_s)


if __name__ == "__main__":
    asyncio.run(main())
