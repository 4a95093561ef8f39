"""Find components by kind and name among the plug-ins, and say what was searched when there is none."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from plx_core.errors import AmbiguousComponent, PluginError, UnknownComponent, did_you_mean
from plx_core.hookspecs import KINDS, Factory
from plx_core.plugins.discovery import Plugin, Plugins

SINGULAR = (
    {kind: kind[:-1] for kind in KINDS}
    | {"losses": "loss", "memories": "memory", "activations": "activation"}
    | {"commands": "command", "dynamics": "dynamics"}
)
INSTALL_HINTS = {
    "plx-layers": ("layers", "losses", "optimizers", "metrics", "schedules", "initializers", "regularizers", "constraints",
                   "activations", "models", "bridges"),
    "plx-rl": ("explorations", "memories", "environments", "dynamics", "wrappers", "agents"),
    "plx-pipelines": ("pipelines", "datasets"),
}  # fmt: skip
"""Which of our own distributions offers a kind: the hint for someone who installed the core alone."""


@frozen
class Entry:
    """A component that a plug-in offers."""

    kind: str
    name: str
    plugin: Plugin
    target: Factory | str

    @property
    def qualified_name(self) -> str:
        """The name that no other plug-in can claim."""
        return f"{self.plugin.name}/{self.name}"

    def load(self) -> Factory:
        """Import the factory.

        Raises:
            PluginError: it cannot be imported, or is not callable.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            factory = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # the import runs a stranger's code: name whose it is
            raise PluginError(
                f"{SINGULAR[self.kind]} {self.name} of plug-in {self.plugin.name} ({self.plugin.origin}) "
                f"cannot be loaded from {self.target}: {type(error).__name__}: {error}"
            ) from error
        if not callable(factory):
            raise PluginError(
                f"{SINGULAR[self.kind]} {self.name} of plug-in {self.plugin.name}: {self.target} is not callable"
            )
        return factory  # type: ignore[no-any-return]


