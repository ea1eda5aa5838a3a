"""What fuzzing starts from: small hostile files of every kind, made from nothing.

:func:`seeds` makes the same ones each time; those of indexes differ in the name of their build.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

import pandas as pd
from PIL import Image

from fitting_room.index.data import CURRENT
from fitting_room.index.head import FASHION_FILE
from fitting_room.index.manifest import MANIFEST
from tests.fuzzing.targets import ARCHIVE_NAMES, TABLE_NAMES, _index, index_files
from tests.imaging import offenders
from tests.imaging.pictures import KINDS, encoded, exif, noise, png_chunk, png_that_claims, quarters
from tests.index.damage import mutations

Seeds = Iterator[tuple[str, bytes]]
#: Inputs are no longer, for speed: what is wrong with a file is nearly always so with a small one.
MAX_LENGTH = 64 * 2**10


def seeds(target: str) -> dict[str, bytes]:
    """The files that a target starts from, by what they are."""
    return {name: data for name, data in _SEEDS[target]() if len(data) <= MAX_LENGTH}


def mutated(data: bytes, others: list[bytes], chance: random.Random, times: int = 3) -> bytes:
    """``data`` damaged up to so many times. Its first byte may choose a name and is damaged too."""
    for _ in range(chance.randrange(1, times + 1)):
        data = mutations(data or b"\0", others, chance)
    return data[:MAX_LENGTH]


# --- pictures ---------------------------------------------------------------------------------


def _pictures() -> Seeds:
    for kind, options in KINDS.items():
        whole = encoded(quarters(), kind, **options)
        yield kind, whole
        yield f"{kind} cut short", whole[: len(whole) * 2 // 3]
        yield f"{kind} of its beginning", whole[:40]
    for mode in ("1", "L", "LA", "P", "RGBA"):
        yield f"PNG {mode}", encoded(noise(mode=mode), "PNG")
    yield "PNG 16 bits", encoded(Image.new("I;16", (40, 50), 9_000), "PNG")
    yield from _jpegs()
    yield from _tiffs()
    yield from _lying_headers()
    frames = [Image.new("RGB", (40, 50), (n * 60, 0, 0)) for n in range(3)]
    for kind in ("GIF", "PNG", "WEBP"):
        yield f"{kind} animation", encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def _jpegs() -> Seeds:
    image = quarters()
    yield "JPEG progressive", encoded(image, "JPEG", progressive=True)
    yield "JPEG CMYK", encoded(image.convert("CMYK"), "JPEG")
    yield "JPEG turned", encoded(image, "JPEG", exif=exif(6))
    yield "JPEG of damaged EXIF", encoded(image, "JPEG", exif=exif(6)[:-6] + b"\xff" * 6)
    yield "JPEG of a damaged profile", encoded(image, "JPEG", icc_profile=b"\0\0\2\0" + b"x" * 200)
    scans = encoded(image, "JPEG", progressive=True)
    last = scans.rindex(b"\xff\xda")
    yield "JPEG of many scans", scans[:-2] + scans[last:-2] * 60 + scans[-2:]


def _tiffs() -> Seeds:
    image = noise()
    for packing in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield f"TIFF {packing}", encoded(image, "TIFF", compression=packing)
    for mode in ("F", "I", "I;16", "CMYK", "LAB", "1"):
        plain = Image.new(mode, (40, 50))
        yield f"TIFF {mode}", encoded(plain, "TIFF")
    tile = {322: 24_000, 323: 24_000, 324: 0, 325: 0}
    yield "TIFF of a huge tile", offenders.tiff((100, 100), tile, zlib.compress(bytes(2**16)))
    for tag, value in ((256, 2**31), (258, 65_535), (259, 7), (277, 255), (273, 2**32 - 1)):
        yield f"TIFF with {tag} {value}", offenders.tiff((40, 40), {tag: value}, bytes(400))


def _lying_headers() -> Seeds:
    for width, height in ((2**31 - 1, 2**31 - 1), (65_500, 8), (0, 0), (8, 3_000)):
        yield f"PNG {width} x {height}", png_that_claims(width, height)
    yield "WebP 64 MP", offenders.webp_of_34_bytes()
    yield "WebP 4 MP", offenders.webp_of_34_bytes(2_000, 1_990)
    yield "RLE BMP of line ends", offenders.bmp((1_000, 1_060), 8, 1, b"\1\1\0\0" * 1_060)
    yield "RLE BMP of steps", offenders.bmp((400, 400), 8, 1, b"\0\2\xff\xff" * 4_000)
    yield "BMP upside down", offenders.bmp((40, -40), 8, 0, bytes(1_600))
    yield "BMP of bit fields", offenders.bmp((40, 40), 32, 3, b"\xff" * 6_400, colours=3)
    rows = zlib.compress(bytes(64 * 193))
    for name, chunk in {
        "empty IDAT": png_chunk(b"IDAT", b"") * 500,
        "remarks": png_chunk(b"tEXt", b"a\0b") * 500,
        "a packed remark": png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000))),
        "a packed profile": png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2_000_000))),
        "a bad palette": png_chunk(b"PLTE", bytes(7)),
        "damaged EXIF": png_chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        "CICP": png_chunk(b"cICP", bytes((9, 16, 0, 1))),
        "a chunk too long": struct.pack(">I", 2**31 - 1) + b"abCd",
    }.items():
        yield f"PNG with {name}", offenders.png((64, 64), 8, 2, rows, chunk)
    frame = b"\x21\xf9\x04\x09\0\0\1\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    still = encoded(Image.new("P", (40, 40)), "GIF")
    yield "GIF of many frames", still[:-1] + frame * 300 + b"\x3b"


# --- tables -----------------------------------------------------------------------------------

_CELLS = pd.DataFrame(
    {
        "id": ["1", "0002", "=1+1", "../../etc/passwd", "NA", "1e400", "a\0b", "é" * 300],
        "image": ["1.jpg", "2.jpg", "/etc/passwd", "..\\x.png", "", "http://[", "a\rb", '"'],
        "price": [1.5, float("nan"), float("inf"), -0.0, 1e308, 0, 2**53, -1],
        "sold": pd.to_datetime(["2026-01-01"] * 8),
    }
)


def _tables() -> Seeds:
    for name, (ending, data) in _table_files().items():
        first = next(n for n, known in enumerate(TABLE_NAMES) if known.endswith(ending))
        yield name, bytes((first,)) + data


def _table_files() -> dict[str, tuple[str, bytes]]:
    """Name -> the ending it goes by, and its bytes."""
    text = _CELLS.to_csv(index=False)
    rows = json.loads(_CELLS.to_json(orient="records", date_format="iso"))
    deep = b"[" * 5_000 + b"]" * 5_000
    codes = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "shift_jis")
    files = {f"csv {code}": (".csv", text.encode(code, "replace")) for code in codes}
    files |= {
        "csv of open quotes": (".csv", b'id,image\n1,"a\n2,"b"c"\n3,""",\n' * 20),
        "csv of commas": (".csv", b"," * 3_000 + b"\n" + b"," * 3_000),
        "csv of NUL": (".csv", b"id,image\n" + bytes(2_000)),
        "csv of one line": (".csv", b"id,image" * 3_000),
        "csv of other widths": (".csv", b"id,name,image\n1\n1,2\n1,2,3\n1,2,3,4\n,,,,\n"),
        "tsv": (".tsv", _CELLS.to_csv(index=False, sep="\t").encode()),
        "text list": (".txt", b"img/a.jpg 1\nimg/b.jpg 2\n"),
        "text list with a count": (".txt", b"2\nimage_name item_id\nimg/a.jpg 1\nimg/b.jpg 2\n"),
        "csv packed": (".csv.gz", gzip.compress(text.encode(), mtime=0)),
        "csv bomb": (".csv.gz", gzip.compress(b"id,image\n" + b"1,1\n" * 500_000, mtime=0)),
        "csv packed and cut": (".csv.gz", gzip.compress(text.encode(), mtime=0)[:60]),
        "json": (".json", json.dumps(rows).encode()),
        "json of an object": (".json", json.dumps({"products": rows}).encode()),
        "json of columns": (".json", _CELLS.to_json(date_format="iso").encode()),
        "json lines": (".jsonl", b"\n".join(json.dumps(row).encode() for row in rows)),
        "json, deep": (".json", deep),
        "json lines, deep": (".jsonl", b'{"id": ' + deep + b"}\n"),
        "json of numbers": (".json", b'[{"id": 1e999, "image": NaN, "a": 123456789e-4000}]'),
        "json of surrogates": (".json", b'[{"id": "\\ud800", "image": "\\udfff.jpg"}]'),
        "xls": (".xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000)),
    }
    return files | _columnar() | _spreadsheets()


