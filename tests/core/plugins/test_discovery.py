"""Plug-ins are found one by one, and what is wrong with one is said and harms no other."""

import inspect
import sys
from types import ModuleType

import pytest

from plx_core import hookimpl
from plx_core.components.component import Component
from plx_core.components.schema_cache import Signatures
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import from_python
from plx_core.errors import AmbiguousComponent, ConfigError, PluginError, UnknownComponent
from plx_core.hookspecs import API_VERSION, KINDS
from plx_core.plugins.discovery import Plugin, Plugins, load_plugins
from plx_core.plugins.registry import SINGULAR, Registry


def module_with(name, **hooks):
    module = ModuleType(name)
    for hook, answer in hooks.items():
        setattr(module, hook, hookimpl(answering(answer)))
    return module


def answering(answer):
    def hook():
        return answer() if callable(answer) else answer

    return hook


def registry(**plugins):
    found = Plugins()
    for name, hooks in plugins.items():
        found.add(Plugin(name, name, f"{name}-dist", "1.0"), module_with(name, **hooks))
    return Registry(found)


def test_every_kind_has_a_hook_with_a_description():
    from plx_core import hookspecs

    for kind in KINDS:
        text = inspect.cleandoc(getattr(hookspecs, f"provide_{kind}").__doc__)
        assert text.endswith(".")
        assert SINGULAR[kind]


def test_a_misspelt_hook_is_named():
    found = Plugins()
    found.add(Plugin("acme", "acme"), module_with("acme", provide_layer={}))
    assert (
        found.broken[0].error
        == "has a hook that plx does not know, provide_layer; did you mean provide_layers?"
    )


def test_another_version_of_the_hooks_is_named():
    module = module_with("acme", provide_layers={})
    module.PLX_API_VERSION = API_VERSION + 1
    found = Plugins()
    found.add(Plugin("acme", "acme"), module)
    assert (
        "was written for version 2 of the hooks; this plx_core has version 1"
        in found.broken[0].error
    )


def test_two_plugins_of_one_name_are_refused():
    found = Plugins()
    found.add(Plugin("acme", "one"), module_with("one"))
    with pytest.raises(PluginError, match="two plug-ins are called acme: one and two"):
        found.add(Plugin("acme", "two"), module_with("two"))


def test_a_hook_that_raises_breaks_its_own_plugin_only():
    def fail():
        raise RuntimeError("no disk")

    components = registry(bad={"provide_layers": fail}, good={"provide_layers": {"Scale": dict}})
    assert [entry.name for entry in components.entries("layers")] == ["Scale"]
    assert components.plugins.plugins["bad"].error == "provide_layers failed: RuntimeError: no disk"


def test_a_hook_returns_a_mapping():
    components = registry(bad={"provide_layers": ["Scale"]})
    assert components.entries("layers") == []
    assert "returned list" in components.plugins.plugins["bad"].error


@pytest.mark.parametrize(
    "name",
    [
        "MeanSquaredError",
        "mean_squared_error",
        "meansquarederror",
        "MSE",
        "mse",
        "acme/MeanSquaredError",
        "acme-dist/mse",
    ],
)
def test_a_name_is_found_exactly_then_by_alias_then_ignoring_case(name):
    components = registry(
        acme={
            "provide_losses": {"MeanSquaredError": dict},
            "provide_aliases": {"losses": {"MSE": "MeanSquaredError"}},
        }
    )
    assert components.find("losses", name).name == "MeanSquaredError"


def test_the_exact_name_goes_before_one_in_another_case():
    components = registry(acme={"provide_layers": {"Conv2D": dict, "Conv2d": list}})
    assert components.find("layers", "Conv2D").load() is dict
    assert components.find("layers", "Conv2d").load() is list
    with pytest.raises(AmbiguousComponent):
        components.find("layers", "conv2d")


def test_two_claims_need_the_full_name():
    components = registry(
        one={"provide_layers": {"Dense": dict}}, two={"provide_layers": {"Dense": list}}
    )
    with pytest.raises(
        AmbiguousComponent,
        match=r"layer Dense is offered by one/Dense \(one-dist 1.0\) and two/Dense \(two-dist 1.0\)",
    ):
        components.find("layers", "Dense")
    assert components.find("layers", "two/Dense").load() is list


def test_an_unknown_name_says_what_was_searched():
    components = registry(acme={"provide_layers": {"Dense": dict}})
    with pytest.raises(
        UnknownComponent,
        match="there is no layer called Dens; did you mean Dense\\? \\(searched the plug-ins acme",
    ):
        components.find("layers", "Dens")


def test_a_kind_that_nobody_offers_says_what_to_install():
    with pytest.raises(UnknownComponent, match="pip install plx-rl offers memories"):
        registry().find("memories", "Memory")


