"""A plug-in whose dependency is not there."""

import a_package_that_is_not_installed  # noqa: F401
