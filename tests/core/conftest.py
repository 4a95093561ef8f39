"""What the tests of the engine share: prepared data, and small estimators."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with scikit-learn's digits, as `plx data digits` prepares them."""
    pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
    from plx_pipelines.datasets.digits import prepare

    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist(tmp_path_factory):
    """A folder with 10,000 images of MNIST, 2,000 of them held out, as `plx data mnist --source` prepares them."""
    shared = Path(os.environ.get("PLX_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "mnist-10k"
    if not shared.is_dir():
        pytest.skip(f"there is no {shared}; PLX_TEST_DATA names the folder that holds mnist-10k")
    from plx_pipelines.datasets.mnist import prepare

    folder = tmp_path_factory.mktemp("data") / "mnist"
    prepare(str(folder), str(shared))
    return folder


@pytest.fixture(scope="session")
def blobs():
    """Two classes of points in four dimensions: float32 [96, 4] and int64 [96]."""
    rng = np.random.default_rng(3)
    labels = np.arange(96) % 2
    return (rng.normal(size=(96, 4)) + labels[:, None] * 1.5).astype("float32"), labels
