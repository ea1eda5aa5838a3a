"""A Milvus server as the index at an address sees it: requests that end, and the published record.

``_fitting_room`` is a small collection with the records of the published versions in pieces, and
for each index a row that says which version and which record: changing it publishes, at once.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from grpc import RpcError
from pymilvus import DataType, MilvusClient, MilvusException

from fitting_room.databases.address import NAME, DatabaseError, without_password

#: Seconds until a request is given up: a connection, a question, a change, what goes over all rows.
CONNECT, QUESTION, CHANGE, ALL_ROWS = 10, 20, 120, 3_600
#: Bytes of a VARCHAR, and pieces of a record in a request.
PIECE, AT_ONCE = 65_535, 100
#: Bytes of a record.
LONGEST_RECORD = 256 * 2**20
#: No index's name begins with a line.
_RECORDS, _NOT_FOUND = "_fitting_room", 100
_FORM = "milvus://[USER:PASSWORD@]HOST:PORT/NAME[?db=DATABASE&secure=true]"


class Server:
    """A connection with the server of an address, ``milvus://HOST:PORT/NAME``. Raises
    :class:`DatabaseError` for an address of another form and where nothing answers."""

    def __init__(self, address: str) -> None:
        self.address = without_password(address)
        uri, self.name, token, db = self._parts(address)
        # It would log every error with a traceback, beside raising it.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        try:
            self.client = MilvusClient(uri, token=token, db_name=db, timeout=CONNECT)
        except (MilvusException, RpcError, ValueError) as error:
            raise self._failure(error) from error

    def _parts(self, address: str) -> tuple[str, str, str, str]:
        """The server's URI, the index's name, who asks, and the database."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or 19530
            options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        except ValueError as error:
            raise DatabaseError(f"{self.address} is no address of a Milvus ({error})") from error
        name = parts.path.strip("/")
        known = options.keys() <= {"db", "secure"} and options.get("secure") in (None, "true")
        if not host or not NAME.fullmatch(name) or not known:
            raise DatabaseError(
                f"{self.address} is no address of an index in Milvus. It is {_FORM}, and NAME is "
                "of letters, digits and underscores, 41 at most, with a letter first"
            )
        who = [unquote(part) for part in (parts.username, parts.password) if part]
        bracketed = f"[{host}]" if ":" in host else host
        scheme = "https" if "secure" in options else "http"
        return f"{scheme}://{bracketed}:{port}", name, ":".join(who), options.get("db", "")

    def ask(self, method: str, *args: Any, seconds: float = QUESTION, **options: Any) -> Any:
        """What a method of the client answers. Raises :class:`DatabaseError`."""
        try:
            return getattr(self.client, method)(*args, timeout=seconds, **options)
        except (MilvusException, RpcError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> DatabaseError:
        if isinstance(error, MilvusException) and error.code == _NOT_FOUND:
            return DatabaseError(
                f"{self.address}: this version of the index is no longer there, since a newer one "
                "was published. Open the index again"
            )
        said = " ".join(str(getattr(error, "message", "") or error).split())[:300]
        return DatabaseError(
            f"{self.address}: Milvus does not answer, or not as expected: {said}. Check that it "
            "runs there, with this name and password"
        )

    def create(self, collection: str, schema: Any, index: Any, consistency: str) -> None:
        """An empty collection, whose rows are searched and indexed as they come."""
        options = {"schema": schema, "consistency_level": consistency}
        self.ask("create_collection", collection, seconds=CHANGE, **options)
        self.ask("create_index", collection, index, seconds=CHANGE, sync=False)
        self.load(collection)

    def load(self, collection: str) -> None:
        """Have a collection's rows where they are searched; at once where they are already."""
        self.ask("load_collection", collection, seconds=ALL_ROWS)

    def published(self) -> dict[str, Any] | None:
        """Which version is published, by which record."""
        if not self.ask("has_collection", _RECORDS):
            return None
        self.load(_RECORDS)
        rows = self._read([self.name])
        if not rows:
            return None
        try:
            which = json.loads(rows[self.name])
            return {
                "version": str(which["version"]),
                "record": str(which["record"]),
                "length": min(int(which["length"]), LONGEST_RECORD),
                "earlier": [str(version) for version in which["earlier"]],
            }
        except (ValueError, KeyError, TypeError) as error:
            raise DatabaseError(
                f"{self.address}: the collection {_RECORDS} is not of this program ({error}). "
                "Use another name"
            ) from error

    def record(self, published: dict[str, Any]) -> bytes:
        """The record of what :meth:`published` said."""
        keys = _keys(published["record"], published["length"])
        pieces: dict[str, str] = {}
        for start in range(0, len(keys), AT_ONCE):
            pieces |= self._read(keys[start : start + AT_ONCE])
        with suppress(ValueError):
            whole = base64.b64decode("".join(pieces.get(key, "") for key in keys), validate=True)
            if len(whole) == published["length"]:
                return whole
        raise DatabaseError(
            f"{self.address}: the index's record is not whole, or was replaced this moment. Open "
            "the index again; if that does not help, build it again"
        )

    def publish(self, version: str, record: bytes) -> None:
        """Make a version the published one, by its record, and remove earlier ones."""
        before = self.published()
        if before is None:
            self._create_records()
        earlier = [] if before is None else [*before["earlier"], before["version"]]
        earlier = [one for one in dict.fromkeys(earlier) if one != version]
        earlier = [one for one in earlier if self.ask("has_collection", f"{self.name}_{one}")]
        number, text = uuid4().hex, base64.b64encode(record).decode()
        keys = _keys(number, len(record))
        pieces = [(key, text[i * PIECE : (i + 1) * PIECE]) for i, key in enumerate(keys)]
        for start in range(0, len(pieces), AT_ONCE):
            self._write(pieces[start : start + AT_ONCE])
        which = {"version": version, "record": number, "length": len(record), "earlier": earlier}
        self._write([(self.name, json.dumps(which))])
        for one in earlier:
            self.ask("drop_collection", f"{self.name}_{one}", seconds=CHANGE)
        if before is not None:
            old = json.dumps(_keys(before["record"], before["length"]))
            self.ask("delete", _RECORDS, filter=f"key in {old}", seconds=CHANGE)

    def _create_records(self) -> None:
        if self.ask("has_collection", _RECORDS):
            return
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("piece", DataType.VARCHAR, max_length=PIECE)
        schema.add_field("none", DataType.FLOAT_VECTOR, dim=2)  # no collection may be without one
        index = MilvusClient.prepare_index_params("none", index_type="FLAT", metric_type="IP")
        self.create(_RECORDS, schema, index, "Strong")

    def _read(self, keys: Sequence[str]) -> dict[str, str]:
        rows = self.ask(
            "query",
            _RECORDS,
            filter=f"key in {json.dumps(keys)}",
            output_fields=["key", "piece"],
            consistency_level="Strong",
        )
        return {row["key"]: row["piece"] for row in rows}

    def _write(self, pieces: Sequence[tuple[str, str]]) -> None:
        rows = [{"key": key, "piece": piece, "none": [0.0, 0.0]} for key, piece in pieces]
        self.ask("upsert", _RECORDS, rows, seconds=CHANGE)


def _keys(record: str, length: int) -> list[str]:
    """The keys of the pieces of a record of so many bytes."""
    characters = 4 * -(-length // 3)
    return [f"{record} {i}" for i in range(-(-characters // PIECE))]
