"""The command that searches an index: with pictures, with words, or with words beside pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from fitting_room.cli import parts
from fitting_room.cli.commands import FAILURE, UsageError, values_of, where_of
from fitting_room.cli.output import complain, say, show
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import OTHER_SUFFIXES, SUFFIXES, ImageRejected
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.numbers import order_of
from fitting_room.search.searcher import Match
from fitting_room.search.wishes import Understood
from fitting_room.settings import Settings

#: Characters of a name that are printed.
LONGEST_NAME = 200


def search(options: argparse.Namespace, settings: Settings) -> int:
    """Print the most similar items of an index for each picture, best first. Of a folder, every
    picture in it and below is taken. With --text, words are weighed against each picture, or alone
    without any."""
    if not options.pictures and options.text is None:
        raise UsageError("search: name a picture or a folder, or words with --text.")
    if not options.pictures and options.part is not None:
        raise UsageError("search: --part is of a picture; name one.")
    fitting_room = FittingRoom.open(options.index, settings)
    where = where_of(options)
    fitting_room.index.filter(where)  # an unknown column is said before any picture is opened
    sort_by, descending = order_of(options.sort)
    if sort_by is not None:
        fitting_room.numbers(sort_by)
    words = None if options.text is None else fitting_room.understand(options.text)
    if words is not None and words.message:
        say(words.message)
    if options.part == parts.LIST:
        pictures = pictures_in(options.pictures)
        return parts.list_parts(fitting_room, pictures, as_json=options.json)
    fitting_room.index.start_verifying()  # while the pictures are looked at
    find = partial(
        fitting_room.search, n=options.n, where=where, text=options.text,
        text_weight=options.text_weight, options=values_of(SimilarityOptions, options),
        diversity=options.diversity, only_good=options.only_good, sort_by=sort_by,
        descending=descending, fold=options.fold,
    )  # fmt: skip
    if options.pictures:
        status = _search_pictures(fitting_room, find, words, options)
    else:
        status = _found(fitting_room, options.text, find(), words, options)
    fitting_room.index.wait_until_verified()
    return status


def _search_pictures(
    fitting_room: FittingRoom,
    find: Callable[..., list[Match]],
    words: Understood | None,
    options: argparse.Namespace,
) -> int:
    status, picture = FAILURE, None
    pictures = pictures_in(options.pictures)
    described = fitting_room.describe_many(pictures)
    if options.part is not None:
        described = parts.describe_part(fitting_room, pictures, options.part)
    for picture, features in described:
        if isinstance(features, ImageRejected):
            complain(f"{picture}: {features.reason}")
            if options.json:
                show(json.dumps({"query": str(picture), "error": features.reason}))
            continue
        if features.note:
            say(f"{picture}: {features.note}")
        status = _found(fitting_room, picture, find(features), words, options)
    if picture is None:
        complain("no pictures found in " + ", ".join(map(str, options.pictures)))
    return status


def _found(
    fitting_room: FittingRoom,
    query: Path | str,
    matches: Sequence[Match],
    words: Understood | None,
    options: argparse.Namespace,
) -> int:
    """Print the matches of a picture, or of words alone, or why there are none. Words that say
    nothing here, alone, are a failure."""
    status = 0
    if not matches and not options.pictures and not words:
        complain(f"{query}: these words say nothing of the items of this catalogue")
        status = FAILURE
    elif not matches and (options.only_good or options.sort):
        complain(f"{query}: no item that passes the filter is alike")
    elif not matches and words and not options.where:
        complain(f"{query}: no item has all of these words")
    elif not matches:
        conditions = " ".join(map("=".join, options.where))
        complain(f"{query}: no item passes the filter {conditions}")
    others = {m.id: list(map(fitting_room.path, m.pictures)) for m in matches if m.pictures}
    print_matches(query, matches, others, words, as_json=options.json)
    return status


def pictures_in(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            files = [p for p in sorted(path.rglob("*")) if p.is_file()]
            yield from (p for p in files if p.suffix.lower() in SUFFIXES)
            for file in files:
                if file.suffix.lower() in OTHER_SUFFIXES:
                    say(f"{file}: left out. Pictures with the ending {file.suffix} are not read.")
        else:
            yield path


def print_matches(
    query: Path | str,
    matches: Sequence[Match],
    others: Mapping[str, list[str]],
    words: Understood | None = None,
    *,
    as_json: bool,
) -> None:
    """Print matches of a picture or of words. ``others`` are the paths of the other pictures of
    items that have any, by id; ``words`` what was understood of a text."""
    if as_json:
        rows = [
            {"id": m.id, "path": m.path, "similarity": round(m.similarity, 6)}
            | ({"pictures": others[m.id]} if m.id in others else {})
            | ({"same_picture": True} if m.same_picture else {})
            | ({"others": m.others, "copies": m.copies} if m.others else {})
            for m in matches
        ]
        of_words = {} if words is None else words.as_dict()
        show(json.dumps({"query": str(query), **of_words, "matches": rows}))
        return
    show(query)
    if words is not None and words.wishes:
        show("      " + ", ".join(wish.in_words for wish in words.wishes))
    for rank, match in enumerate(matches, 1):
        others_in_words = f"  (and {match.others_in_words})" if match.others else ""
        name = _in_line(match.name)
        show(f"{rank:4}  {match.similarity:.3f}  {match.id:>8}  {name}{others_in_words}")


def _in_line(name: str) -> str:
    """A name in one line, which may have any length."""
    return " ".join(name[:LONGEST_NAME].split())
