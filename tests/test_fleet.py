from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import fleet
from tocsin.errors import RuleError
from tocsin.fleet import Fleet, names
from tocsin.model import Criticality, Element, ElementKind

EXAMPLE = Path(__file__).parents[1] / "config" / "fleet"


def element(reference: str, *aliases: str, parent: str | None = None) -> Element:
    return Element(reference=reference, name=f"Element {reference}", aliases=aliases, parent=parent)


def references(of: Fleet, name: str) -> list[str]:
    return [found.reference for found in of.resolve(name)]


SOME = fleet.build(
    [
        element("WEB", "web1", "web1.example.com", "192.0.2.11", "2001:db8::11"),
        element("WEBIN", "web1.internal.example.com"),
        element("DB", "db1", "Db1.Example.com", "192.0.2.21", "jdbc:one"),
        element("LAN", "192.0.2.0/24", "2001:db8::/32"),
        element("ROOM", "192.0.2.16/28"),
        element("BKP", "bkp-*", "*.backup.example.com"),
        element("BKP7", "bkp-7"),
        element("ODD", "rack?.example.com", "https://shop.example.com/health"),
        element("A1", "shared", "twin-*"),
        element("A0", "SHARED", "twin-?"),
        element("10.9.9.9", "somewhere-else"),
        element("NET9", "10.9.0.0/16", "10.9.9.9"),
    ]
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("WEB", ["WEB"], id="reference"),
        pytest.param("web", [], id="a reference has its case"),
        pytest.param("web1", ["WEB"], id="alias"),
        pytest.param(" WEB1 ", ["WEB"], id="alias in any case"),
        pytest.param("WEB1.example.COM.", ["WEB"], id="full name with a dot at its end"),
        pytest.param("web1.internal.example.com", ["WEBIN"], id="full name before first label"),
        pytest.param("web1.elsewhere.example", ["WEB"], id="first label"),
        pytest.param("192.elsewhere.example", [], id="first label unknown"),
        pytest.param("192.0.2.11", ["WEB"], id="address"),
        pytest.param("2001:DB8:0:0::11", ["WEB"], id="address in another spelling"),
        pytest.param("::ffff:192.0.2.11", ["WEB"], id="IPv4 inside IPv6"),
        pytest.param("[2001:db8::11]", ["WEB"], id="address in brackets"),
        pytest.param("2001:db8::11%eth0", ["WEB"], id="address with zone"),
        pytest.param("192.0.2.9", ["LAN"], id="block"),
        pytest.param("192.0.2.17", ["ROOM"], id="smallest block"),
        pytest.param("2001:db8::12", ["LAN"], id="IPv6 block"),
        pytest.param("192.0.3.1", [], id="address of no block"),
        pytest.param("web1:9100", ["WEB"], id="host and port"),
        pytest.param("web1.example.com:9100", ["WEB"], id="full name and port"),
        pytest.param("web1.elsewhere.example:9100", ["WEB"], id="first label and port"),
        pytest.param("192.0.2.11:9100", ["WEB"], id="address and port"),
        pytest.param("[2001:db8::11]:443", ["WEB"], id="IPv6 address and port"),
        pytest.param("192.0.2.18:161", ["ROOM"], id="block and port"),
        pytest.param("https://web1.example.com/path?x=1", ["WEB"], id="URL"),
        pytest.param("https://user:word@WEB1:8443", ["WEB"], id="URL with user and port"),
        pytest.param("http://[2001:db8::11]/x", ["WEB"], id="URL of an IPv6 address"),
        pytest.param("https://shop.example.com/health", ["ODD"], id="URL as alias"),
        pytest.param("https://shop.example.com/other", [], id="another URL there"),
        pytest.param("jdbc:one", ["DB"], id="alias with a colon"),
        pytest.param("bkp-12", ["BKP"], id="glob"),
        pytest.param("BKP-12:1556", ["BKP"], id="glob and port"),
        pytest.param("bkp-7", ["BKP7"], id="alias before glob"),
        pytest.param("bkp-7:1556", ["BKP7"], id="alias of the host before glob of the whole"),
        pytest.param("a.b.backup.example.com", ["BKP"], id="glob over several labels"),
        pytest.param("rack1.example.com", ["ODD"], id="one character"),
        pytest.param("rack12.example.com", [], id="two characters are not one"),
        pytest.param("shared", ["A0", "A1"], id="ambiguous alias"),
        pytest.param("twin-1", ["A0", "A1"], id="ambiguous glob"),
        pytest.param("twin-12", ["A1"], id="glob of one of them"),
        pytest.param("10.9.9.9", ["10.9.9.9"], id="reference before alias"),
        pytest.param("", [], id="empty"),
        pytest.param("  ", [], id="blank"),
        pytest.param("\ud800", [], id="half a surrogate pair"),
        pytest.param("nobody.example.com", [], id="unknown"),
    ],
)
def test_a_name_means_none_one_or_several(name: str, found: list[str]) -> None:
    assert references(SOME, name) == found


