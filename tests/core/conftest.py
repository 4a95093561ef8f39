"""What the tests of the engine share."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def blobs():
    """Two classes of points in four dimensions: float32 [96, 4] and int64 [96]."""
    rng = np.random.default_rng(3)
    labels = np.arange(96) % 2
    return (rng.normal(size=(96, 4)) + labels[:, None] * 1.5).astype("float32"), labels
