"""Rows of CSV and Parquet files."""

import gzip

import numpy as np
import pytest
from tests.contract import batches_of, check_pipeline

from plx_core.errors import CorruptData, DataError
from plx_pipelines.pipelines.tables import TablePipeline
from plx_pipelines.text.vocabularies import Vocabulary

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow reads tables")
COUNT = 21
COLUMNS = {
    "number": list(range(COUNT)),
    "height": [number / 2 for number in range(COUNT)],
    "colour": [["red", "green", "blue"][number % 3] for number in range(COUNT)],
    "label": [number % 2 for number in range(COUNT)],
}


def csv(rows=slice(None), delimiter=","):
    lines = zip(*(values[rows] for values in COLUMNS.values()), strict=True)
    return "\n".join(delimiter.join(map(str, line)) for line in [tuple(COLUMNS), *lines]) + "\n"


@pytest.fixture(params=["csv", "two csv", "tsv", "csv.gz", "semicolon", "parquet"])
def table(request, tmp_path):
    """The same rows in several forms."""
    if request.param == "parquet":
        from pyarrow import parquet

        parquet.write_table(pyarrow.table(COLUMNS), tmp_path / "x.parquet")
        return {"data_files": str(tmp_path / "x.parquet")}
    if request.param == "two csv":
        (tmp_path / "a.csv").write_text(csv(slice(0, 5)))
        (tmp_path / "b.csv").write_text(csv(slice(5, None)))
        return {"data_files": [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]}
    name = {"semicolon": "x.csv"}.get(request.param, f"x.{request.param}")
    delimiter = {"semicolon": ";", "tsv": "\t"}.get(request.param, ",")
    content = csv(delimiter=delimiter).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return {"data_files": str(tmp_path / name)} | (
        {"delimiter": ";"} if request.param == "semicolon" else {}
    )


def test_values_order_and_resume(table):
    def make(**order):
        return TablePipeline(**table, labels="label", **order)

    check_pipeline(make, lambda batch: batch[0]["number"], range(COUNT))
    ((features, labels),) = batches_of(make(mode="eval"))
    assert set(features) == {"colour", "height", "number"}
    assert features["height"].tolist() == COLUMNS["height"]
    assert [colour.decode() for colour in features["colour"]] == COLUMNS["colour"]
    assert labels["label"].tolist() == COLUMNS["label"]


def test_groups_and_categories(tmp_path):
    (tmp_path / "x.csv").write_text(csv())
    Vocabulary(["blue", "green", "red"]).save(tmp_path / "colours.txt")
    pipeline = TablePipeline(
        str(tmp_path / "x.csv"),
        features={"x": ["height", "colour"]},
        labels="label",
        vocabularies={"colour": str(tmp_path / "colours.txt")},
        mode="eval",
    )
    assert tuple(pipeline.element_spec[0]["x"].shape) == (None, 2)
    ((features, _),) = batches_of(pipeline)
    np.testing.assert_array_equal(
        features["x"],
        np.stack(
            [
                COLUMNS["height"],
                [(2 - number % 3) if number % 3 != 1 else 1 for number in range(COUNT)],
            ],
            1,
        ),
    )


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"labels": "lable"}, "has no column lable; did you mean label"),
        ({"features": ["heigth"]}, "has no column heigth; did you mean height"),
        (
            {"features": {"x": ["height", "colour"]}},
            "column colour holds strings; only columns of numbers can be stacked into a feature",
        ),
        (
            {"vocabularies": {"colour": "colours.txt"}},
            "column colour has 'green' in row 2, which is not in its vocabulary; nor is",
        ),
    ],
)
def test_columns_that_are_wrong(tmp_path, monkeypatch, parameters, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text(csv())
    Vocabulary(["red"]).save(tmp_path / "colours.txt")
    with pytest.raises(DataError, match=message):
        TablePipeline("x.csv", **parameters)


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            "x.csv",
            "a,b\n1,2\n3,\n",
            "column b has no value in row 2; values missing from this column: 1",
        ),
        ("x.csv", "a,b\n1,2\n3\n", "cannot be read as a table"),
        ("x.parquet", "not parquet", "cannot be read as a table"),
        ("x.csv", "a,b\n", "no examples"),
    ],
)
def test_files_that_are_wrong(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        TablePipeline(str(tmp_path / name))


def test_corrupt_rows_are_skipped_and_counted(tmp_path):
    (tmp_path / "x.csv").write_text("a,b,c\n1,2,3\n4,5\n6,,\n7,8,\n9,8,7\n1,2,3,4\n")
    path = str(tmp_path / "x.csv")
    pipeline = TablePipeline(path, features=["a", "b"], on_corrupt="skip", mode="eval")
    ((features, _),) = batches_of(pipeline)
    assert features["a"].tolist() == [1, 7, 9]
    assert pipeline.counters() == {"corrupt_rows": 3}
    with pytest.raises(
        CorruptData,
        match=r"x\.csv: row 3 has 2 values, and there are 3 columns; "
        r"3 are more than corrupt_budget: 2",
    ):
        TablePipeline(path, features=["a", "b"], on_corrupt="skip", corrupt_budget=2)
    counters = TablePipeline(path, features=["a"], on_corrupt="skip").counters()
    assert counters == {"corrupt_rows": 2}


def test_files_with_different_columns(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("b\n1\n")
    with pytest.raises(DataError, match="has the columns b, but .* has a"):
        TablePipeline(str(tmp_path / "*.csv"))