def test_equal_blocks_of_two_elements_are_ambiguous() -> None:
    both = fleet.build([element("B", "192.0.2.0/24"), element("A", "192.0.2.0/24"), element("C", "192.0.0.0/16")])
    assert references(both, "192.0.2.1") == ["A", "B"]


def test_a_glob_that_matches_everything_does_not_match_nothing() -> None:
    assert references(fleet.build([element("ALL", "*")]), "") == []


@given(st.text() | st.from_regex(r"[a-z0-9.:/@\[\]%-]{0,40}", fullmatch=True))
def test_any_text_can_be_looked_up(name: str) -> None:
    assert isinstance(SOME.resolve(name), tuple)


def test_a_block_of_ipv4_inside_ipv6_is_a_block_of_ipv4() -> None:
    mapped = fleet.build([element("M", "::ffff:192.0.2.0/120")])
    assert references(mapped, "192.0.2.9") == references(mapped, "::ffff:192.0.2.9") == ["M"]
    assert references(mapped, "192.0.3.9") == []


@given(st.ip_addresses().filter(lambda address: getattr(address, "ipv4_mapped", None) is None), st.data())
def test_the_smallest_block_around_an_address_decides(address: object, data: st.DataObject) -> None:
    width = ip_address(address).max_prefixlen
    lengths = data.draw(st.lists(st.integers(0, width), min_size=1, unique=True))
    blocks = [element(f"N{length}", str(ip_network(f"{address}/{length}", strict=False))) for length in lengths]
    assert references(fleet.build(blocks), str(address)) == [f"N{max(lengths)}"]


@given(st.text(min_size=1).map(str.strip).filter(bool))
def test_any_alias_is_indexed_and_finds_its_element(alias: str) -> None:
    assert references(fleet.build([element("A", alias)]), alias.replace("*", "any").replace("?", "1")) == ["A"]


@given(st.ip_addresses())
def test_every_spelling_of_an_address_is_one_key(address: object) -> None:
    found = ip_address(address)
    assert names.key(found.exploded.upper()) == names.key(str(found))


def test_get_wants_the_exact_reference() -> None:
    assert SOME.get("WEB") is SOME.resolve("web1")[0]
    assert SOME.get("web1") is None
    assert "WEB" in SOME
    assert "web1" not in SOME


def test_iteration_is_by_reference() -> None:
    assert [found.reference for found in SOME] == sorted(found.reference for found in SOME)
    assert len(SOME) == len(list(SOME))


def test_an_empty_fleet_knows_no_name() -> None:
    empty = fleet.build([])
    assert len(empty) == 0
    assert empty.resolve("192.0.2.1") == ()


def test_the_hash_names_the_content_whatever_the_order() -> None:
    one, other = element("A", "a"), element("B", "b")
    assert fleet.build([one, other]).hash == fleet.build([other, one]).hash
    assert fleet.build([one, other]).hash != fleet.build([one]).hash
    assert fleet.build([one]).hash != fleet.build([element("A", "x")]).hash


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        pytest.param([element("A"), element("A")], "twice", id="duplicate"),
        pytest.param([element("DF01"), element("B", parent="DF10")], 'unknown parent "DF10".*"DF01"', id="parent"),
        pytest.param([element("A", parent="A")], "circle, A → A:", id="own parent"),
        pytest.param(
            [element("A", parent="B"), element("B", parent="C"), element("C", parent="B")],
            "circle, B → C → B:",
            id="circle",
        ),
        pytest.param([element("A", "192.0.2.1/24")], "write 192.0.2.0/24", id="inside a block"),
        pytest.param([element("A", "192.0.2.0/33")], "no block", id="no block"),
    ],
)
def test_elements_that_do_not_fit_together_are_refused(elements: list[Element], words: str) -> None:
    with pytest.raises(RuleError, match=words):
        fleet.build(elements)


