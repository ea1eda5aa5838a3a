"""Addresses of indexes in databases: what they may be, and that nobody is shown a password."""

from __future__ import annotations

import pytest

from fitting_room.databases.address import DatabaseError, in_postgres, is_address, without_password


@pytest.mark.parametrize(
    ("address", "database", "name"),
    [
        ("postgresql://u:p@h:1/goods/shop", "postgresql://u:p@h:1/goods", "shop"),
        ("postgresql://h/goods/S_2?sslmode=require", "postgresql://h/goods?sslmode=require", "S_2"),
        ("postgresql:///goods/shop?host=/run/pg", "postgresql:///goods?host=/run/pg", "shop"),
        ("postgresql://u:p%2F%23@a:1,b:2/goods/x", "postgresql://u:p%2F%23@a:1,b:2/goods", "x"),
        ("postgresql://u@[::1]:1/goods/shop", "postgresql://u@[::1]:1/goods", "shop"),
    ],
)
def test_the_last_part_of_the_path_is_the_name(address: str, database: str, name: str) -> None:
    assert is_address(address)
    assert in_postgres(address) == (database, name)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:s3cret@h/shop", "postgresql://u:s3cret@h/goods/", "postgresql://u:s3cret@h",
        "postgresql://u:s3cret@h/goods/a-b", 'postgresql://u:s3cret@h/goods/a"b',
        "postgresql://u:s3cret@h/goods/1a", "postgresql://u:s3cret@h/goods/" + "a" * 42,
        "postgresql://u:s3cret@h/goods/shop#x", "postgresql://u:s3#cret@h/goods/shop",
        "postgresql://u:s3?cret@h/goods/shop", "postgresql://u:s3/cret@h/goods/shop",
        "postgresql://h/shop?password=s3cret", "postgresql://h/goods/x\n?password=s3cret",
        "postgresql://u:s3cret@h/goods//shop",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_with_its_form_and_without_its_password(address: str) -> None:
    with pytest.raises(DatabaseError, match="HOST:PORT/DATABASE/NAME") as raised:
        in_postgres(address)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("milvus://root:s3cret@h:1/shop", "milvus://h:1/shop"),
        ("milvus://h:1/shop", "milvus://h:1/shop"),
        ("postgresql://u:s3cret@h/goods/shop?x=y", "postgresql://h/goods/shop?x=y"),
        ("postgresql://u:s3/c#r?e@t@h/goods/shop", "postgresql://h/goods/shop"),
        ("postgresql://h/d/n?password=s3cret&x=y", "postgresql://h/d/n?password=***&x=y"),
        ("postgresql://h/d/n?x=y&sslpassword=s3cret", "postgresql://h/d/n?x=y&sslpassword=***"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert without_password(address) == shown