@define
class Registry:
    """The components that a set of plug-ins offers; collected kind by kind, on first use."""

    plugins: Plugins
    _entries: dict[str, list[Entry]] = field(factory=dict, init=False)
    _aliases: dict[str, dict[str, dict[str, str]]] | None = field(default=None, init=False)
    _parameters: dict[str, Mapping[str, Mapping[str, Mapping[str, str]]]] | None = field(
        default=None, init=False
    )

    def entries(self, kind: str) -> list[Entry]:
        """Every component of a kind, sorted by name."""
        if kind not in KINDS:
            raise UnknownComponent(
                f"there is no kind {kind}{did_you_mean(kind, KINDS)}; the kinds are {', '.join(KINDS)}"
            )
        if kind not in self._entries:
            self._entries[kind] = sorted(
                self._collect(kind), key=lambda entry: (entry.name.lower(), entry.plugin.name)
            )
        return self._entries[kind]

    def find(self, kind: str, name: str) -> Entry:
        """The component of this kind and name.

        The name is tried exactly, then through the aliases of each plug-in, then ignoring case and underscores.
        `plugin/Name` asks one plug-in only.

        Raises:
            UnknownComponent: there is none.
            AmbiguousComponent: two plug-ins offer it.
        """
        plugin, _, bare = name.rpartition("/")
        entries = [
            entry
            for entry in self.entries(kind)
            if plugin in ("", entry.plugin.name, entry.plugin.distribution)
        ]
        folded = _fold(bare)
        tests: tuple[Callable[[Entry], bool], ...] = (
            lambda entry: entry.name == bare,
            lambda entry: self._aliases_of(entry).get(bare) == entry.name,
            lambda entry: _fold(entry.name) == folded,
            lambda entry: any(
                _fold(alias) == folded and target == entry.name
                for alias, target in self._aliases_of(entry).items()
            ),
        )
        for test in tests:
            matches = [entry for entry in entries if test(entry)]
            if len(matches) > 1:
                raise AmbiguousComponent(_ambiguous(kind, bare, matches))
            if matches:
                return matches[0]
        raise UnknownComponent(self._unknown(kind, name))

    def commands(self, group: str = "") -> list[Entry]:
        """What plug-ins add to a group of the command line: `""` is `plx` itself, `"data"` is `plx data`; sorted by name."""
        found = [
            entry for entry in self._collect("commands") if entry.name.rpartition(" ")[0] == group
        ]
        return sorted(found, key=lambda entry: (entry.name, entry.plugin.name))

    def find_command(self, group: str, name: str) -> Entry | None:
        """The command of this name in a group; `plugin/name` asks one plug-in only.

        Raises:
            AmbiguousComponent: two plug-ins offer it.
        """
        plugin, _, bare = name.rpartition("/")
        entries = [
            entry
            for entry in self.commands(group)
            if plugin in ("", entry.plugin.name, entry.plugin.distribution)
        ]
        matches = [entry for entry in entries if entry.name.rpartition(" ")[2] == bare]
        if len(matches) > 1:
            raise AmbiguousComponent(
                _ambiguous("commands", bare, [evolve(match, name=bare) for match in matches])
            )
        return matches[0] if matches else None

    def aliases(self, entry: Entry) -> list[str]:
        """The further names of a component."""
        return sorted(
            alias for alias, name in self._aliases_of(entry).items() if name == entry.name
        )

    def older_parameters(self, entry: Entry) -> dict[str, str]:
        """What a component's parameters were called, with what they are called now, whether or not it has them."""
        if self._parameters is None:
            self._parameters = {
                plugin.name: mapping
                for plugin, mapping in self._call_hook("provide_parameter_aliases")
            }
        of_kind = self._parameters.get(entry.plugin.name, {}).get(entry.kind, {})
        return {**of_kind.get("*", {}), **of_kind.get(entry.name, {})}

    def examples(self, plugin: str) -> Mapping[str, Mapping[str, Any]]:
        """What a plug-in says of how its parts are tried, by kind and name."""
        return next(
            (
                mapping
                for source, mapping in self._call_hook("provide_examples")
                if source.name == plugin
            ),
            {},
        )

    def _aliases_of(self, entry: Entry) -> Mapping[str, str]:
        if self._aliases is None:
            self._aliases = {}
            for plugin, mapping in self._call_hook("provide_aliases"):
                self._aliases[plugin.name] = {kind: dict(names) for kind, names in mapping.items()}
        return self._aliases.get(entry.plugin.name, {}).get(entry.kind, {})

    def _collect(self, kind: str) -> Iterator[Entry]:
        for plugin, mapping in self._call_hook(f"provide_{kind}"):
            for name, target in mapping.items():
                yield Entry(kind, name, plugin, target)

    def _call_hook(self, hook: str) -> Iterator[tuple[Plugin, Mapping[str, Any]]]:
        # One by one, where pluggy would call all in a chain, so that a hook that raises is named and harms no other.
        for implementation in getattr(self.plugins.manager.hook, hook).get_hookimpls():
            plugin = self.plugins.plugins[implementation.plugin_name]
            try:
                mapping = implementation.function()
                if not isinstance(mapping, Mapping):
                    raise TypeError(
                        f"a hook returns a mapping of names, this one returned {type(mapping).__name__}"
                    )
            except Exception as error:
                self.plugins.mark_broken(
                    plugin.name, f"{hook} failed: {type(error).__name__}: {error}"
                )
                continue
            yield plugin, mapping

    def _unknown(self, kind: str, name: str) -> str:
        names = [entry.name for entry in self.entries(kind)]
        searched = [plugin.name for plugin in self.plugins.plugins.values() if not plugin.error]
        parts = [f"there is no {SINGULAR[kind]} called {name}{did_you_mean(name, names)}"]
        parts.append(
            f"searched the plug-ins {', '.join(searched)}"
            if searched
            else "no plug-in is installed"
        )
        parts += [
            f"plug-in {plugin.name} ({plugin.origin}) is broken: {plugin.error}"
            for plugin in self.plugins.broken
        ]
        installed = {plugin.distribution for plugin in self.plugins.plugins.values()}
        parts += [
            f"pip install {package} offers {kind}"
            for package, kinds in INSTALL_HINTS.items()
            if kind in kinds and package not in installed
        ]
        return "; ".join(parts)


def _fold(name: str) -> str:
    return name.lower().replace("_", "")


def _ambiguous(kind: str, name: str, matches: list[Entry]) -> str:
    origins = " and ".join(f"{entry.qualified_name} ({entry.plugin.origin})" for entry in matches)
    return f"{SINGULAR[kind]} {name} is offered by {origins}; write one of these in full"
