"""What the API answers with. The OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

Amount = Annotated[float, Field(ge=0, le=1)]


class Likeness(BaseModel):
    """How alike an item is to what was asked with, in words for a shopper."""

    text: str = Field(examples=["Very alike"])
    amount: Amount = Field(description="where on the scale of the words it stands")
    measured: bool = Field(
        description="whether the amount is how often items so similar were of the same kind"
    )
    same_colours: bool


class Item(BaseModel):
    """An item of the catalogue."""

    id: str
    name: str = Field(description="its name for people, or its id")
    attributes: dict[str, str] = Field(description="the catalogue's columns that have a value")
    picture: str = Field(description="address of its picture, on this server")
    pictures: list[str] = Field(description="addresses of its other pictures")


class Match(Item):
    """An item that looks like what was asked with. Its picture is the one that is most alike."""

    similarity: float = Field(ge=-1, le=1)
    likeness: Likeness
    expected_precision: Amount | None = Field(
        description="how often items of this similarity were of the same kind; null where that "
        "was not measured"
    )
    same_picture: bool = Field(description="whether it is the very picture that was sent")
    others: list[str] = Field(description="ids of near-duplicates that were folded into this one")
    copies: list[str] = Field(
        description="those of the others that show the very same picture; the rest look alike"
    )


class Wish(BaseModel):
    """What some words of a text ask for."""

    words: str
    meant: str | None = Field(description="the words as they were understood, if misspelt")
    values: dict[str, list[str]] = Field(
        description="any of these values, by column; without any, the words in an item's name"
    )
    unwanted: bool = Field(alias="not", description="whether items without it are asked for")


class Result(BaseModel):
    """Matches, best first."""

    matches: list[Match]
    message: str | None = Field(
        description="a sentence for people where nothing in the catalogue is close, else null"
    )
    out_of_catalogue: bool = Field(description="whether nothing in the catalogue is close")
    garment_seen: bool
    notes: list[str] = Field(description="what there is to say of the files that were sent")
    understood: list[Wish] = Field(description="what the words of text ask for")
    not_understood: list[str] = Field(
        description="words of text that say nothing of this catalogue"
    )


class Part(BaseModel):
    """A part of a picture that shows a garment of its own."""

    box: tuple[Amount, Amount, Amount, Amount] = Field(
        description="left, top, right and bottom as shares of the picture's width and height"
    )
    kind: str = Field(description="what the garment seems to be")
    evidence: float = Field(ge=-1, le=1, description="how surely")


class Parts(BaseModel):
    """The garments of a picture that shows several of different kinds, from the top left on."""

    parts: list[Part]


class ColumnValue(BaseModel):
    value: str
    items: int = Field(description="how many items have it, beside the filters of other columns")


class Column(BaseModel):
    """A column of the catalogue that one may filter by."""

    column: str
    distinct: int = Field(
        description="how many different values there are; of a catalogue in a database at most "
        "5,001 are counted"
    )
    numeric: bool = Field(description="whether it holds numbers, and matches can be sorted by it")
    values: list[ColumnValue] | None = Field(
        description="all values, the commonest first; null where there are too many to choose from"
    )


class Columns(BaseModel):
    items: int = Field(description="how many items pass the filters")
    estimated: bool = Field(
        description="whether the values' numbers are estimates, counted on a sample of the items"
    )
    columns: list[Column]


class Rejected(BaseModel):
    """A picture that could not be added."""

    file: str
    reason: str


class Edit(BaseModel):
    """What became of a change."""

    items: int = Field(description="how many items the catalogue has now")
    added: list[str]
    replaced: list[str]
    removed: list[str]
    rejected: list[Rejected]


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="what is wrong and what to do about it, for people")
    instance: str
    errors: list[dict[str, Any]] | None = None
