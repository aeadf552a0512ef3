"""The objects of an S3 bucket below a prefix. An object is there when all of it is, so that nothing has to settle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters.errors import Conflict, Unavailable, UnknownOutcome
from adapters.files.places.config import S3
from adapters.files.places.place import MOST_FILES, There, named

_PIECE = 1 << 20
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


class S3Place:
    """One bucket; boto3 keeps the connections."""

    settles = False

    def __init__(self, config: S3) -> None:
        self._config = config
        self._client: Any = boto3.client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint,
            aws_access_key_id=config.access_key.get_secret_value(),
            aws_secret_access_key=config.secret_key.get_secret_value(),
            config=Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2}),
        )

    def files(self, folders: Sequence[str], wants: Callable[[str], bool]) -> Mapping[str, There]:
        found: dict[str, There] = {}
        try:
            for folder in folders:
                found |= self._folder(folder)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket couldn't be read", detail=str(error)) from error
        return found

    def _folder(self, folder: str) -> dict[str, There]:
        found: dict[str, There] = {}
        prefix = self._config.prefix + (f"{folder}/" if folder else "")
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._config.bucket, Prefix=prefix, Delimiter="/"):
            for each in page.get("Contents", ()):
                path = named(folder, each["Key"].removeprefix(prefix))
                if path is not None:
                    found[path] = There(each["Size"], each["LastModified"].timestamp(), each["ETag"])
            if len(found) > MOST_FILES:
                raise Unavailable(f"the place has more than {MOST_FILES} files")
        return found

    def fetch(self, wanted: Mapping[str, tuple[There, Path]]) -> set[str]:
        done = set()
        for path, (there, local) in wanted.items():
            try:
                # Another version than the one that was listed is refused.
                found = self._client.get_object(Bucket=self._config.bucket, Key=self._key(path), IfMatch=there.tag)
                with local.open("wb") as target:
                    for piece in found["Body"].iter_chunks(_PIECE):
                        target.write(piece)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404", *_TAKEN, "412"):
                    continue
                raise Unavailable("the bucket couldn't be read", detail=str(error)) from error
            except BotoCoreError as error:
                raise Unavailable("the bucket couldn't be read", detail=str(error)) from error
            if local.stat().st_size == there.size:
                done.add(path)
        return done

    def write(self, path: str, data: bytes, *, over: bool) -> None:
        condition = {} if over else {"IfNoneMatch": "*"}
        try:
            self._client.put_object(Bucket=self._config.bucket, Key=self._key(path), Body=data, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in _TAKEN:
                raise Conflict("a record of that key exists already") from None
            raise Unavailable("the bucket refused the file; nothing was written", detail=str(error)) from error
        except BotoCoreError as error:
            raise UnknownOutcome("the file may have been written", detail=str(error)) from error

    def _key(self, path: str) -> str:
        return self._config.prefix + path
