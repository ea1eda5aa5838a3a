"""Tables in the encodings that programs of all countries save them in."""

from __future__ import annotations

import pytest

from tests.catalogue.tables.conftest import cells, header_of, read

GOODS = {
    "Chinese": [
        "黑色连衣裙", "红色纯棉衬衫", "蓝色牛仔裤 修身",
        "白色运动鞋", "女士羊毛大衣", "儿童短袖T恤",
    ],
    "Taiwanese": [
        "黑色連身裙", "紅色純棉襯衫", "藍色牛仔褲 修身",
        "白色運動鞋", "女士羊毛大衣", "兒童短袖T恤",
    ],
    "Japanese": [
        "黒いワンピース", "赤い綿のシャツ", "青いジーンズ スリム",
        "白いスニーカー", "レディース ウールコート", "子供用半袖Tシャツ",
    ],
    "Korean": [
        "검은색 원피스", "빨간 면 셔츠", "청바지 슬림핏",
        "흰색 운동화", "여성용 울 코트", "아동용 반팔 티셔츠",
    ],
    "Russian": [
        "Чёрное платье", "Красная хлопковая рубашка", "Синие джинсы",
        "Белые кроссовки", "Женское пальто", "Детская футболка",
    ],
    "Polish": [
        "Czarna sukienka wieczorowa", "Czerwona koszula bawełniana", "Niebieskie dżinsy męskie",
        "Białe buty sportowe", "Płaszcz damski wełniany", "Koszulka dziecięca żółta",
    ],
    "Czech": [
        "Černé šaty", "Červená bavlněná košile", "Modré džíny",
        "Bílé tenisky", "Dámský vlněný kabát", "Dětské tričko žluté",
    ],
    "Hungarian": [
        "Fekete ruha", "Piros pamut ing, hosszú ujjú", "Kék farmer",
        "Fehér cipő", "Női gyapjú kabát", "Gyerek póló sárga, fűzős",
    ],
    "French": [
        "Robe noire élégante", "Chemise en coton à carreaux", "Jean délavé",
        "Baskets blanches", "Manteau d’hiver à capuche", "T-shirt été brodé",
    ],
    "German": [
        "Schwarzes Kleid für Damen", "Hemd weiß Größe M", "Blaue Jeans",
        "Weiße Turnschuhe", "Wollmantel für Männer", "Kinder-T-Shirt gelb",
    ],
    "Spanish": [
        "Vestido negro de señora", "Camisa de algodón", "Vaqueros azules",
        "Zapatillas blancas de niño", "Abrigo de lana – otoño", "Camiseta azul índigo",
    ],
    "Swedish": [
        "Svart klänning", "Röd bomullsskjorta", "Blå jeans",
        "Vita skor", "Ullkappa för damer", "Gul tröja, små barn",
    ],
    "Turkish": [
        "Siyah elbise şık", "Kırmızı gömlek", "Mavi kot pantolon",
        "Beyaz ayakkabı", "Kadın yün kaban", "Çocuk tişört sarı",
    ],
    "Greek": [
        "Μαύρο φόρεμα", "Κόκκινο πουκάμισο", "Μπλε τζιν παντελόνι",
        "Λευκά παπούτσια", "Γυναικείο παλτό", "Παιδικό μπλουζάκι",
    ],
}  # fmt: skip
ENCODINGS = [
    ("Chinese", "gbk"), ("Chinese", "gb18030"), ("Taiwanese", "big5"), ("Japanese", "cp932"),
    ("Japanese", "euc_jp"), ("Korean", "cp949"), ("Russian", "cp1251"), ("Russian", "koi8_r"),
    ("Polish", "cp1250"), ("Polish", "iso8859_2"), ("Czech", "cp1250"), ("Hungarian", "cp1250"),
    ("French", "cp1252"), ("German", "cp1252"), ("Spanish", "cp1252"), ("Swedish", "cp1252"),
    ("Turkish", "cp1254"), ("Greek", "cp1253"),
]  # fmt: skip


def _table(language: str, count: int) -> list[dict[str, str | None]]:
    names = GOODS[language]
    return [
        {
            "id": str(1163 + row),
            "colour": names[row * 5 % 6].split()[0].strip(","),
            "price": "19.90",
            "title": names[row % 6] + ("" if row < 6 else f" {row}"),
        }
        for row in range(count)
    ]


def _text(rows: list[dict[str, str | None]]) -> str:
    lines = [list(rows[0]), *(list(map(str, row.values())) for row in rows)]
    return "".join(";".join(line) + "\r\n" for line in lines)


@pytest.mark.parametrize("count", [6, 200])
@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_an_old_encoding_is_found_out(language: str, encoding: str, count: int) -> None:
    rows = _table(language, count)
    table = read(_text(rows).encode(encoding))
    assert cells(table) == rows
    if encoding == "cp1252":  # counted row by row
        assert list(table.repaired) == ["not UTF-8, read as Windows-1252"]
    else:
        assert "which is a guess; to be sure, save it as CSV UTF-8" in table.notes[0]


@pytest.mark.parametrize("language", GOODS)
@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_unicode_is_read_with_and_without_its_mark(language: str, encoding: str) -> None:
    rows = _table(language, 3)
    data = _text(rows).encode(encoding)
    table = read(data)
    assert cells(table) == rows
    assert bool(table.notes) == encoding.endswith(("-le", "-be"))
    assert header_of(data) == ["id", "colour", "price", "title"]


def test_windows_1252_is_recognised_and_reported() -> None:
    table = read("id,name\n1,Café – “crème”\n2,dress\n".encode("cp1252"))
    assert cells(table)[0]["name"] == "Café – “crème”"
    assert table.repaired == {"not UTF-8, read as Windows-1252": [0]}


def test_windows_1252_in_the_first_line_is_read_too() -> None:
    table = read("id;Größe;name\n1;schön;shirt\n".encode("cp1252"))
    assert cells(table) == [{"id": "1", "Größe": "schön", "name": "shirt"}]


def test_a_cell_that_is_utf_8_stays_so_beside_one_that_is_not() -> None:
    table = read(b"id,name,colour\n1," + "Café".encode() + b",wei\xdf\n")
    assert cells(table) == [{"id": "1", "name": "Café", "colour": "weiß"}]


def test_a_few_bad_bytes_late_in_much_utf_8_cost_their_rows_alone_nothing() -> None:
    rows = "".join(f"{row},Kleid für Männer,blau\n" for row in range(50_000)).encode()
    table = read(b"id,name,colour\n" + rows + b"x,sch\xf6n,blau\n")
    assert table.repaired == {"not UTF-8, read as Windows-1252": [50_000]}
    assert cells(table)[50_000]["name"] == "schön"


def test_bytes_that_no_encoding_knows_stop_nothing() -> None:
    assert len(read(b"id,name\n1,\x81\x8d\xff\n2,dress\n").cells) == 2


def test_a_nul_byte_does_not_make_it_utf_16() -> None:
    assert read(b"id,name\n1,s\0hirt\n2,\0dress\n").notes == ()


def test_an_odd_byte_at_the_end_of_utf_16_stops_nothing() -> None:
    data = "id,name\n1,shirt\n2,dress".encode("utf-16") + b"x"
    assert cells(read(data))[0] == {"id": "1", "name": "shirt"}
