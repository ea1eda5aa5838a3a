"""In which encoding the text of a table is written."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from fitting_room.catalogue.tables.opening import OpenFile, opened
from fitting_room.catalogue.tables.table import TableError

#: How many bytes of lines that are not ASCII tell the encoding.
SAMPLE_BYTES = 2**17
_BLOCK = 2**20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The encodings that programs of some country still save tables in, and what people call them.
_LEGACY = {
    "gb18030": "GBK", "big5": "Big5", "cp932": "Shift-JIS", "euc_jp": "EUC-JP",
    "cp949": "EUC-KR", "cp1251": "Windows-1251", "koi8_r": "KOI8-R", "cp1250": "Windows-1250",
    "iso8859_2": "ISO 8859-2", "cp1252": "Windows-1252",
    "cp1253": "Windows-1253", "cp1254": "Windows-1254", "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
}  # fmt: skip
_CENTRAL = ("ąćęłńóśźż", "áäčďéěíĺľňóôŕřšťúůýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
#: The letters beyond ASCII of languages, by the encoding that they are usually saved in, the
#: likeliest encoding first. The guess of charset-normalizer between these is not reliable.
_LATIN = {
    "cp1252": (
        "àâæçéèêëîïôœùûüÿ", "äöüßé", "áéíóúñü¿¡ºª", "ãõáàâéêíóôúçºª", "åäöæøé", "àèéìíòóù",
        "éèëïöü",
    ),
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp1254": ("çğıi\u0307öşüâîû",),  # a capital İ becomes two signs in small letters
}  # fmt: skip
#: Signs that texts in all languages have, as long as they are none of their letters elsewhere.
_SIGNS = frozenset("’‘“”„‚–—…€©®™°·•×´«»§\xa0")
_NARROW_KANA = re.compile("[\uff61-\uff9f]")
_HIGH = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes become text: a codec, what it does with bytes that it does not know, and what
    there is to say about it."""

    codec: str
    errors: str = "strict"
    note: str = ""

    @property
    def is_lax(self) -> bool:
        """Whether single bytes of the text may still be undecoded."""
        return self.errors == "surrogateescape"

    def text_of(self, file: BinaryIO) -> io.TextIOWrapper:
        return io.TextIOWrapper(file, self.codec, errors=self.errors, newline="")


def find_encoding(open_file: OpenFile, head_only: bool = False) -> Encoding:
    """The encoding of a file: as its first bytes say, UTF-8 where all of it is, else a guess. A
    file that is nearly all UTF-8, or is in Windows-1252, is read as UTF-8 with its other bytes
    left undecoded, because then it is known row by row where the guess was needed. With
    ``head_only`` only the first MiB is looked at, which does for the names of the columns."""
    with opened(open_file) as file:
        head = file.read(_BLOCK)
        if not head:
            raise TableError("the file is empty.")
        for mark, codec in _BOMS[1:]:
            if head.startswith(mark):
                return Encoding(codec, "replace")
        if wide := _wide_encoding(head):
            return Encoding(wide, "replace", f"read as {wide.upper()}, which is a guess")
        if head_only and _is_utf_8(head[: head.rfind(b"\n") + 1], lambda: b""):
            return Encoding("utf-8-sig", "surrogateescape")
        if not head_only and _is_utf_8(head, lambda: file.read(_BLOCK)):
            return Encoding("utf-8-sig")
    with opened(open_file) as file:
        sample = _sample(io.BytesIO(head) if head_only else file)
    codec = "" if _is_mostly_utf_8(sample) else guess_encoding(sample)
    if codec in ("", "cp1252"):
        return Encoding("utf-8-sig", "surrogateescape")
    note = f"read as {_LEGACY[codec]}, which is a guess; to be sure, save it as CSV UTF-8"
    return Encoding(codec, "replace", note)


def _wide_encoding(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, or "": much of a table is ASCII, which has zero bytes in
    these, always in the same places."""
    if b"\0" not in head[:4096]:
        return ""
    start = head[:4096]
    for codec, size in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        whole = start[: len(start) // size * size]
        text = codecs.getincrementaldecoder(codec)("replace").decode(whole)
        plain = sum("\x20" <= sign < "\x7f" or sign in "\t\r\n" for sign in text)
        if len(text) >= 2 and plain >= 0.3 * len(text) and not {"\0", "\ufffd"} & set(text):
            return codec
    return ""


def _is_utf_8(block: bytes, more: Callable[[], bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block:
            decoder.decode(block)
            block = more()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _sample(file: BinaryIO) -> bytes:
    """The lines that hold bytes beyond ASCII, up to :data:`SAMPLE_BYTES`."""
    lines: list[bytes] = []
    size = 0
    while size < SAMPLE_BYTES and (line := file.readline(SAMPLE_BYTES)):
        if not line.isascii():
            lines.append(line)
            size += len(line)
    return b"".join(lines)


def _is_mostly_utf_8(sample: bytes) -> bool:
    text = sample.decode("utf-8", "surrogateescape")
    undecoded = sum("\udc80" <= sign <= "\udcff" for sign in text)
    return undecoded <= sum(not sign.isascii() for sign in text) - undecoded


def guess_encoding(sample: bytes) -> str:
    """The likeliest encoding of these lines, one of the encodings above."""
    latin, share = _best_latin(sample)
    high = sum(len(run) for run in _HIGH.findall(sample))
    letters = high + len(re.findall(rb"[A-Za-z]", sample))
    if share >= 0.9 and high <= 0.4 * letters:
        return latin
    from charset_normalizer import from_bytes

    for match in from_bytes(sample, cp_isolation=list(_LEGACY), threshold=0.3):
        if match.encoding in _LATIN:
            return latin
        # Short Chinese text passes for Japanese in the narrow letters that nobody uses in tables.
        narrow = len(_NARROW_KANA.findall(str(match)))
        if match.encoding in _LEGACY and narrow <= 0.1 * high:
            return match.encoding
    return latin


def _best_latin(sample: bytes) -> tuple[str, float]:
    """The encoding of a language in Latin letters that explains most of the sample, and how much
    of its signs beyond ASCII, from 0 to 1."""
    shares: dict[str, float] = {}
    for codec, languages in _LATIN.items():
        text = sample.decode(codec, "replace").lower()
        signs = [sign for sign in text if not sign.isascii()]
        known = max(sum(s in language or s in _SIGNS for s in signs) for language in languages)
        shares[codec] = known / max(1, len(signs))
    best = max(shares, key=lambda codec: shares[codec])
    return best, shares[best]