def test_a_long_chain_of_parents_is_no_circle() -> None:
    chain = [element(f"E{n}", parent=f"E{n - 1}" if n else None) for n in range(5000)]
    assert len(fleet.build(reversed(chain))) == 5000


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return folder


def test_yaml_and_tables_give_the_same_elements(tmp_path: Path) -> None:
    yaml, table = tmp_path / "yaml", tmp_path / "table"
    yaml.mkdir()
    table.mkdir()
    write(
        yaml,
        a_yaml="elements:\n  - {reference: S, name: Site, kind: site}\n  - reference: W\n    name: Wéb\n"
        "    kind: hardware\n    offer: O\n    site: Là\n    contract: C\n    criticality: vital\n    parent: S\n"
        "    aliases: [w1, w1.example.com]\n",
    )
    write(
        table,
        a_csv="reference,name,kind,offer,site,contract,criticality,parent,aliases\nS,Site,site,,,,,,\n"
        "W,Wéb,hardware,O,Là,C,vital,S,w1; w1.example.com\n",
    )
    loaded = fleet.load(yaml)
    assert loaded.hash == fleet.load(table).hash
    assert loaded.get("W") == Element(
        reference="W",
        name="Wéb",
        kind=ElementKind.HARDWARE,
        offer="O",
        site="Là",
        contract="C",
        criticality=Criticality.VITAL,
        parent="S",
        aliases=("w1", "w1.example.com"),
    )


def test_a_table_as_spreadsheets_save_it_is_read(tmp_path: Path) -> None:
    text = 'reference;name;aliases\r\n\r\nA;"Deux; lignes";"a1;a2"\r\n;;\r\nB;Bé;b1\r\n'
    (tmp_path / "park.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    loaded = fleet.load(tmp_path)
    assert [(found.name, found.aliases) for found in loaded] == [("Deux; lignes", ("a1", "a2")), ("Bé", ("b1",))]


def test_one_file_is_a_fleet_too(tmp_path: Path) -> None:
    write(tmp_path, a_csv="reference,name\nA,a\n")
    assert len(fleet.load(tmp_path / "a.csv")) == 1


def test_hidden_and_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, a_csv="reference,name\nA,a\n", README_md="# not for us")
    (tmp_path / ".b.yaml").write_text("half written", encoding="utf-8")
    (tmp_path / "old.yaml").mkdir()
    assert len(fleet.load(tmp_path)) == 1


GOOD = "elements:\n  - {reference: A, name: a}\n"


