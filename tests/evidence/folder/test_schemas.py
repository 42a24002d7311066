"""What editors are told agrees with what the loader does, and the guide leaves nothing out."""

from __future__ import annotations

import json
import tomllib

import frictionless
import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.cli import cli
from evidence.facts.appraisal import tools
from evidence.facts.reference import keyed
from evidence.folder import schemas, sheet
from evidence.folder.guide import guide
from evidence.folder.layout import FILES
from evidence.folder.options import options_of
from evidence.folder.protocol import PROTOCOL_KEYS, REVIEW_KEYS
from evidence.review import bundled
from evidence.system.resources import template_directory

SCHEMA = schemas.review_schema()
FOLDERS = [*bundled().values(), template_directory()]


def says_right(content) -> bool:
    return jsonschema.Draft7Validator(SCHEMA).is_valid(content)


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_review_that_builds_is_right_by_the_schemas(folder):
    content = tomllib.loads((folder / "review.toml").read_text(encoding="utf-8"))
    jsonschema.validate(content, SCHEMA, jsonschema.Draft7Validator)
    package = schemas.data_package(folder)
    assert package["resources"]
    report = frictionless.Package.from_descriptor(package, basepath=str(folder)).validate()
    assert report.valid, report.flatten(["title", "fieldName", "note"])[:5]


VALUES = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-3, 3, allow_nan=False).map(lambda x: x + 0.25),
    st.sampled_from(
        [
            "MD",
            "XX",
            "pairwise",
            "network",
            "REML",
            "exact",
            "both",
            "d",
            "combine",
            "last",
            "all outcomes",
            "",
        ]
    ),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x"]), max_size=1),
)


@settings(max_examples=400, deadline=None)
@given(option=st.sampled_from(list(options_of(planned=True))), value=VALUES)
def test_a_setting_is_refused_by_the_schema_where_the_loader_refuses_it(option, value):
    accepted = option.fits(value) and option.refusal(value) is None
    if option.name == "measure":
        accepted = accepted and value in schemas.values(
            schemas.Column("measure", references="effect_measure")
        )
    elif option.typed is str and not option.choices and option.name != "absolute":
        # A text with a rule of its own (a time, a prior, a condition), which a schema cannot express.
        accepted = option.fits(value)
    assert says_right({"title": "t", "protocol": {"analysis": [{option.name: value}]}}) == accepted


@pytest.mark.parametrize(
    ("content", "right"),
    [
        ({"title": "t"}, True),
        ({"title": ""}, False),
        ({"question": "q"}, False),
        ({"title": "t", "titel": "t"}, False),
        ({"title": "t", "synthetic": "yes"}, False),
        ({"title": "t", "expected": {"studies": 3}}, True),
        ({"title": "t", "expected": {"study": 3}}, False),
        ({"title": "t", "expected": {"studies": -1}}, False),
        ({"title": "t", "variables": {"missing": ["-99", 9]}}, True),
        ({"title": "t", "variables": {"species": "numerical"}}, False),
        ({"title": "t", "variables": {"age": {"type": "numeric", "missing": []}}}, True),
        ({"title": "t", "protocol": {"bayes": True}}, False),
        ({"title": "t", "protocol": {"analysis": [{"subgruop": "sex"}]}}, False),
        ({"title": "t", "protocol": {"figure": [{"number": "1"}]}}, False),
    ],
)
def test_keys_are_refused_where_the_loader_refuses_them(content, right, review_folder):
    from evidence.errors import ReviewError
    from evidence.review import read

    assert says_right(content) == right
    folder = review_folder({"review.toml": _toml(content)})
    try:
        read(folder)
    except ReviewError as error:
        told = [problem for problem in error.problems if problem.file == "review.toml"]
    else:
        told = []
    # That the small review has other numbers of rows, or no column age, no schema can know.
    assert (
        bool([p for p in told if "says that" not in p.message and "which no file has" not in p.message])
        != right
    )


def _toml(content) -> str:
    def value(thing) -> str:
        if isinstance(thing, dict):
            return "{" + ", ".join(f"{key} = {value(inner)}" for key, inner in thing.items()) + "}"
        return "[" + ", ".join(map(value, thing)) + "]" if isinstance(thing, list) else json.dumps(thing)

    return "".join(f"{key} = {value(thing)}\n" for key, thing in content.items())


