"""The table of the catalogue: which designs there are, in which colours, and their names."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from scripts.draw_demo_catalogue.assortment import LINES, PATTERN_COLOURS, PLAIN_ONLY, Line
from scripts.draw_demo_catalogue.colours import COLOURS, COMPANIONS, vary
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.studio import packshot, save

FIRST_ID = 10001
COLOURS_OF_PATTERNED = 3

FIELDS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year",
    "usage", "productDisplayName", "pattern", "cut",
)  # fmt: skip
"""The columns of the Fashion Product Images data set, in its order, and two of our own."""

BRANDS = ("Fern", "Tansy & Rye", "Quillon", "Brackwater", "Osierly", "Hollin", "Marram", "Wrenfold")
"""Invented names."""

WHOLE_NAMES = {
    "Chain bag", "Bowling bag", "Beanie", "Fedora", "Sun hat", "Bucket hat", "Bow tie",
            "Cardigan", "Camisole",
    "Hoodie", "Zip hoodie", "Canvas sneaker", "Chelsea boot", "Lace-up boot", "Shirt dress",
            "Bow blouse", "Blouse",
    "Trench", "Overcoat", "Gilet", "Rucksack", "Penny loafer", "Tote", "Ballerina", "Espadrille",
            "Jogger",
}  # fmt: skip
"""Cuts that say what a thing is without the name of its type."""

MADE_PATTERNS = {
    "Chain bag": "Quilted",
    "Cable": "Cable Knit",
    "Graphic": "Graphic",
    "Graphic ring": "Graphic",
}
"""Cuts whose making is their pattern."""

Row = dict[str, str]


@dataclass(frozen=True)
class Item:
    """An item as the table knows it, and what it is drawn of."""

    line: Line
    cut: str
    pattern: str
    colour: str
    gender: str
    brand: str
    season: str
    year: int
    id: int = 0

    @property
    def feel(self) -> str:
        return self.line.feels.get(self.cut, self.line.feel)

    @property
    def shown_pattern(self) -> str:
        """What the pattern is called where the material makes it."""
        if self.pattern != "Solid":
            return self.pattern
        if self.cut in MADE_PATTERNS:
            return MADE_PATTERNS[self.cut]
        return {"denim": "Denim", "puffy": "Quilted"}.get(self.feel, "Solid")

    @property
    def name(self) -> str:
        """The name that a shop would show."""
        words = [self.brand, self.gender, self.colour]
        if (
            self.shown_pattern != "Solid"
            and self.shown_pattern.split()[0] not in f"{self.cut} {self.line.noun}"
        ):
            words.append(self.shown_pattern)
        words.append(_titled(self.cut))
        if self.cut not in WHOLE_NAMES:
            words.append(self.line.noun)
        return " ".join(words)

    @property
    def row(self) -> Row:
        master, sub = self.line.category
        values = (
            str(self.id), self.gender, master, sub, self.line.article_type, self.colour,
                    self.season,
            str(self.year), self.line.usage, self.name, self.shown_pattern, self.cut,
        )  # fmt: skip
        return dict(zip(FIELDS, values, strict=True))

    @property
    def cloth(self) -> Cloth:
        second, third = COMPANIONS[self.colour]
        base = vary(COLOURS[self.colour], random.Random(self.id))
        return Cloth(
            base, COLOURS[second], COLOURS[third], self.pattern, self.feel, self.id, self.line.scale
        )

    def picture(self) -> Image.Image:
        return packshot(self.line.cuts[self.cut], self.cloth, self.id, stands=self.line.stands)


def _titled(cut: str) -> str:
    return " ".join(word[0].upper() + word[1:] for word in cut.split())


def designs(line: Line) -> Iterator[tuple[str, str]]:
    """The cuts of a type, each plain and in some patterns: ``(cut, pattern)``."""
    turn = 0
    for cut in line.cuts:
        yield cut, "Solid"
        # Padding, leather and denim are not printed.
        if cut in PLAIN_ONLY or line.feels.get(cut, line.feel) in ("puffy", "leather", "denim"):
            continue
        for _ in range(line.patterned):
            yield cut, line.patterns[turn % len(line.patterns)]
            turn += 1


def colours_of(line: Line, design: tuple[str, str], used: Counter[str]) -> list[str]:
    """The colours of a design: of those that its pattern is seen in, the ones that the type has had
    least so far. ``used`` counts them."""
    cut, pattern = design
    usual = [name for name in line.colours if name in PATTERN_COLOURS.get(pattern, line.colours)]
    if pattern == "Denim":
        usual = list(PATTERN_COLOURS[pattern])
    count = line.colours_each if pattern in ("Solid", "Denim") else COLOURS_OF_PATTERNED
    if len(usual) < count:
        usual = list(line.colours)
    random.Random(f"{line.article_type} {cut} {pattern}").shuffle(usual)
    chosen = sorted(usual, key=lambda name: used[name])[:count]
    used.update(chosen)
    return chosen


def items() -> list[Item]:
    """All items in the order of their ids, mixed so that neighbours differ."""
    made = []
    for place, line in enumerate(LINES):
        plain: Counter[str] = Counter()
        patterned: Counter[str] = Counter()
        for number, (cut, pattern) in enumerate(designs(line)):
            gender = line.for_whom.get(cut, line.genders[number % len(line.genders)])
            brand = BRANDS[(place + number) % len(BRANDS)]
            season, year = line.seasons[number % len(line.seasons)], 2023 + (place + number) % 4
            denim = line.feels.get(cut, line.feel) == "denim"
            used = plain if pattern == "Solid" else patterned
            for colour in colours_of(line, (cut, "Denim" if denim else pattern), used):
                made.append(Item(line, cut, pattern, colour, gender, brand, season, year))
    random.Random("mixed").shuffle(made)
    return [replace(item, id=FIRST_ID + number) for number, item in enumerate(made)]


def write_table(made: Sequence[Item], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(item.row for item in made)


def write_catalogue(folder: Path) -> int:
    """Write ``styles.csv`` and ``images/<id>.webp``; returns the number of items."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    made = items()
    for old in images.iterdir():
        old.unlink()
    for item in made:
        save(item.picture(), images / f"{item.id}.webp")
    write_table(made, folder / "styles.csv")
    return len(made)
