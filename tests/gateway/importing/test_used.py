"""What an imported database's routes use of lists, joined rows and versions, asked for over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.cli import app

MUSIC = """
CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT NOT NULL, ArtistId INTEGER NOT NULL REFERENCES Artist);
INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, 'Aerosmith');
INSERT INTO Album VALUES (1, 'For Those About To Rock', 1), (2, 'Balls to the Wall', 2), (3, 'Restless', 2),
  (4, 'Let There Be Rock', 1), (5, 'Big Ones', 3);
"""
VERSIONED = "ALTER TABLE Album ADD COLUMN version INTEGER NOT NULL DEFAULT 1"


@pytest.fixture(scope="module", params=["music", "chinook"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "music.db"
    if request.param == "chinook":
        corpus = os.environ.get("FIGWAY_CORPUS")
        if not corpus:
            pytest.skip("FIGWAY_CORPUS names no folder with the public reference data")
        shutil.copyfile(Path(corpus) / "chinook" / "Chinook_Sqlite.sqlite", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("" if request.param == "chinook" else MUSIC)
        connection.execute(VERSIONED)
    return path


@pytest.fixture(scope="module")
def client(
    database: Path, tmp_path_factory: pytest.TempPathFactory, running: ModuleType, servers: ModuleType
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("imported") / "workspace"
    dsn = servers.sqlite_dsn(database)
    work = ["--workspace", str(folder)]
    for command in (["init", str(folder)], ["import", "odbc", dsn, "--upstream", "music", *work], ["check", *work]):
        done = CliRunner(catch_exceptions=False).invoke(app, command)
        assert done.exit_code == 0, (command, done.output[-3000:])
    # Writes are allowed by policy alone: the routes stay as they were imported.
    for file in (folder / "policies").glob("*.cedar"):
        file.unlink()
    (folder / "policies" / "all.cedar").write_text("permit (principal, action, resource);\n")
    with running.serving(folder) as served, served.client() as made:
        yield made


def told(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


def test_rows_are_joined_where_that_is_asked_for(client: httpx.Client) -> None:
    album = told(client.get("/albums/1", params={"expand": "Artist"}))
    artist = told(client.get(f"/artists/{album['ArtistId']}", params={"expand": "Album"}))
    assert album["Artist"] == {name: value for name, value in artist.items() if name != "Album"}
    assert {"AlbumId": 1, "Title": album["Title"]}.items() <= artist["Album"]["items"][0].items()
    assert artist["Album"]["next"] is None
    assert "Artist" not in told(client.get("/albums/1"))
    listed = told(client.get("/albums", params={"expand": "Artist", "limit": 3}))["items"]
    assert [each["Artist"]["ArtistId"] for each in listed] == [each["ArtistId"] for each in listed]
    refused = client.get("/albums/1", params={"expand": "nothing"})
    assert refused.status_code == 400


def test_members_and_pages_backwards(client: httpx.Client) -> None:
    assert told(client.get("/albums/1", params={"fields": "Title"})).keys() == {"Title"}
    first = told(client.get("/albums", params={"fields": "AlbumId", "limit": 2}))
    second = told(client.get(first["next"]))
    assert first["previous"] is None
    assert told(client.get(second["previous"]))["items"] == first["items"]
    below = told(client.get("/artists/1/albums", params={"fields": "Title"}))["items"]
    assert {name for each in below for name in each} == {"Title"}


def test_all_of_a_list_is_declared_and_told(client: httpx.Client) -> None:
    paths = told(client.get("/openapi.json"))["paths"]
    assert {"application/json", "application/x-ndjson", "text/csv"} == paths["/albums"]["get"]["responses"]["200"][
        "content"
    ].keys()
    lines = client.get("/albums", headers={"accept": "application/x-ndjson"}).text.splitlines()
    sheet = client.get("/albums", headers={"accept": "text/csv"}).text.splitlines()
    assert [json.loads(line)["AlbumId"] for line in lines] == [int(line.split(",")[0]) for line in sheet[1:]]


def test_a_change_needs_the_version_that_it_starts_from(client: httpx.Client) -> None:
    got = client.get("/albums/2")
    album, tag = told(got), got.headers["etag"]
    assert client.patch("/albums/2", json={"Title": "x"}).status_code == 428
    changed = client.patch("/albums/2", json={"Title": "Restless Heart"}, headers={"if-match": tag})
    assert told(changed) == {**album, "Title": "Restless Heart", "version": album["version"] + 1}
    late = client.patch("/albums/2", json={"Title": "x"}, headers={"if-match": tag})
    assert (late.status_code, late.json()["type"]) == (412, "urn:figway:problem:precondition-failed")
    assert client.delete("/albums/2", headers={"if-match": tag}).status_code == 412
    assert client.patch("/artists/1", json={"Name": "AC/DC"}, headers={"if-match": tag}).status_code == 400
    assert told(client.get("/albums/2"))["Title"] == "Restless Heart"
    new = told(client.post("/albums", json={"AlbumId": 9001, "Title": "New", "ArtistId": 1}))
    assert new["version"] == 1
    tag = client.get("/albums/9001").headers["etag"]
    assert client.delete("/albums/9001", headers={"if-match": tag}).status_code == 204