def test_an_unknown_kind_is_an_error():
    with pytest.raises(UnknownComponent, match="there is no kind layer; did you mean layers\\?"):
        registry().entries("layer")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.at_all:Thing", "ModuleNotFoundError"),
        ("json:nothing", "AttributeError"),
        ("json:__name__", "is not callable"),
    ],
)
def test_a_factory_that_cannot_be_loaded_is_named(target, message):
    components = registry(acme={"provide_layers": {"Thing": target}})
    with pytest.raises(PluginError, match=message) as caught:
        components.find("layers", "Thing").load()
    assert "plug-in acme" in str(caught.value)


def test_listing_imports_no_component():
    components = registry(
        acme={
            "provide_layers": {
                f"Layer{number}": f"acme_does_not_exist.part{number}:Layer"
                for number in range(1000)
            }
        }
    )
    assert len(components.entries("layers")) == 1000
    assert not [name for name in sys.modules if name.startswith("acme_does_not_exist")]


def test_a_file_is_loaded_on_the_persons_word(tmp_path):
    path = tmp_path / "my_parts.py"
    path.write_text(
        "from plx_core import hookimpl\n\n@hookimpl\ndef provide_layers():\n    return {'Mine': dict}\n"
    )
    components = Registry(load_plugins([str(path)], entry_points=False))
    assert components.find("layers", "Mine").plugin.name == "my_parts"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_it", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("1/0", "ZeroDivisionError"),
    ],
)
def test_a_file_that_breaks_says_how(tmp_path, text, message):
    path = tmp_path / "broken_parts.py"
    path.write_text(text)
    with pytest.raises(PluginError, match=message):
        load_plugins([str(path)], entry_points=False)


def test_a_distribution_without_metadata_is_broken_and_harms_no_other(tmp_path, monkeypatch):
    folder = tmp_path / "half_removed-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text("[plx]\nhalf_removed = half_removed.plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = load_plugins().plugins
    assert "cannot be imported" in plugins["half_removed"].error
    assert plugins["plx_core"].error == ""


def test_plugins_can_be_turned_off():
    assert not load_plugins(environ={"PLX_DISABLE_PLUGINS": "1"}).plugins
    assert (
        "plx_core" not in load_plugins(environ={"PLX_DISABLE_PLUGINS": "plx_core, other"}).plugins
    )
    assert "plx_core" in load_plugins(environ={}).plugins


def scale(factor: float = 1.0, by: float = 0.0) -> tuple[float, float]:
    return factor, by


OLDER = {"provide_layers": {"Scale": scale, "Other": scale}, "provide_parameter_aliases": {"layers": {"*": {"times": "factor", "by": "factor"}, "Scale": {"plus": "by"}}}}  # fmt: skip


def test_a_parameter_is_found_by_its_older_name():
    components = registry(acme=OLDER)
    assert Component(
        "layers", "Scale", {"times": 2.0, "plus": 3.0}, registry=components
    ).build() == (2.0, 3.0)
    assert Component("layers", "Scale", {"by": 3.0}, registry=components).build() == (1.0, 3.0)
    with pytest.raises(ConfigError, match="factor is given twice, also as times"):
        Component("layers", "Scale", {"times": 2.0, "factor": 3.0}, registry=components).build()


def test_a_config_may_use_an_older_name(tmp_path):
    reader = Reader(registry(acme=OLDER), Signatures(tmp_path / "signatures.json"))
    component = reader.read(
        from_python({"Scale": {"times": 2.0, "plus": 3}}), {"x-component": "layers"}, "layer"
    )
    assert (component.params, reader.problems) == ({"factor": 2.0, "by": 3}, [])
    for wrong, message in (
        ({"Other": {"plus": 1}}, "unknown parameter"),
        ({"Scale": {"times": "x"}}, "expected a number"),
        ({"Scale": {"times": 1, "factor": 2}}, "is given twice, as times and as factor"),
    ):
        reader.problems.clear()
        reader.read(from_python(wrong), {"x-component": "layers"}, "layer")
        assert message in str(reader.problems[0])


def test_a_section_that_two_plugins_offer_is_named_when_a_file_has_it():
    one = {"provide_sections": lambda: {"report": "acme:Report"}}
    found = registry(acme=one, rival=one)
    assert registry(acme=one).find_section("report").plugin.name == "acme"
    assert found.find_section("other") is None
    with pytest.raises(AmbiguousComponent, match="section report is offered by acme/report") as two:
        found.find_section("report")
    assert "leave one out with PLX_DISABLE" in str(two.value)
    assert [str(two.value)] == found.clashes()
