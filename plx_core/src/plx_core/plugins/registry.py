"""Find components by kind and name among the plug-ins, and explain which plug-ins were searched."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from plx_core.errors import AmbiguousComponent, PluginError, UnknownComponent, did_you_mean
from plx_core.hookspecs import KINDS, Factory
from plx_core.plugins.discovery import DISABLE_VARIABLE, HOOKS, Plugin, Plugins

SINGULAR = (
    {kind: kind[:-1] for kind in KINDS}
    | {"losses": "loss", "memories": "memory", "activations": "activation"}
    | {"commands": "command", "dynamics": "dynamics", "sections": "section"}
)
INSTALL_HINTS = {
    "plx-layers": ("layers", "losses", "optimizers", "metrics", "schedules", "initializers",
                   "regularizers", "constraints", "activations", "models", "bridges"),
    "plx-rl": ("explorations", "memories", "environments", "dynamics", "wrappers", "agents"),
    "plx-pipelines": ("pipelines", "datasets"),
}  # fmt: skip
"""The kinds that each of our own distributions offers, for users who installed only the core."""


HOOKS_BY_KIND = frozenset({"provide_aliases", "provide_parameter_aliases", "provide_examples"})
"""The hooks whose mapping has kinds as keys."""


@frozen
class Entry:
    """A component that a plug-in offers.

    Args:
        kind: the kind of component.
        name: the name under which the plug-in offers it.
        plugin: the plug-in.
        target: the factory, or the string `"module:attribute"` that says where it is.
    """

    kind: str
    name: str
    plugin: Plugin
    target: Factory | str

    @property
    def qualified_name(self) -> str:
        """The unambiguous name, `plugin/Name`."""
        return f"{self.plugin.name}/{self.name}"

    @property
    def label(self) -> str:
        """The kind and the name, such as `layer Dense`."""
        return f"{SINGULAR[self.kind]} {self.name}"

    def load(self) -> Factory:
        """Import the factory.

        Raises:
            PluginError: it cannot be imported, or is not callable.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            factory: Factory = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:  # the import runs foreign code: say whose
            raise PluginError(
                f"{self.label} of plug-in {self.plugin.name} "
                f"({self.plugin.origin}) cannot be loaded from {self.target}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not callable(factory):
            raise PluginError(
                f"{self.label} of plug-in {self.plugin.name}: {self.target} is not callable"
            )
        return factory


@define
class Registry:
    """The components of a set of plug-ins, collected kind by kind on first use."""

    plugins: Plugins
    _entries: dict[str, list[Entry]] = field(factory=dict, init=False)
    _found: dict[tuple[str, str], Entry] = field(factory=dict, init=False)
    _aliases: dict[str, dict[str, dict[str, str]]] | None = field(default=None, init=False)
    _parameters: dict[str, Mapping[str, Mapping[str, Mapping[str, str]]]] | None = field(
        default=None, init=False
    )

    def entries(self, kind: str) -> list[Entry]:
        """Return every component of a kind, sorted by name."""
        if kind not in KINDS:
            raise UnknownComponent(
                f"there is no kind {kind}{did_you_mean(kind, KINDS)} (there are {', '.join(KINDS)})"
            )
        if kind not in self._entries:
            self._entries[kind] = sorted(
                self._collect(kind), key=lambda entry: (entry.name.lower(), entry.plugin.name)
            )
        return self._entries[kind]

    def find(self, kind: str, name: str) -> Entry:
        """Return the component of this kind and name.

        The name is matched exactly, then against the aliases of each plug-in, then ignoring case
        and underscores. `plugin/Name` searches only one plug-in.

        Raises:
            UnknownComponent: no plug-in offers it.
            AmbiguousComponent: two plug-ins offer it.
        """
        if (kind, name) not in self._found:
            self._found[kind, name] = self._find(kind, name)
        return self._found[kind, name]

    def _find(self, kind: str, name: str) -> Entry:
        plugin, _, bare = name.rpartition("/")
        entries = _offered_by(plugin, self.entries(kind))
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
        """Return the commands that plug-ins add to a group, sorted by name.

        Args:
            group: `""` is `plx` itself, `"data"` is `plx data`.
        """
        entries = self._collect("commands")
        return sorted(
            (entry for entry in entries if entry.name.rpartition(" ")[0] == group),
            key=lambda entry: (entry.name, entry.plugin.name),
        )

    def find_command(self, group: str, name: str) -> Entry | None:
        """Return the command of this name in a group; `plugin/name` searches only one plug-in.

        Raises:
            AmbiguousComponent: two plug-ins offer it.
        """
        plugin, _, bare = name.rpartition("/")
        entries = _offered_by(plugin, self.commands(group))
        matches = [entry for entry in entries if entry.name.rpartition(" ")[2] == bare]
        if len(matches) > 1:
            raise AmbiguousComponent(
                _ambiguous("commands", bare, [evolve(match, name=bare) for match in matches])
            )
        return matches[0] if matches else None

    def find_section(self, name: str) -> Entry | None:
        """Return the section of this name in experiment files; None if no plug-in offers it.

        Raises:
            AmbiguousComponent: two plug-ins offer it.
        """
        matches = [entry for entry in self.sections() if entry.name == name]
        if len(matches) > 1:
            raise AmbiguousComponent(_ambiguous("sections", name, matches))
        return matches[0] if matches else None

    def sections(self) -> list[Entry]:
        """Return the sections that plug-ins add to experiment files, sorted by name."""
        return sorted(self._collect("sections"), key=lambda entry: (entry.name, entry.plugin.name))

    def call_all_hooks(self) -> None:
        """Call every hook once, so that `plugins.broken` has the plug-ins whose hooks fail."""
        for hook in HOOKS:
            for _ in self._call_hook(hook):
                pass

    def clashes(self) -> list[str]:
        """Return a message for each name that several plug-ins offer."""
        entries = [entry for kind in KINDS for entry in self.entries(kind)]
        by_name: dict[tuple[str, str], list[Entry]] = {}
        for entry in (*entries, *self._collect("commands"), *self._collect("sections")):
            by_name.setdefault((entry.kind, entry.name), []).append(entry)
        return [
            _ambiguous(kind, name, group)
            for (kind, name), group in by_name.items()
            if len(group) > 1
        ]

    def command_groups(self) -> dict[str, list[Entry]]:
        """Return all commands of plug-ins by their group; see `commands`."""
        groups: dict[str, list[Entry]] = {}
        for entry in self._collect("commands"):
            groups.setdefault(entry.name.rpartition(" ")[0], []).append(entry)
        return groups

    def aliases(self, entry: Entry) -> list[str]:
        """Return the aliases of a component."""
        aliases = self._aliases_of(entry)
        return sorted(alias for alias, name in aliases.items() if name == entry.name)

    def older_parameters(self, entry: Entry) -> dict[str, str]:
        """Return a mapping of older names of parameters to their current names.

        It covers every component of the kind, so this one need not have all of the parameters.
        """
        if self._parameters is None:
            self._parameters = {
                plugin.name: mapping
                for plugin, mapping in self._call_hook("provide_parameter_aliases")
            }
        names = self._parameters.get(entry.plugin.name, {}).get(entry.kind, {})
        return {**names.get("*", {}), **names.get(entry.name, {})}

    def examples(self, plugin: str) -> Mapping[str, Mapping[str, Any]]:
        """Return how the conformance checks try the components of a plug-in, by kind and name."""
        for source, mapping in self._call_hook("provide_examples"):
            if source.name == plugin:
                return mapping
        return {}

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
        # pluggy would call all implementations in one chain. Called one by one, a hook that raises
        # is reported and does not affect the other plug-ins.
        for implementation in getattr(self.plugins.manager.hook, hook).get_hookimpls():
            plugin = self.plugins.plugins[implementation.plugin_name]
            try:
                mapping = implementation.function()
                if not isinstance(mapping, Mapping):
                    raise TypeError(
                        "a hook returns a mapping of names, this one returned "
                        f"{type(mapping).__name__}"
                    )
                if hook in HOOKS_BY_KIND:
                    _check_kinds(mapping)
            except (Exception, SystemExit) as error:  # foreign code
                self.plugins.mark_broken(
                    plugin.name, f"{hook} failed: {type(error).__name__}: {error}"
                )
                continue
            yield plugin, mapping

    def _unknown(self, kind: str, name: str) -> str:
        names = [entry.name for entry in self.entries(kind)]
        plugins = self.plugins.plugins.values()
        searched = [plugin.name for plugin in plugins if not plugin.error]
        distributions = {plugin.distribution for plugin in plugins}
        details = [
            f"searched the plug-ins {', '.join(searched)}"
            if searched
            else "no plug-in is installed",
            *(
                f"plug-in {plugin.name} ({plugin.origin}) is broken: {plugin.error}"
                for plugin in self.plugins.broken
            ),
            *(
                f"pip install {package} offers {kind}"
                for package, kinds in INSTALL_HINTS.items()
                if kind in kinds and package not in distributions
            ),
        ]
        hint = did_you_mean(name, names)
        return f"there is no {SINGULAR[kind]} called {name}{hint} ({'; '.join(details)})"


def _check_kinds(mapping: Mapping[str, object]) -> None:
    for kind, names in mapping.items():
        if kind not in KINDS:
            raise ValueError(f"there is no kind {kind}{did_you_mean(kind, KINDS)}")
        if not isinstance(names, Mapping):
            raise TypeError(f"{kind} has {type(names).__name__}, not a mapping of names")


def snake_case(name: str) -> str:
    """Return `max_pooling2d` for `MaxPooling2D`, as Keras does."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _offered_by(plugin: str, entries: list[Entry]) -> list[Entry]:
    """Return the entries of a plug-in or distribution, or all of them if the name is empty."""
    return [
        entry for entry in entries if plugin in ("", entry.plugin.name, entry.plugin.distribution)
    ]


def _fold(name: str) -> str:
    return name.lower().replace("_", "")


def _ambiguous(kind: str, name: str, matches: list[Entry]) -> str:
    origins = " and ".join(f"{entry.qualified_name} ({entry.plugin.origin})" for entry in matches)
    remedies = ["write one of these in full"] if kind != "sections" else []
    if kind != "commands":
        remedies.append(f"leave one out with {DISABLE_VARIABLE}={matches[-1].plugin.name}")
    return f"{SINGULAR[kind]} {name} is offered by {origins}; {', or '.join(remedies)}"
