"""Adds to the dependencies of this package the plx-core of its own version."""

from hatchling.metadata.plugin.interface import MetadataHookInterface


class RequireCore(MetadataHookInterface):
    """Complete `dependencies`, which pyproject.toml lists without plx-core."""

    def update(self, metadata: dict[str, object]) -> None:
        """Set `dependencies`; `~=0.1.0` allows 0.1.1 and refuses 0.2."""
        core = f"plx-core~={metadata['version']}"
        metadata["dependencies"] = [core, *self.config["dependencies"]]
