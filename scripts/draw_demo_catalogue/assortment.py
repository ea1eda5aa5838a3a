"""What the shop sells: each type's cuts, and the patterns, colours and people they are made for."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts.draw_demo_catalogue import (
    bags,
    bottoms,
    coats,
    dresses,
    formal,
    hats,
    heels,
    jersey,
    shirts,
    shoes,
    small,
)  # fmt: skip
from scripts.draw_demo_catalogue.studio import Garment

ALL = (
    "Red", "Navy Blue", "Yellow", "Black", "Teal", "Pink", "White", "Olive", "Purple", "Grey",
    "Orange", "Blue", "Beige", "Maroon", "Green", "Charcoal", "Lavender", "Brown", "Mustard", "Tan",
)  # fmt: skip
SUITING = (
    "Navy Blue",
    "Charcoal",
    "Black",
    "Beige",
    "Grey",
    "Brown",
    "Maroon",
    "Olive",
    "Blue",
    "White",
    "Green",
    "Tan",
)
HIDES = ("Black", "Brown", "Tan", "Maroon", "Navy Blue", "Grey", "White", "Red", "Mustard", "Beige")
POLISHED = ("Black", "Brown", "Tan", "Maroon", "Navy Blue", "Grey")
DENIM = ("Blue", "Navy Blue", "Black", "Grey", "White", "Charcoal")
BRIGHT = (
    "Black",
    "Red",
    "Blue",
    "White",
    "Grey",
    "Navy Blue",
    "Pink",
    "Orange",
    "Green",
    "Yellow",
    "Teal",
    "Purple",
)

PATTERN_COLOURS = {
    "Denim": DENIM,
    "Camouflage": ("Olive", "Beige", "Grey", "Green", "Brown", "Navy Blue", "Tan"),
    "Leopard": ("Tan", "Beige", "Grey", "Red", "Mustard", "Pink", "White"),
    "Zebra": ("White", "Black", "Beige", "Pink", "Red", "Blue", "Purple"),
    "Pinstripe": ("Navy Blue", "Charcoal", "Black", "Blue", "Maroon", "White", "Grey", "Brown"),
    "Herringbone": ("Grey", "Brown", "Navy Blue", "Olive", "Tan", "Maroon", "Green", "Blue"),
    "Houndstooth": ("White", "Black", "Red", "Beige", "Tan", "Pink", "Grey"),
}
"""Colours that a pattern is usually seen in; other patterns come in any."""


PLAIN_ONLY = frozenset({"Cable", "Graphic", "Graphic ring"})
"""Cuts that a pattern would spoil."""


@dataclass(frozen=True)
class Line:
    """A type of the catalogue, in the columns and the words of the real data set.

    Each cut is made plain and in one or two of ``patterns`` in turn, each of these designs in three
    or more colours. ``women``, ``men``, ``girls`` and ``boys`` name cuts that are made for them;
    the others are for everybody that ``genders`` names, in turn.
    """

    article_type: str
    category: tuple[str, str]
    noun: str
    cuts: dict[str, Garment]
    patterns: tuple[str, ...]
    colours: tuple[str, ...] = ALL
    genders: tuple[str, ...] = ("Men", "Women")
    usage: str = "Casual"
    seasons: tuple[str, ...] = ("Summer", "Spring")
    feel: str = "plain"
    feels: dict[str, str] = field(default_factory=dict)
    for_whom: dict[str, str] = field(default_factory=dict)
    patterned: int = 1
    stands: bool = False
    scale: float = 1.0
    colours_each: int = 4


TOP, BOTTOM, DRESS = ("Apparel", "Topwear"), ("Apparel", "Bottomwear"), ("Apparel", "Dress")
SHOES, BAGS, HEADWEAR = ("Footwear", "Shoes"), ("Accessories", "Bags"), ("Accessories", "Headwear")
COLD = ("Winter", "Fall")

LINES: tuple[Line, ...] = (
    Line("Tshirts", TOP, "T-shirt", jersey.TSHIRTS, ("Striped", "Floral", "Camouflage",
            "Polka Dots", "Tropical", "Colour Block", "Leopard", "Ombre"),
         genders=("Men", "Unisex", "Women"), for_whom={"Fitted scoop neck": "Women",
                 "Polo": "Men", "Graphic": "Boys", "Graphic ring": "Girls"}),
    Line("Shirts", TOP, "Shirt", shirts.SHIRTS, ("Pinstripe", "Gingham", "Plaid", "Striped",
            "Tropical", "Polka Dots", "Floral", "Paisley"),
         genders=("Men",), for_whom={"Blouse": "Women", "Tie front": "Women"}, usage="Formal",
                 seasons=("Spring", "Fall")),
    Line("Tops", TOP, "Top", jersey.TOPS, ("Polka Dots", "Striped", "Floral", "Gingham",
            "Leopard", "Paisley", "Zebra"),
         genders=("Women",), for_whom={"Cropped": "Girls"}, feels={"Camisole": "satin",
                 "Bow blouse": "satin"}),
    Line("Sweaters", TOP, "Sweater", jersey.SWEATERS, ("Striped", "Argyle", "Chevron",
            "Colour Block", "Argyle"), seasons=COLD, feel="knit",
         for_whom={"Polo neck": "Women", "Sleeveless": "Men"}),
    Line("Sweatshirts", TOP, "Sweatshirt", jersey.SWEATSHIRTS, ("Colour Block", "Camouflage",
            "Striped", "Ombre"), seasons=COLD, usage="Sports",
         genders=("Unisex", "Boys", "Men"), for_whom={"Cropped": "Women"}),
    Line("Jackets", TOP, "Jacket", coats.JACKETS, ("Camouflage", "Colour Block", "Herringbone",
            "Leopard", "Plaid", "Houndstooth"), seasons=COLD,
         feels={"Denim": "denim", "Puffer": "puffy", "Hooded puffer": "puffy", "Gilet": "puffy",
                 "Biker": "leather"},
         for_whom={"Biker": "Women", "Bomber": "Men", "Trench": "Women", "Gilet": "Unisex",
                 "Hooded puffer": "Boys"}),
    Line("Blazers", TOP, "Blazer", coats.BLAZERS, ("Pinstripe", "Herringbone", "Plaid",
            "Houndstooth"), colours=SUITING, usage="Formal", seasons=COLD,
         for_whom={"Two-button": "Men", "Double-breasted": "Men",
                 "One-button": "Women"}, patterned=2),
    Line("Waistcoat", TOP, "Waistcoat", coats.WAISTCOATS, ("Pinstripe", "Herringbone",
            "Paisley"), colours=SUITING, usage="Formal", seasons=COLD, genders=("Men",),
            patterned=3),
    Line("Dresses", DRESS, "Dress", dresses.DRESSES, ("Floral", "Polka Dots", "Gingham",
            "Tropical", "Striped", "Leopard", "Chevron", "Zebra", "Paisley", "Ombre",
            "Houndstooth", "Plaid"),
         genders=("Women",),
                 for_whom={"Skater": "Girls"}, feels={"Slip": "satin"}, patterned=2,
                 seasons=("Summer", "Spring", "Fall")),
    Line("Jumpsuit", DRESS, "Jumpsuit", dresses.JUMPSUITS, ("Polka Dots", "Tropical", "Striped"),
            genders=("Women",)),
    Line("Skirts", BOTTOM, "Skirt", dresses.SKIRTS, ("Polka Dots", "Houndstooth", "Plaid",
            "Floral", "Leopard", "Tropical", "Gingham", "Zebra"),
         genders=("Women",), for_whom={"Ruffle": "Girls"}, feels={"Mini": "denim",
                 "Maxi": "satin"}, seasons=("Summer", "Fall")),
    Line("Jeans", BOTTOM, "Jeans", bottoms.JEANS, (), colours=DENIM, feel="denim",
            seasons=("Winter", "Spring"), patterned=0,
         colours_each=5,
         for_whom={"Skinny": "Women", "Flared": "Women", "Wide leg": "Women"}),
    Line("Trousers", BOTTOM, "Trousers", bottoms.TROUSERS, ("Pinstripe", "Plaid", "Herringbone",
            "Camouflage", "Houndstooth"), colours=SUITING, usage="Formal", seasons=("Fall",
            "Spring"),
         for_whom={"Wide leg": "Women", "Slim": "Men", "Cargo": "Men"}),
    Line("Shorts", BOTTOM, "Shorts", bottoms.SHORTS, ("Gingham", "Striped", "Tropical",
            "Camouflage", "Plaid"), feels={"Denim": "denim"},
         for_whom={"Denim": "Women", "Swim": "Men", "Running": "Men", "Bermuda": "Boys"}),
    Line("Track Pants", BOTTOM, "Track Pants", bottoms.TRACK_PANTS, ("Camouflage",
            "Colour Block", "Ombre"), colours=BRIGHT, usage="Sports",
            seasons=COLD, genders=("Men", "Women", "Unisex")),
    Line("Leggings", BOTTOM, "Leggings", bottoms.LEGGINGS, ("Leopard", "Chevron", "Zebra"),
            genders=("Women", "Girls"), usage="Sports", seasons=("Fall", "Spring")),
    Line("Sports Shoes", SHOES, "Shoes", shoes.SPORTS_SHOES, ("Camouflage", "Colour Block",
            "Leopard"), colours=BRIGHT, usage="Sports", stands=True, genders=("Men", "Women",
            "Unisex"), scale=0.6, colours_each=7),
    Line("Casual Shoes", SHOES, "Shoes", shoes.CASUAL_SHOES | formal.BOOTS, ("Floral", "Gingham",
            "Striped", "Leopard", "Plaid"), stands=True, scale=0.6, seasons=("Fall", "Spring"),
         for_whom={"Chelsea boot": "Women", "Lace-up boot": "Men", "Slip-on": "Unisex",
                 "Canvas high-top": "Unisex"}),
    Line("Formal Shoes", SHOES, "Shoes", formal.FORMAL_SHOES, (),
            colours=POLISHED, usage="Formal", stands=True, genders=("Men",),
            seasons=COLD, patterned=0, colours_each=5),
    Line("Heels", SHOES, "Heels", heels.HEELS, ("Leopard", "Polka Dots", "Zebra", "Floral"),
            genders=("Women",), usage="Party", stands=True, scale=0.6),
    Line("Flats", SHOES, "Flats", heels.FLATS, ("Leopard", "Polka Dots", "Striped"),
            genders=("Women",), for_whom={"Ballerina": "Girls"}, stands=True, scale=0.55),
    Line("Sandals", ("Footwear", "Sandal"), "Sandals", heels.SANDALS, (),
            colours=HIDES, stands=True, for_whom={"Two-strap": "Unisex", "Ankle strap": "Women",
            "Gladiator": "Women"}, patterned=0, colours_each=6, scale=0.5),
    Line("Flip Flops", ("Footwear", "Flip Flops"), "Flip Flops", heels.FLIP_FLOPS, ("Tropical",
            "Striped", "Camouflage"), genders=("Unisex", "Men", "Women"), scale=0.7, patterned=2),
    Line("Handbags", BAGS, "Bag", bags.HANDBAGS, ("Leopard", "Houndstooth", "Plaid", "Floral",
            "Zebra", "Chevron"), genders=("Women",), stands=True, seasons=("Fall", "Summer"),
            scale=0.9),
    Line("Clutches", BAGS, "Clutch", bags.CLUTCHES, ("Leopard", "Polka Dots", "Paisley"),
            genders=("Women",), usage="Party", stands=True, scale=0.9),
    Line("Backpacks", BAGS, "Backpack", bags.BACKPACKS, ("Camouflage", "Polka Dots", "Tropical",
            "Plaid"), genders=("Unisex", "Boys", "Girls"),
            stands=True, patterned=2, seasons=("Fall", "Spring")),
    Line("Caps", HEADWEAR, "Cap", hats.CAPS, ("Camouflage", "Striped", "Houndstooth"),
            genders=("Unisex",), stands=True, feels={"Beanie": "knit"}, seasons=("Summer",
            "Winter"), scale=0.8, patterned=2),
    Line("Hat", HEADWEAR, "Hat", hats.HATS, ("Herringbone", "Striped", "Gingham"),
            genders=("Unisex",), for_whom={"Fedora": "Men",
            "Sun hat": "Women"}, stands=True, scale=0.8),
    Line("Scarves", ("Accessories", "Scarves"), "Scarf", small.SCARVES, ("Plaid", "Striped",
            "Paisley", "Houndstooth"), seasons=COLD, patterned=2, scale=0.8),
    Line("Ties", ("Accessories", "Ties"), "Tie", small.TIES, ("Striped", "Polka Dots", "Paisley",
            "Plaid"), genders=("Men",), usage="Formal", seasons=COLD, patterned=2, scale=0.55),
    Line("Belts", ("Accessories", "Belts"), "Belt", small.BELTS, (),
            colours=HIDES, stands=True, patterned=0, colours_each=10),
    Line("Socks", ("Apparel", "Socks"), "Socks", small.SOCKS, ("Striped", "Argyle",
            "Polka Dots"), seasons=COLD, genders=("Unisex", "Men"), scale=0.55),
)  # fmt: skip