def _columnar() -> dict[str, tuple[str, bytes]]:
    parquet, arrow, nested = io.BytesIO(), io.BytesIO(), io.BytesIO()
    _CELLS.to_parquet(parquet, index=False)
    _CELLS.to_feather(arrow)
    deep = pd.DataFrame({"id": ["1"], "tags": [["a", None]], "of": [{"a": {"b": [1]}}]})
    deep.to_parquet(nested, index=False)
    whole = parquet.getvalue()
    return {
        "parquet": (".parquet", whole),
        "parquet of lists": (".parquet", nested.getvalue()),
        "parquet of a long footer": (".parquet", whole[:-8] + b"\xff\xff\xff\x7fPAR1"),
        "parquet of nothing": (".parquet", b"PAR1\0\0\0\0PAR1"),
        "arrow": (".arrow", arrow.getvalue()),
        "arrow stream": (".arrow", b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64)),
    }


def _spreadsheets() -> dict[str, tuple[str, bytes]]:
    file = io.BytesIO()
    _CELLS.replace("a\0b", "ab").to_excel(file, index=False)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    written = next(name for name in parts if "core" in name)  # says when, to the second
    parts[written] = re.sub(rb">[0-9T:-]+Z<", b">2026-01-01T00:00:00Z<", parts[written])
    sheet = next(name for name in parts if "sheet1" in name)
    entities = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 500 + b'">]>'
    far = parts[sheet].replace(b'r="A2"', b'r="XFD1048576"')
    styles = next(name for name in parts if "styles" in name)
    return {
        "xlsx": (".xlsx", _zip(parts)),
        "xlsx of entities": (".xlsx", _zip(parts | {sheet: entities + parts[sheet]})),
        "xlsx of a far cell": (".xlsx", _zip(parts | {sheet: far})),
        "xlsx cut inside": (".xlsx", _zip(parts | {sheet: parts[sheet][:300]})),
        "xlsx without styles": (".xlsx", _zip({k: v for k, v in parts.items() if k != styles})),
        "xlsx of no sheet": (".xlsx", _zip({k: v for k, v in parts.items() if k != sheet})),
    }


