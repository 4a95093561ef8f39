"""Fifty generated plug-ins, six of them broken in different ways: each fault is named, and configs that need none of these run."""

import os
import subprocess
import sys

import pytest

from .many import BROKEN, write_many

CONFIG = """
version: 1
model: {regressor: {graph: {layers: [PartXXScale: {initial: 2.0}, Dense: {units: 1}]}}}
train: {train_steps: 2, data_pipeline: {TablePipeline: {data_files: a.csv, features: {x: [a]}, labels: b, batch_size: 2}}}
"""
FAULTS = {
    "plx_part03": "broken: cannot be imported: SyntaxError:",
    "plx_part11": "broken: cannot be imported: ModuleNotFoundError: No module named 'a_package_that_is_missing'",
    "plx_part19": "broken: has a hook that plx does not know, provide_layer; did you mean provide_layers?",
    "plx_part28": "broken: two plug-ins are called plx_part28: plx-part27 0.1.0 and plx-part28 0.1.0; uninstall one",
    "plx_part35": "1 layer; slow: takes 0.",
    "plx_part43": "broken: was written for version 2 of the hooks; this plx_core has version 1: install versions of the two that match",
}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    site = write_many(folder)
    (folder / "a.csv").write_text("a,b\n1,2\n2,3\n3,4\n")

    def run(*words):
        paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        environ = {
            **os.environ, "PYTHONPATH": paths, "PLX_CACHE_DIR": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "400",
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    run.folder = folder
    return run


def test_each_fault_is_named(many):
    answer = many("-m", "plx_core", "plugins")
    assert answer.returncode == 0
    listing = " ".join(answer.stdout.split())
    for name, fault in FAULTS.items():
        assert f"{name} " in listing
        assert fault in listing, answer.stdout
    assert listing.count("broken: ") == len(BROKEN) - 1
    assert listing.count("0.1.0 1 layer") == 50 - (len(BROKEN) - 1)  # the slow one works


@pytest.mark.slow
def test_a_config_that_needs_none_of_them_runs(many):
    (many.folder / "good.yml").write_text(CONFIG.replace("XX", "05"))
    answer = many("-m", "plx_core", "run", "good.yml")
    assert answer.returncode == 0, answer.stderr


def test_a_config_that_needs_a_broken_one_is_told_which(many):
    (many.folder / "bad.yml").write_text(CONFIG.replace("XX", "11"))
    answer = many("-m", "plx_core", "check", "bad.yml")
    assert answer.returncode == 2
    assert "there is no layer called Part11Scale" in answer.stderr
    assert (
        "plug-in plx_part11 (plx-part11 0.1.0) is broken: cannot be imported: ModuleNotFoundError"
        in answer.stderr
    )


def test_listing_them_imports_none_of_their_parts(many):
    program = """
import sys
from plx_core.cli.main import main
main(["components", "layers"], standalone_mode=False)
print([name for name in sys.modules if name.startswith("plx_part") and not name.endswith(("plugin", name[:10]))], "tensorflow" in sys.modules)
"""
    answer = many("-c", program)
    assert answer.stdout.splitlines()[-1] == "[] False"
    assert "Part05Scale" in answer.stdout
