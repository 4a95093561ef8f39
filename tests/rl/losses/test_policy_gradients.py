"""Golden numbers, worked out by hand, of the losses of policy-gradient agents."""

import numpy as np
import pytest
import tensorflow as tf

from plx_rl.losses import policy_gradients as policies

HALF, DOUBLE = np.log(0.5).astype("f4"), np.log(2.0).astype("f4")


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


def test_weighted_mean_counts_what_has_weight():
    close(policies.weighted_mean(tf.constant([1.0, 2.0, 60.0]), tf.constant([1.0, 1.0, 0.0])), 1.5)
    close(policies.weighted_mean(tf.constant([1.0, 2.0, 60.0])), 21.0)


def test_standardize_uses_the_unbiased_deviation():
    close(policies.standardize(tf.constant([1.0, 2.0, 3.0])), [-1.0, 0.0, 1.0])


def test_standardize_ignores_what_has_no_weight():
    actual = policies.standardize(
        tf.constant([1.0, 2.0, 3.0, 1000.0]), tf.constant([1.0, 1.0, 1.0, 0.0])
    ).numpy()
    close(actual[:3], [-1.0, 0.0, 1.0])


def test_policy_gradient():
    close(policies.policy_gradient(tf.constant([-1.0, -2.0]), tf.constant([3.0, -1.0])), 0.5)


def test_policy_gradient_moves_only_the_log_probability():
    log_prob, advantage = tf.Variable([-1.0]), tf.Variable([3.0])
    with tf.GradientTape() as tape:
        loss = policies.policy_gradient(log_prob, advantage)
    gradients = tape.gradient(loss, [log_prob, advantage])
    close(gradients[0], [-3.0])
    assert gradients[1] is None


def test_surrogate():
    close(
        policies.surrogate(tf.constant([DOUBLE, 0.0]), tf.zeros(2), tf.constant([3.0, 1.0])), -3.5
    )


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "gain"),
    [
        (DOUBLE, 1.0, 1.2),  # a gain stops at the edge
        (DOUBLE, -1.0, -2.0),  # a loss does not
        (HALF, 1.0, 0.5),
        (HALF, -1.0, -0.8),
        (0.0, 3.0, 3.0),
    ],
)
def test_clipped_surrogate_is_pessimistic(log_ratio, advantage, gain):
    close(
        policies.clipped_surrogate(
            tf.constant([log_ratio]), tf.zeros(1), tf.constant([advantage]), 0.2
        ),
        -gain,
    )


def test_clipped_surrogate_without_a_step_is_the_policy_gradient():
    log_prob = tf.Variable([-0.5, -1.5])
    advantage = tf.constant([2.0, -3.0])
    with tf.GradientTape(persistent=True) as tape:
        clipped = policies.clipped_surrogate(log_prob, tf.constant([-0.5, -1.5]), advantage, 0.2)
        vanilla = policies.policy_gradient(log_prob, advantage)
    close(tape.gradient(clipped, log_prob), tape.gradient(vanilla, log_prob))


def test_clip_fraction():
    close(policies.clip_fraction(tf.constant([DOUBLE, 0.1, HALF, 0.0]), tf.zeros(4), 0.2), 0.5)


def test_approximate_kl():
    close(
        policies.approximate_kl(tf.constant([DOUBLE, 0.0]), tf.zeros(2)),
        (2.0 - 1.0 - np.log(2.0)) / 2,
    )


def test_value_loss():
    close(policies.value_loss(tf.constant([1.0, 2.0]), tf.constant([2.0, 5.0])), 0.5 * (1 + 9) / 2)


def test_clipped_value_loss_is_pessimistic():
    # From 0 towards 1: the clipped value 0.2 is further from the return 1 than 0.8 is.
    close(
        policies.clipped_value_loss(
            tf.constant([0.8]), tf.constant([0.0]), tf.constant([1.0]), 0.2
        ),
        0.5 * 0.8**2,
    )
    close(
        policies.clipped_value_loss(
            tf.constant([-0.8]), tf.constant([0.0]), tf.constant([1.0]), 0.2
        ),
        0.5 * 1.8**2,
    )


def test_explained_variance_does_not_confuse_values_with_returns():
    returns = tf.constant([0.0, 2.0, 4.0])
    close(policies.explained_variance(returns, returns), 1.0)
    close(policies.explained_variance(tf.constant([2.0, 2.0, 2.0]), returns), 0.0)
    close(policies.explained_variance(tf.constant([0.0, 4.0, 8.0]), returns), 0.0)
    close(policies.explained_variance(tf.constant([0.0, 1.0, 2.0]), returns), 0.75)
    close(policies.explained_variance(tf.constant([0.0, 1.0, 2.0]), tf.ones(3)), 0.0)


@pytest.mark.parametrize(
    "loss", [policies.surrogate, lambda *args: policies.clipped_surrogate(*args[:3], 0.2, args[3])]
)
def test_what_has_no_weight_has_no_part_in_a_loss(loss):
    log_prob, old, advantage = (
        np.array(row, "f4") for row in ([0.1, -0.2, 5.0], [0.0, 0.0, 0.0], [1.0, 2.0, 99.0])
    )
    close(
        loss(log_prob, old, advantage, np.array([1, 1, 0], "f4")),
        loss(log_prob[:2], old[:2], advantage[:2], None),
    )
