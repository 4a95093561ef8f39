"""What all tests share."""

import gc
import json
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import settings

# Time is not what property tests are about, and machines differ; in CI a failure has to come again when it is looked for.
settings.register_profile("plx", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("plx")


def pytest_collection_modifyitems(items):
    """Put the files with slow tests first: the workers, which take file after file, then end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Let the collector of garbage leave out what has been imported: TensorFlow's half a million objects cost it a tenth of the time."""
    gc.collect()
    gc.freeze()


if "plx_layers" not in entry_points(group="plx").names:
    # The other distributions need layers and losses to be offered, and not by plx_layers: a small plug-in offers Keras's, as a folder of
    # installed packages, here and in the processes that tests start.
    stand_in = str(Path(__file__).parent / "stand_in")
    sys.path.append(stand_in)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (os.environ.get("PYTHONPATH"), stand_in))
    )


SHARED = Path(os.environ.get("PLX_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True)
def no_curves(request):
    """Draw no curves at the end of runs in this process: it takes as long as many steps.

    A test that needs them is marked `curves`.
    """
    if request.node.get_closest_marker("curves"):
        yield
        return
    with patch("plx_core.runs.plot.draw_run", return_value=None):
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with scikit-learn's digits, as `plx data digits` prepares them."""
    pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
    from plx_pipelines.datasets.digits import prepare

    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist(tmp_path_factory, shared):
    """A folder with 10,000 images of MNIST, 2,000 of them held out, as `plx data mnist --source` prepares them."""
    source = shared("mnist-10k")
    from plx_pipelines.datasets.mnist import prepare

    folder = tmp_path_factory.mktemp("data") / "mnist"
    prepare(str(folder), str(source))
    return folder


@pytest.fixture(scope="session")
def blobs():
    """Two classes of points in four dimensions: float32 [96, 4] and int64 [96]."""
    rng = np.random.default_rng(3)
    labels = np.arange(96) % 2
    return (rng.normal(size=(96, 4)) + labels[:, None] * 1.5).astype("float32"), labels


@pytest.fixture(scope="session")
def shared():
    """The folder of a shared data set by its name; the test is skipped where it is absent."""

    def find(name):
        folder = SHARED / name
        if not folder.exists():
            pytest.skip(f"there is no {folder}; PLX_TEST_DATA names the folder that holds {name}")
        return folder

    return find


@pytest.fixture(scope="session")
def validator(tmp_path_factory):
    """Holds a file against the JSON Schema of all that is installed."""
    jsonschema = pytest.importorskip("jsonschema")
    from plx_core.components.schema_cache import Signatures
    from plx_core.config.editor_schema import editor_schema
    from plx_core.plugins.discovery import load_plugins
    from plx_core.plugins.registry import Registry

    schema = editor_schema(
        Registry(load_plugins()), Signatures(tmp_path_factory.mktemp("cache") / "signatures.json")
    )
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(json.loads(json.dumps(schema)))