@pytest.mark.parametrize(
    ("files", "where", "words"),
    [
        pytest.param({"a_yaml": "elements:\n  - reference: A\n    nam: a\n"}, "a.yaml:3:5", '"name"', id="key"),
        pytest.param({"a_yaml": "elements: []\nelement: []\n"}, "a.yaml:2:1", '"elements"', id="top key"),
        pytest.param({"a_yaml": ""}, "a.yaml:1:1", "no list of elements", id="empty file"),
        pytest.param({"a_yaml": "elements: {}\n"}, "a.yaml:1:11", "not a list", id="no list"),
        pytest.param({"a_yaml": "elements: [x]\n"}, "a.yaml:1:12", "mapping", id="no mapping"),
        pytest.param({"a_yaml": "elements:\n  - {name: a}\n"}, "a.yaml:2:5", "needs a reference", id="no reference"),
        pytest.param({"a_yaml": "elements:\n  - {reference: A}\n"}, "a.yaml:2:5", "needs a name", id="no name"),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: ' ', name: a}\n"}, "a.yaml:2:6", "needs a reference", id="blank"
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A B, name: a}\n"}, "a.yaml:2:6", "blanks", id="blanks inside"
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: 12, name: a}\n"}, "a.yaml:2:6", "put it in quotes", id="number"
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - reference: A\n    name: a\n    site:\n"}, "a.yaml:4:5", "remove", id="null"
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A, name: a, kind: servce}\n"},
            "a.yaml:2:29",
            'did you mean "service"',
            id="kind",
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A, name: a, criticality: Vital}\n"},
            "a.yaml:2:29",
            "vital, high, normal, low",
            id="criticality",
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A, name: a, aliases: w1}\n"},
            "a.yaml:2:29",
            "not a list",
            id="aliases",
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A, name: a, aliases: ['']}\n"}, "a.yaml:2:29", "alias ''", id="alias"
        ),
        pytest.param(
            {"a_yaml": "elements:\n  - {reference: A, name: a, aliases: [x, 10.0.0.1/8]}\n"},
            "a.yaml:2:42",
            "write 10.0.0.0/8",
            id="block",
        ),
        pytest.param({"a_yaml": "elements: [\n"}, "a.yaml:2:1", "not valid YAML", id="syntax"),
        pytest.param(
            {"a_yaml": GOOD, "b_csv": "reference,name\nB,b\nA,a\n"}, "b.csv:3", "already at", id="duplicate reference"
        ),
        pytest.param(
            {"a_yaml": GOOD, "b_csv": "reference,name,parent\n\nB,b,AA\n"}, "b.csv:3", "unknown parent", id="parent"
        ),
        pytest.param(
            {"a_csv": "reference,name\nB,b\n", "b_yaml": "elements:\n  - {reference: A, name: a, parent: X}\n"},
            "b.yaml:2:37",
            "unknown parent",
            id="parent in YAML",
        ),
        pytest.param({"a_csv": "reference,nme\nA,a\n"}, "a.csv:1", 'did you mean "name"', id="heading"),
        pytest.param({"a_csv": "reference\nA\n"}, "a.csv:1", 'no column "name"', id="no heading"),
        pytest.param({"a_csv": "reference,name,name\nA,a,a\n"}, "a.csv:1", "same heading", id="heading twice"),
        pytest.param({"a_csv": ""}, "a.csv:1", "no column", id="empty table"),
        pytest.param({"a_csv": "reference,name\nA,a\nB\n"}, "a.csv:3", "1 cells under 2 headings", id="short row"),
        pytest.param({"a_csv": 'reference,name\nA,"a\nb"\nB,"b\n'}, "a.csv:4", "not valid CSV", id="open quote"),
        pytest.param({"a_csv": "reference,name,kind\nA,a,sit\n"}, "a.csv:2", '"site"', id="kind in a table"),
        pytest.param({"a_yml": GOOD}, "a.yml", "rename", id="yml"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(
    tmp_path: Path, files: dict[str, str], where: str, words: str
) -> None:
    with pytest.raises(RuleError) as caught:
        fleet.load(write(tmp_path, **files))
    assert str(caught.value).startswith(f"{tmp_path}/{where}: ")
    assert words in str(caught.value)


def test_a_table_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("reference,name\nA,Forêt\n".encode("cp1252"))
    with pytest.raises(RuleError, match=r"a\.csv:.*UTF-8"):
        fleet.load(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"nowhere: .*No such file"):
        fleet.load(tmp_path / "nowhere")


def test_texts_that_elements_share_are_in_memory_once(tmp_path: Path) -> None:
    write(tmp_path, a_csv="reference,name,offer,site,parent\nP,p,O ne,S ite,\nA,a,O ne,S ite,P\nB,b,O ne,S ite,P\n")
    loaded = fleet.load(tmp_path)
    a, b = loaded.resolve("A")[0], loaded.resolve("B")[0]
    assert a.offer is b.offer
    assert a.site is b.site
    assert a.parent is b.parent


def test_the_fields_described_are_those_of_an_element() -> None:
    assert tuple(fleet.FIELDS) == Element.__struct_fields__
    item = fleet.json_schema()["properties"]["elements"]["items"]
    assert tuple(item["properties"]) == Element.__struct_fields__


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("vfcanubkpm01", "DF00J1BKP1"),
        ("DO000J1ADE", "DO000J1ADE"),
        ("web1.example.com:9100", "DF00WEB001"),
        ("rt-lyon-1", "DN00RTLY01"),
        ("198.51.100.130", "DN00WFLY01"),
        ("bkp-3.example.com", "DF00J1BKP2"),
    ],
)
def test_the_example_fleet_answers(name: str, reference: str) -> None:
    assert references(fleet.load(EXAMPLE), name) == [reference]


def test_the_example_fleet_has_no_ambiguous_alias() -> None:
    example = fleet.load(EXAMPLE)
    aliases = [alias for found in example for alias in found.aliases if "/" not in alias and not names.is_glob(alias)]
    assert [alias for alias in aliases if len(example.resolve(alias)) != 1] == []
