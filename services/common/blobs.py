"""S3, one bucket at a time, off the event loop."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from services.common.errors import Code, MediaError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

CHUNK_BYTES = 1 << 20
THREADS = 16
IN_PARTS_BYTES = 8 << 20  # larger files go in parts, side by side, by threads that take longer to start than a picture
IMMUTABLE = "public, max-age=31536000, immutable"

_CHANGED = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict")
_MISSING = ("404", "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchBucket")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object as the store sees it. etag without quotes; size in bytes."""

    etag: str
    size: int


@asynccontextmanager
async def connect(endpoint: str, region: str, access_key: str, secret_key: str, bucket: str) -> AsyncIterator["Blobs"]:
    """A bucket."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=30,
        max_pool_connections=THREADS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=config,
    )
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"s3-{bucket}")
    try:
        yield Blobs(client, pool, bucket)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        client.close()


class Blobs:
    """Objects of one bucket.

    Every method raises MediaError: NOT_FOUND, no such object or upload; OBJECT_CHANGED, a precondition did not hold;
    UNAVAILABLE, the store did not answer and the call may be made again.
    """

    def __init__(self, client: "S3Client", pool: ThreadPoolExecutor, bucket: str) -> None:
        self._client = client
        self._pool = pool
        self.bucket = bucket

    async def ping(self) -> None:
        """Readiness."""
        await self._run(lambda: self._client.head_bucket(Bucket=self.bucket))

    async def put(self, key: str, data: bytes, content_type: str) -> ObjectInfo:
        """Stores a small object whole."""
        answer = await self._run(
            lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)
        )
        return ObjectInfo(_bare(answer["ETag"]), len(data))

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file to be served, for ever the same under this key."""
        said: Any = {"ContentType": content_type, "CacheControl": IMMUTABLE}

        def put() -> None:
            if path.stat().st_size > IN_PARTS_BYTES:
                self._client.upload_file(str(path), self.bucket, key, ExtraArgs=said)
                return
            with path.open("rb") as file:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=file, **said)

        await self._run(put)

    async def start_multipart(self, key: str, content_type: str) -> str:
        """Begins an object in parts; its upload id."""
        answer = await self._run(
            lambda: self._client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType=content_type)
        )
        return answer["UploadId"]

    async def put_part(self, key: str, upload_id: str, n: int, data: bytes) -> str:
        """Part `n` from 1, at least 5 MiB unless it is the last; its etag."""
        answer = await self._run(
            lambda: self._client.upload_part(Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=n, Body=data)
        )
        return answer["ETag"]

    async def complete(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> ObjectInfo:
        """Makes the object out of its parts."""
        listed: Any = [{"PartNumber": n, "ETag": etag} for n, etag in parts]
        await self._run(
            lambda: self._client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
            )
        )
        info = await self.head(key)
        if info is None:
            raise MediaError(Code.OBJECT_CHANGED, why=f"{key} went as soon as it was complete")
        return info

    async def abort(self, key: str, upload_id: str) -> None:
        """Drops an upload and its parts; one that is gone is fine."""
        try:
            await self._run(
                lambda: self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
            )
        except MediaError as exc:
            if exc.code is not Code.NOT_FOUND:
                raise

    async def abort_all(self, prefix: str) -> None:
        """Drops every upload in parts of a key under it, known or not."""

        def open_ones() -> list[tuple[str, str]]:
            found = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            every = [(item["Key"], item["UploadId"]) for page in found for item in page.get("Uploads", [])]
            return [(key, upload_id) for key, upload_id in every if key.startswith(prefix)]

        for key, upload_id in await self._run(open_ones):
            await self.abort(key, upload_id)

    async def head(self, key: str) -> ObjectInfo | None:
        """None when there is no such object."""
        try:
            answer = await self._run(lambda: self._client.head_object(Bucket=self.bucket, Key=key))
        except MediaError as exc:
            if exc.code is Code.NOT_FOUND:
                return None
            raise
        return ObjectInfo(_bare(answer["ETag"]), answer["ContentLength"])

    async def copy(self, src_bucket: str, src_key: str, dst_key: str, *, if_match: str) -> str:
        """Copies, inside the store, exactly the object with that etag, only to where nothing is; the copy's etag."""
        answer = await self._run(
            lambda: self._client.copy_object(
                Bucket=self.bucket,
                Key=dst_key,
                CopySource={"Bucket": src_bucket, "Key": src_key},
                CopySourceIfMatch=if_match,
                IfNoneMatch="*",
            )
        )
        return _bare(answer["CopyObjectResult"]["ETag"])

    async def delete(self, key: str) -> None:
        """Nothing to delete is fine."""
        await self._run(lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    async def delete_prefix(self, prefix: str) -> None:
        """Every object under it."""
        for key in await self.list(prefix):
            await self.delete(key)

    async def list(self, prefix: str) -> list[str]:
        """Keys under it."""

        def pages() -> list[str]:
            found = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [item["Key"] for page in found for item in page.get("Contents", [])]

        return await self._run(pages)

    async def page(self, prefix: str, after: str, limit: int) -> Sequence[tuple[str, datetime, int]]:
        """At most 1,000 keys behind `after`, in the order of their bytes; when each was stored, and its bytes."""
        answer = await self._run(
            lambda: self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, StartAfter=after, MaxKeys=limit)
        )
        return [(item["Key"], item["LastModified"], item["Size"]) for item in answer.get("Contents", [])]

    async def open_uploads(self, after: str, limit: int) -> tuple[Sequence[tuple[str, datetime, str]], str]:
        """At most 1,000 uploads in parts (key, when it was begun, upload id) and what to say to get those after them.

        The order is the store's own. `after`: "" for the first; "" comes back with the last.
        """
        key, _, upload_id = after.rpartition(" ")
        marks: Any = {"KeyMarker": key, "UploadIdMarker": upload_id} if after else {}
        answer = await self._run(
            lambda: self._client.list_multipart_uploads(Bucket=self.bucket, MaxUploads=limit, **marks)
        )
        following = f"{answer.get('NextKeyMarker', '')} {answer.get('NextUploadIdMarker', '')}"
        found = [(item["Key"], item["Initiated"], item["UploadId"]) for item in answer.get("Uploads", [])]
        return found, following if answer["IsTruncated"] else ""

    async def read(
        self, key: str, *, first: int | None = None, last: int | None = None, if_match: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `first` to `last`, both included, in chunks of at most 1 MiB."""
        asked: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        if first is not None or last is not None:
            asked["Range"] = f"bytes={first or 0}-{'' if last is None else last}"
        if if_match is not None:
            asked["IfMatch"] = if_match
        body = (await self._run(lambda: self._client.get_object(**asked)))["Body"]
        try:
            while chunk := await self._run(lambda: body.read(CHUNK_BYTES)):
                yield chunk
        finally:
            body.close()

    async def fetch(self, key: str, path: Path, *, if_match: str) -> str:
        """The whole object into a new file; the lower-case hex SHA-256 of what was written."""

        def fetched() -> str:
            body = self._client.get_object(Bucket=self.bucket, Key=key, IfMatch=if_match)["Body"]
            sha256 = hashlib.sha256()
            with contextlib.closing(body), path.open("xb") as file:
                while chunk := body.read(CHUNK_BYTES):
                    sha256.update(chunk)
                    file.write(chunk)
            return sha256.hexdigest()

        return await self._run(fetched)

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except ClientError as exc:
            raise _error(exc) from exc
        except (BotoCoreError, HTTPClientError, OSError) as exc:
            raise MediaError(Code.UNAVAILABLE, why=f"s3: {exc}") from exc


def _error(exc: ClientError) -> MediaError:
    code = str(exc.response.get("Error", {}).get("Code", ""))
    if code in _MISSING:
        return MediaError(Code.NOT_FOUND, why=f"s3: {exc}")
    if code in _CHANGED:
        return MediaError(Code.OBJECT_CHANGED, why=f"s3: {exc}")
    return MediaError(Code.UNAVAILABLE, why=f"s3: {exc}")


def _bare(etag: str) -> str:
    return etag.strip('"')
