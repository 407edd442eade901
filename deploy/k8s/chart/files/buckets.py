"""Makes the buckets named in BUCKETS where they are not there yet; waits for the store."""

import os
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

WITHIN_S = 300
AGAIN_S = 2


def main() -> None:
    """Raises the store's last words when it did not come."""
    folder = Path(os.environ["KEYS"])
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["ENDPOINT"],
        region_name=os.environ["REGION"],
        aws_access_key_id=(folder / "s3_access_key").read_text().strip(),
        aws_secret_access_key=(folder / "s3_secret_key").read_text().strip(),
    )
    there = (client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou)
    ends = time.monotonic() + WITHIN_S
    for bucket in os.environ["BUCKETS"].split(","):
        while True:
            try:
                client.create_bucket(Bucket=bucket)
            except there:
                break
            except (BotoCoreError, ClientError):
                if time.monotonic() > ends:
                    raise
                time.sleep(AGAIN_S)
            else:
                break


if __name__ == "__main__":
    main()
