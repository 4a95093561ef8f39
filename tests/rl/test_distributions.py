"""Distributions over actions against SciPy-free closed forms, by counting, and against their samples."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf

from plx_rl.distributions import (
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    MultiCategorical,
    distribution_for,
)

FAMILIES = [Categorical(3), MultiCategorical((2, 3)), Bernoulli(2), DiagonalGaussian(2)]


def parameters_of(family, rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, family.num_parameters)).astype("f4")


def test_categorical_by_hand():
    logits = np.log(np.array([[0.5, 0.25, 0.25]], "f4"))
    family = Categorical(3)
    np.testing.assert_allclose(family.log_prob(logits, [1]), [np.log(0.25)], rtol=1e-6)
    np.testing.assert_allclose(family.entropy(logits), [1.5 * np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(
        family.kl(logits, np.zeros((1, 3), "f4")), [np.log(3) - 1.5 * np.log(2)], rtol=1e-5
    )


def test_diagonal_gaussian_by_hand():
    parameters = np.array([[1.0, np.log(2.0)]], "f4")
    family = DiagonalGaussian(1)
    np.testing.assert_allclose(
        family.log_prob(parameters, [[3.0]]),
        [-0.5 - np.log(2) - 0.5 * np.log(2 * np.pi)],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        family.entropy(parameters), [np.log(2) + 0.5 * np.log(2 * np.pi * np.e)], rtol=1e-6
    )
    # KL(N(1, 4) | N(0, 1)) = -log 2 + (4 + 1) / 2 - 1/2
    np.testing.assert_allclose(
        family.kl(parameters, np.zeros((1, 2), "f4")), [2.0 - np.log(2)], rtol=1e-6
    )


def test_bernoulli_by_hand():
    logits = np.log(np.array([[3.0, 1.0]], "f4"))  # on with probability 3/4 and 1/2
    family = Bernoulli(2)
    np.testing.assert_allclose(family.log_prob(logits, [[1, 0]]), [np.log(0.75 * 0.5)], rtol=1e-6)
    np.testing.assert_allclose(
        family.entropy(logits),
        [-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) + np.log(2)],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        family.kl(logits, np.zeros((1, 2), "f4")),
        [np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25)],
        rtol=1e-5,
    )


def test_multi_categorical_is_its_parts_side_by_side():
    parameters = parameters_of(MultiCategorical((2, 3)), 4)
    actions = np.array([[0, 2], [1, 0], [1, 1], [0, 0]])
    first, second = Categorical(2), Categorical(3)
    expected = first.log_prob(parameters[:, :2], actions[:, 0]) + second.log_prob(
        parameters[:, 2:], actions[:, 1]
    )
    np.testing.assert_allclose(
        MultiCategorical((2, 3)).log_prob(parameters, actions), expected, rtol=1e-6
    )
    np.testing.assert_array_equal(
        MultiCategorical((2, 3)).mode(parameters)[:, 1], second.mode(parameters[:, 2:])
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_samples_have_the_entropy_and_divergence_that_are_claimed(family):
    old, new = parameters_of(family, 1), parameters_of(family, 1, seed=1)
    many = np.repeat(old, 40_000, axis=0)
    actions = family.sample(many, np.random.default_rng(3))
    log_prob = family.log_prob(many, actions).numpy()
    error = 5 * log_prob.std() / np.sqrt(len(log_prob))
    assert abs(-log_prob.mean() - family.entropy(old).numpy()[0]) < error
    difference = log_prob - family.log_prob(np.repeat(new, 40_000, axis=0), actions).numpy()
    assert abs(difference.mean() - family.kl(old, new).numpy()[0]) < 5 * difference.std() / np.sqrt(
        len(difference)
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_divergence_from_itself_is_nothing_and_from_others_something(family):
    old, new = parameters_of(family, 8), parameters_of(family, 8, seed=1)
    np.testing.assert_allclose(family.kl(old, old), np.zeros(8), atol=1e-6)
    assert (family.kl(old, new).numpy() > 0).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_host_and_graph_agree_on_the_mode_and_no_action_is_likelier(family):
    parameters = parameters_of(family, 16)
    mode = family.mode(tf.constant(parameters)).numpy()
    np.testing.assert_array_equal(mode, family.mode_on_host(parameters))
    sampled = family.sample(parameters, np.random.default_rng(0))
    assert sampled.shape == mode.shape
    assert (
        family.log_prob(parameters, mode).numpy()
        >= family.log_prob(parameters, sampled).numpy() - 1e-6
    ).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_the_same_seed_gives_the_same_actions(family):
    parameters = parameters_of(family, 16)
    first, again = (family.sample(parameters, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("family", [Categorical(3), MultiCategorical((2, 2))])
def test_an_illegal_action_has_no_probability(family):
    parameters = parameters_of(family, 200)
    mask = np.zeros((200, family.num_parameters), bool)
    mask[:, ::2] = True
    masked = family.masked_on_host(parameters, mask)
    np.testing.assert_array_equal(masked, family.masked(tf.constant(parameters), tf.constant(mask)))
    actions = family.sample(masked, np.random.default_rng(0))
    assert set(np.unique(actions)) == ({0, 2} if isinstance(family, Categorical) else {0})
    assert np.isfinite(family.entropy(masked)).all()
    assert np.isfinite(family.kl(masked, masked)).all()


def test_a_continuous_policy_refuses_a_mask():
    with pytest.raises(ValueError, match="no action masks"):
        DiagonalGaussian(1).masked(np.zeros((1, 2), "f4"), np.ones((1, 1), bool))


@pytest.mark.parametrize(
    ("space", "family"),
    [
        (gymnasium.spaces.Discrete(4), Categorical(4)),
        (gymnasium.spaces.MultiDiscrete([2, 5]), MultiCategorical((2, 5))),
        (gymnasium.spaces.MultiBinary(3), Bernoulli(3)),
        (gymnasium.spaces.Box(-1, 1, (2,)), DiagonalGaussian(2)),
    ],
)
def test_each_action_space_has_its_family(space, family):
    assert distribution_for(space) == family


def test_a_space_without_a_family_is_refused_by_name():
    with pytest.raises(ValueError, match="Text"):
        distribution_for(gymnasium.spaces.Text(3))
