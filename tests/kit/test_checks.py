"""What a check says of parts with a fault; a part without one passes."""

import functools
import random

import keras
import numpy as np
import pytest

from plx_core import testing
from plx_core.errors import PluginError

from . import broken_parts as parts

BRIDGE, REGULARIZER = (
    functools.partial(testing.check_part, kind) for kind in ("bridges", "regularizers")
)
FAULTS = [
    (testing.check_layer, parts.ForgetfulLayer, {"by": 3.0}, "saved it, loaded it, and called it", "nothing else, from get_config()"),
    (testing.check_layer, parts.RandomLayer, {}, "the state of numpy.random changed", "keras.random.SeedGenerator"),
    (testing.check_layer, parts.FixedLayer, {}, "called it with 3 examples after 4", "read the batch size from keras.ops.shape"),
    (testing.check_layer, parts.UnusedWeightLayer, {}, "none for unused_weight_layer", "use the weight in call()"),
    (testing.check_layer, parts.SinglePrecisionLayer, {}, "called it in mixed_float16", "give constants the dtype of the inputs"),
    (testing.check_layer, parts.UnannotatedLayer, {}, "by has no annotation", "plx_core.annotations"),
    (testing.check_layer, parts.with_any, {}, "it takes **params", "typing errors go unnoticed"),
    (testing.check_layer, parts.Layer, {"by": "two"}, "expected a number, got two", "allows"),
    (testing.check_loss, parts.Loss, {"factor": 3.0}, "saved it, loaded it", "get_config"),
    (testing.check_loss, parts.InfiniteLoss, {}, "a finite number", "keep logarithms, roots and divisions away from 0"),
    (testing.check_loss, parts.CutLoss, {}, "took its gradient with respect to the outputs", "use only keras.ops"),
    (testing.check_metric, parts.BatchMeanMetric, {}, "two halves of a batch in turn", "keep sums and counts over examples"),
    (testing.check_optimizer, parts.ClimbingOptimizer, {}, "a lower loss", "the sign of the gradient"),
    (testing.check_schedule, parts.DivingSchedule, {}, "finite rates, none below 0", "clip the step to the range"),
    (testing.check_pipeline, parts.ShuffledPipeline, {}, "read dataset(1)", "a function of (seed, epoch, position)"),
    (testing.check_pipeline, parts.MistypedPipeline, {}, "compared a batch with element_spec", "int32"),
    (testing.check_exploration, parts.GlobalExploration, {}, "the state of random changed", "np.random.default_rng(seed)"),
    (testing.check_exploration, parts.LawlessExploration, {}, "an illegal action", "the actions that masks allows"),
    (testing.check_exploration, parts.ForgetfulExploration, {}, "restored its state in another one and continued", "including random generators"),
    (testing.check_exploration, parts.UnseededExploration, {}, "built two without a seed, called reseed(1), and explored discrete actions", "replace your generator in reseed()"),
    (testing.check_exploration, parts.AnonymousExploration, {}, "built it with seed: 1", "set self.seed"),
    (testing.check_exploration, parts.SeedlessExploration, {}, "reseed", "give it parameters"),
    (testing.check_memory, parts.UnseededReservoir, {}, "called reseed(1), and sampled both", "replace your generator in reseed()"),
    (testing.check_memory, parts.FrozenMemory, {}, "none added after the first 48", "make room for new transitions"),
    (testing.check_memory, parts.UnsortedMemory, {}, "called get_by_index() with 0 to 47, and with -1", "count from the oldest that is still stored"),
    (testing.check_memory, parts.SharingMemory, {}, "transitions [", "copy the arrays that step() receives"),
    (testing.check_schedule, parts.BranchingSchedule, {}, "called it in a tf.function with an int64 step", "not if"),
    (BRIDGE, parts.AveragedBridge, {}, "size has the shape ()", "each example has a loss"),
    (BRIDGE, parts.LambdaBridge, {}, "saved the network to a .keras file and loaded it", "and no Lambda"),
    (BRIDGE, parts.GlobalBridge, {}, "the state of numpy.random changed", "np.random.default_rng(seed)"),
    (REGULARIZER, parts.ForgetfulRegularizer, {"factor": 3.0}, "saved it, loaded it", "get_config"),
    (testing.check_callback, parts.Callback, {}, "a checkpoint", "NumPy arrays, numbers, strings"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "part", "params", "fault", "remedy"),
    FAULTS,
    ids=[f"{part.__name__}" for _, part, *_ in FAULTS],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_fault_is_found_and_a_remedy_given(check, part, params, fault, remedy):
    with pytest.raises(testing.CheckFailed) as caught:
        check(part, params)
    message = str(caught.value)
    assert fault in message
    assert remedy in message
    assert all(word in message for word in ("got:", "expected:", "fix:", part.__name__))


def test_parts_without_a_fault_pass_and_leave_the_process_as_it_was():
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), keras.config.dtype_policy().name
    testing.check_layer(parts.Layer, {"by": 3.0}, input_shape=(2, 3))
    testing.check_exploration(parts.Exploration)
    testing.check_memory(parts.Reservoir)
    assert (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        keras.config.dtype_policy().name,
    ) == before


def test_a_part_by_its_name_or_as_a_mapping():
    testing.check_loss("Huber", {"delta": 2.0})
    testing.check_schedule(
        {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}}
    )
    with pytest.raises(testing.CheckFailed, match="did you mean Huber"):
        testing.check_loss("Hubert")
    with pytest.raises(
        TypeError, match="a check takes a loss's class or function, or its name; got 3"
    ):
        testing.check_loss(3)


def test_a_model_without_a_graph_is_given_one():
    testing.check_model("Regressor")


def test_every_check_has_a_docstring_that_says_what_it_takes():
    for name in testing.__all__:
        if name.startswith("check_"):
            text = getattr(testing, name).__doc__
            assert "Args:" in text and "Raises:" in text


def test_there_is_no_such_plugin():
    with pytest.raises(
        PluginError, match="there is no plug-in nowhere, and no module of that name can be imported"
    ):
        testing.check_plugin("nowhere")
