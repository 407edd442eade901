"""What all tests of the publisher need: its migrated tables."""

import os
import subprocess
import sys

import pytest

from deploy.local.postgres import Postgres
from deploy.local.state import REPOSITORY, State


@pytest.fixture(scope="session")
def publisher_url(postgres: Postgres, local_state: State, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The migrated database, as the publisher's own role."""
    folder = tmp_path_factory.mktemp("migrate")
    password = local_state.secret("postgres-publisher")
    (folder / "url").write_text(postgres.url())
    (folder / "password").write_text(password)
    env = os.environ | {
        "MEDIA_MIGRATE_DATABASE_URL_FILE": str(folder / "url"),
        "MEDIA_MIGRATE_PUBLISHER_PASSWORD_FILE": str(folder / "password"),
    }
    subprocess.run([sys.executable, "-m", "services.common.migrate", "publisher"], env=env, cwd=REPOSITORY, check=True)
    return postgres.url(user="mediaapi_publisher", password=password)
