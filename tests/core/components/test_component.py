"""Components as data: what stands for one, and what is made of it."""

import keras
import pytest

import plx_core as plx
from plx_core.components.component import Component, make
from plx_core.errors import ComponentError, ConfigError


@pytest.mark.parametrize(
    "value",
    [
        "sgd",
        {"SGD": {"learning_rate": 0.01}},
        {"SGD": None},
        plx.configs.SGDConfig(),
        plx.configs.OptimizerConfig(module="sgd"),
        keras.optimizers.SGD(),
    ],
)
def test_what_stands_for_an_optimizer(value):
    assert isinstance(make("optimizers", value), keras.optimizers.SGD)


def test_a_name_that_two_kinds_have_is_told_by_its_place():
    config = plx.configs.MeanSquaredErrorConfig()
    assert isinstance(make("losses", config), keras.losses.Loss)
    assert isinstance(make("metrics", config), keras.metrics.Metric)


def test_a_component_of_another_kind_is_refused():
    with pytest.raises(ComponentError, match="expected a loss, got the optimizer SGD"):
        make("losses", plx.configs.SGDConfig())
    with pytest.raises(ComponentError, match="expected a loss: a name"):
        Component.of("losses", {"Huber": 1, "Hinge": 2})


def test_a_component_is_made_afresh_each_time():
    component = Component("layers", "Dense", {"units": 3})
    assert component.build() is not component.build()


def test_components_among_keras_parameters_are_built():
    layer = Component(
        "layers",
        "Dense",
        {
            "units": 3,
            "kernel_regularizer": {"L2": {"l2": 0.5}},
            "kernel_initializer": "zeros",
            "activation": {"relu": {"max_value": 1.0}},
        },
    ).build()
    assert isinstance(layer.kernel_regularizer, keras.regularizers.L2)
    assert float(layer.kernel_regularizer.l2) == 0.5
    assert layer.activation(keras.ops.convert_to_tensor([3.0])).numpy().tolist() == [1.0]
    wrapped = Component("layers", "TimeDistributed", {"layer": {"Dense": {"units": 2}}}).build()
    assert wrapped.layer.units == 2


def test_what_a_constructor_refuses_names_the_component():
    with pytest.raises(ConfigError, match="Dense: .*units"):
        Component("layers", "Dense", {"units": -3}).build()


def test_what_is_supplied_fills_what_is_left_out():
    def factory(a: int, seed: int | None = None, mode: str = "train"):
        return a, seed, mode

    from plx_core.plugins.discovery import Plugin, Plugins
    from plx_core.plugins.registry import Entry, Registry

    registry = Registry(Plugins())
    registry._entries["pipelines"] = [Entry("pipelines", "Line", Plugin("p", "p"), factory)]
    line = Component("pipelines", "Line", {"a": 1}, registry=registry)
    assert line.build(seed=3, mode="eval", other=1) == (1, 3, "eval")
    assert Component("pipelines", "Line", {"a": 1, "seed": 4}, registry=registry).build(seed=3) == (
        1,
        4,
        "train",
    )


def test_namespaces_list_what_is_installed():
    assert "Dense" in dir(plx.layers)
    assert dir(plx.envs) == dir(plx.environments)
    assert dir(plx.rl.memories) == dir(plx.memories)
    with pytest.raises(AttributeError, match="there is no layer called Dens; did you mean Dense"):
        plx.layers.Dens
    with pytest.raises(AttributeError):
        plx.nothing_of_the_kind
    with pytest.raises(
        AttributeError, match="no installed plug-in offers a component called Nothing"
    ):
        plx.configs.NothingConfig