# --- archives ---------------------------------------------------------------------------------


def _zip(files: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip without dates: entries made by name have none."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return file.getvalue()


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, to in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, to
            archive.addfile(info)
    return file.getvalue()


def _archives() -> Seeds:
    for name, (ending, data) in _archive_files().items():
        yield name, bytes((ARCHIVE_NAMES.index("shop" + ending),)) + data


def _archive_files() -> dict[str, tuple[str, bytes]]:
    picture = encoded(quarters(), "JPEG")
    table = b"id,image,name\n1,1.jpg,Shirt\n2,2.jpg,Cap\n"
    shop = {"styles.csv": table, "images/1.jpg": picture, "images/2.jpg": picture}
    outside = {"../up.jpg": picture, "/root.jpg": picture, "a/../../b.jpg": picture,
               "C:\\x.jpg": picture, "a//b.jpg": picture, "\u202egpj.exe.jpg": picture}  # fmt: skip
    bomb = {"bomb.jpg": bytes(8 * 2**20)}
    inner = _zip(shop)
    wds = {"1.jpg": picture, "1.json": b'{"name": "Shirt"}', "2.jpg": picture, "2.txt": b"Cap"}
    embedded = io.BytesIO()
    cells = [{"bytes": picture, "path": "1.jpg"}, {"bytes": None, "path": "../2.jpg"}]
    pd.DataFrame({"id": ["1", "2"], "image": cells}).to_parquet(embedded, index=False)
    long = struct.pack("<I", 0x02014B50)
    return {
        "zip": (".zip", inner),
        "zip as it is": (".zip", _zip(shop, zipfile.ZIP_STORED)),
        "zip of names outside": (".zip", _zip(outside)),
        "zip bomb": (".zip", _zip(bomb)),
        "zip in zips": (".zip", _zip({"a.zip": _zip({"b.zip": _zip({"c.zip": inner})})})),
        "zip that lies": (".zip", inner.replace(struct.pack("<I", len(picture)), b"\0\0\0\x7f")),
        "zip of one entry": (".zip", inner.replace(long, b"PK\1\3", 1)),
        "tar": (".tar", _tar(shop)),
        "tar of names outside": (".tar", _tar(outside, {"l.jpg": "/etc/passwd", "m": ".."})),
        "tar cut short": (".tar", _tar(shop)[:1_700]),
        "tar of samples": (".tar", _tar(wds)),
        "tar, packed": (".tar.gz", gzip.compress(_tar(shop), mtime=0)),
        "tar bomb": (".tar.gz", gzip.compress(_tar(bomb), mtime=0)),
        "pictures in parquet": (".parquet", embedded.getvalue()),
        "anything": ("", inner),
    }


# --- indexes ----------------------------------------------------------------------------------


def _manifests() -> Seeds:
    values = json.loads((_index("head")[1] / MANIFEST).read_text("utf-8"))
    values.pop("checksum")
    yield "as written", json.dumps(values).encode()
    for key in values:
        for other in (None, [], {}, "", -1, 2**70, 1e300, True, "../../x"):
            yield f"{key} is {other!r}", json.dumps({**values, key: other}).encode()
        yield f"no {key}", json.dumps({k: v for k, v in values.items() if k != key}).encode()
    counts = {"rows": 2**62, "items": 2**62, "pictures": 2**62}
    yield "many items", json.dumps({**values, "counts": counts}).encode()
    files = {**values["files"], "../x": {"bytes": 0, "sha256": ""}}
    yield "a file outside", json.dumps({**values, "files": files}).encode()
    yield "deep", b"[" * 5_000


def _index_files() -> Seeds:
    for place, ((folder, version), name) in enumerate(index_files()):
        data = (folder / name if name == CURRENT else version / name).read_bytes()
        first = bytes((place,))
        yield f"{place} {name}", first + data
        yield f"{place} {name} cut short", first + data[: len(data) * 2 // 3]
        if data.startswith(b"\x93NUMPY"):
            text = bytes(data).replace(b"(120, ", b"(2**40, ")
            yield f"{place} {name} of another shape", first + text
            yield f"{place} {name} of no numbers", first + data[:128] + b"\xff" * (len(data) - 128)


def _heads() -> Seeds:
    version = _index("head")[1]
    data = (version / "head.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    yield "head", data
    yield "cut short", data[:-100]
    yield "a long header", struct.pack("<Q", 2**60) + data[8:]
    yield "no header", struct.pack("<Q", 2) + b"{}"
    header, rest = data[8 : 8 + length], data[8 + length :]
    for old, new in ((b"F16", b"F32"), (b"F32", b"I64"), (b"0,", b"9,"), (b"columns", b"column_")):
        yield f"{old!r} as {new!r}", data[:8] + header.replace(old, new) + rest
    yield "the beginning of the packaged one", FASHION_FILE.read_bytes()[:20_000]


_SEEDS: dict[str, Callable[[], Seeds]] = {
    "decode": _pictures,
    "tables": _tables,
    "archives": _archives,
    "manifest": _manifests,
    "index": _index_files,
    "head": _heads,
}