COLUMNS = [(file, column) for file in FILES for column in file.columns]
CELLS = st.one_of(
    st.sampled_from(
        ["0", "1", "-1", "0.5", "2019", "1799", "3,4", "24 h", ">3000", "true", "no", "maybe", "2022-11-16", "16/11/2022",
         "active", "sham", "binary", "OR", "XX", "U/L", "u/l", "h", "SYRCLE", "Syrcle", "include", "NR", "text", "1e3"]
    ),
    st.integers(-5, 3000).map(str),
    st.floats(-100, 100).map(lambda x: f"{x:.3f}"),
)  # fmt: skip


def _fields() -> dict[tuple[str, str], frictionless.Field]:
    found = {}
    for file in FILES:
        described = schemas._table_schema(file, [column.name for column in file.columns], {}, {})
        for field in frictionless.Schema.from_descriptor(described).fields:
            found[file.name, field.name] = field
    return found


FIELDS = _fields()


@settings(max_examples=800, deadline=None)
@given(which=st.sampled_from(COLUMNS), cell=CELLS)
def test_a_cell_is_refused_by_the_table_schema_where_the_loader_refuses_it(which, cell):
    file, column = which
    _, notes = FIELDS[file.name, column.name].read_cell(cell)
    known = schemas.values(column)
    if cell in keyed("missing_code"):
        return  # In Frictionless a missing value is one in all columns of a file.
    try:
        value = sheet._READERS[column.type](cell, column)
        accepted = not (known and value not in known)
    except sheet._UnreadableError:
        accepted = False
    if column.above is not None and cell in ("0", "0.000", "-0.000"):
        return  # Frictionless has no bound that is not one of the values.
    if column.below is not None and cell in ("1", "1.000"):
        return
    if column.past and not accepted and not notes and ("2" + cell[1:4]) == cell[:4]:
        return  # A schema that is written down does not know what year it is when it is read.
    if column.type == "integer" and (cell == "1e3" or cell.rstrip("0").endswith(".")):
        return  # 3.000 and 1e3 are whole numbers to the loader, and none to Frictionless.
    assert bool(notes) != accepted, (file.name, column.name, cell, notes)


def test_the_guide_names_every_key_column_tool_item_judgement_unit_and_box():
    text = guide()
    for key in (*REVIEW_KEYS, *PROTOCOL_KEYS, *(option.name for option in options_of(planned=True))):
        assert f"\n| {key} |" in text, key
    for option in options_of(planned=True):
        assert all(choice in text for choice in option.choices), option.name
    parts = {part.split("\n", 1)[0]: part for part in text.split("\n## ")[1:]}
    for file in FILES:
        for column in file.columns:
            line = next(
                line for line in parts[file.name].splitlines() if line.startswith(f"| {column.name} |")
            )
            assert len(line.split(" | ")[2]) > 5, line
            assert all(value in line for value in column.allowed), line
            assert "required" in line or not column.required, line
    for tool in tools().values():
        (line,) = [line for line in parts["tools"].splitlines() if line.startswith(f"| {tool.tool} |")]
        assert all(judgement in line for judgement in tool.answers)
        assert all(item in line for item in tool.items)
    assert all(unit in parts["units"] for unit in keyed("unit"))
    assert all(box in parts["boxes"] for box in keyed("prisma_box"))
    assert " in review.toml" not in parts["review.toml"]
    for link in ("measures", "tools", "units", "boxes"):
        assert f"(#{link})" in text
        assert link in parts


def test_describe_writes_what_helps_and_leaves_a_readme_of_ones_own(review_folder):
    folder = review_folder()
    (folder / "README.md").write_text("# Ours\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["describe", str(folder)])
    assert done.exit_code == 0, done.output
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Ours\n"
    assert json.loads((folder / "review.schema.json").read_text(encoding="utf-8")) == SCHEMA
    assert "#:schema ./review.schema.json" in done.output
    names = [one["path"] for one in json.loads((folder / "datapackage.json").read_text("utf-8"))["resources"]]
    assert "arms.csv" in names
    (folder / "README.md").unlink()
    assert CliRunner().invoke(cli, ["describe", str(folder)]).exit_code == 0
    assert (folder / "README.md").read_text(encoding="utf-8") == guide()
    assert (
        CliRunner().invoke(cli, ["build", str(folder), "-o", str(folder.parent / "x.duckdb")]).exit_code == 0
    )


def test_a_units_and_a_tool_of_ones_own_are_right(tmp_path):
    (tmp_path / "units.csv").write_text("unit,dimension,factor\nspoon,volume,15\n", encoding="utf-8")
    (tmp_path / "outcomes.csv").write_text("outcome,kind,unit\no,continuous,spoon\n", encoding="utf-8")
    package = schemas.data_package(tmp_path)
    assert frictionless.Package.from_descriptor(package, basepath=str(tmp_path)).validate().valid
