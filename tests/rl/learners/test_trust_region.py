"""The parts of a natural-gradient step against dense linear algebra."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from plx_rl.distributions import Categorical
from plx_rl.learners import trust_region


def test_flatten_and_unflatten_are_inverse():
    tensors = [tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([5.0])]
    flat = trust_region.flatten(tensors)
    np.testing.assert_array_equal(flat, [1, 2, 3, 4, 5])
    for tensor, again in zip(tensors, trust_region.unflatten(flat, tensors), strict=True):
        np.testing.assert_array_equal(tensor, again)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**31))
def test_conjugate_gradient_solves(size, seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    matrix = (root @ root.T + np.eye(size)).astype("f4")
    b = rng.normal(size=size).astype("f4")
    x = trust_region.conjugate_gradient(
        lambda p: tf.linalg.matvec(matrix, p), tf.constant(b), iterations=4 * size
    )
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=1e-2, atol=1e-3)


def test_conjugate_gradient_of_nothing_is_nothing():
    np.testing.assert_array_equal(
        trust_region.conjugate_gradient(lambda p: p, tf.zeros(3)), np.zeros(3)
    )


def test_fisher_vector_product_is_the_hessian_of_the_divergence():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(6, 2)).astype("f4")
    kernel, bias = tf.Variable(rng.normal(size=(2, 3)).astype("f4")), tf.Variable(np.zeros(3, "f4"))
    variables = [kernel, bias]
    old = tf.constant(states @ kernel.numpy() + bias.numpy())

    def mean_kl():
        return tf.reduce_mean(Categorical(3).kl(old, states @ kernel + bias))

    products = np.stack(
        [
            trust_region.fisher_vector_product(mean_kl, variables, tf.constant(row), 0.0)
            for row in np.eye(9, dtype="f4")
        ]
    )
    # The Fisher matrix of a linear softmax policy: E[(diag p - p pᵀ) ⊗ x xᵀ], x with a 1 appended for the bias.
    expected = np.zeros((9, 9))
    for x, p in zip(states, tf.nn.softmax(old).numpy(), strict=True):
        jacobian = np.concatenate([np.kron(x[:, None], np.eye(3)), np.eye(3)])
        expected += jacobian @ (np.diag(p) - np.outer(p, p)) @ jacobian.T / len(states)
    np.testing.assert_allclose(products, expected, atol=1e-5)
    damped = trust_region.fisher_vector_product(mean_kl, variables, tf.ones(9), 0.5)
    np.testing.assert_allclose(damped, expected @ np.ones(9) + 0.5, atol=1e-5)


def test_fisher_vector_product_of_a_variable_without_influence_is_damping_alone():
    used, unused = tf.Variable([1.0]), tf.Variable([2.0])
    product = trust_region.fisher_vector_product(
        lambda: tf.reduce_sum(tf.square(used - 1.0)), [used, unused], tf.constant([1.0, 1.0]), 0.1
    )
    np.testing.assert_allclose(product, [2.1, 0.1], rtol=1e-6)


def test_line_search_takes_the_largest_acceptable_fraction():
    fraction, accepted = trust_region.line_search(lambda fraction: fraction < 0.3, 0.5, 10)
    np.testing.assert_allclose(fraction, 0.25)
    assert bool(accepted)


def test_line_search_that_finds_nothing_goes_nowhere():
    fraction, accepted = trust_region.line_search(lambda fraction: fraction < -1.0, 0.5, 10)
    assert float(fraction) == 0.0
    assert not bool(accepted)
