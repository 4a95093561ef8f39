"""What all tests share."""

import os

from hypothesis import settings

# Time is not what property tests are about, and machines differ; in CI a failure has to come again when it is looked for.
settings.register_profile("plx", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("plx")
