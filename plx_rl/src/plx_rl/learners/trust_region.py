"""Natural-gradient steps: Fisher-vector products, conjugate gradients and a line search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from plx_core.types import Tensor, Variable


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors into one vector [P]; float32 if their dtypes differ."""
    dtype = tensors[0].dtype if len({tensor.dtype for tensor in tensors}) == 1 else tf.float32
    return tf.concat([tf.cast(tf.reshape(tensor, [-1]), dtype) for tensor in tensors], axis=0)


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Split a vector [P] into tensors of the shapes of `like`."""
    sizes = [int(tensor.shape.num_elements()) for tensor in like]
    return [
        tf.reshape(part, tensor.shape)
        for part, tensor in zip(tf.split(vector, sizes), like, strict=True)
    ]


def fisher_vector_product(
    mean_kl: Callable[[], Tensor], variables: Sequence[Variable], vector: Tensor, damping: float
) -> Tensor:
    """Return (F + damping I) v, with F the Hessian of the mean KL divergence.

    Args:
        mean_kl: computes the mean of KL(π_old ‖ π) over the states, a scalar; π_old is constant.
        variables: the weights of the policy, P values in all.
        vector: v, [P].
        damping: added to the diagonal.

    The product of a Hessian and a vector v is the gradient of ∇KL · v. Source: Schulman et al.
    2015, appendix C.1.
    """
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            divergence = mean_kl()
        gradient = flatten(_dense(inner.gradient(divergence, variables), variables))
        projected = tf.reduce_sum(gradient * vector)
    return flatten(_dense(outer.gradient(projected, variables), variables)) + damping * vector


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, iterations: int = 10, tolerance: float = 1e-10
) -> Tensor:
    """Solve A x = b for a symmetric positive definite A.

    Args:
        product: computes A p for a vector p [P].
        b: the right-hand side, [P].
        iterations: the largest number of products.
        tolerance: stop when the squared residual falls below this.

    Source: Hestenes and Stiefel 1952; Shewchuk 1994, B2.
    """

    def proceed(i: Tensor, x: Tensor, r: Tensor, p: Tensor, rr: Tensor) -> Tensor:
        return tf.logical_and(i < iterations, rr > tolerance)

    def step(i: Tensor, x: Tensor, r: Tensor, p: Tensor, rr: Tensor) -> Tensor:
        ap = product(p)
        alpha = rr / tf.maximum(tf.reduce_sum(p * ap), 1e-30)
        r = r - alpha * ap
        rr_next = tf.reduce_sum(r * r)
        return i + 1, x + alpha * p, r, r + rr_next / rr * p, rr_next

    start = (tf.constant(0), tf.zeros_like(b), b, b, tf.reduce_sum(b * b))
    return tf.while_loop(proceed, step, start, maximum_iterations=iterations)[1]


def line_search(
    accept: Callable[[Tensor], Tensor], shrink: float, max_steps: int
) -> tuple[Tensor, Tensor]:
    """Find the largest acceptable fraction among 1, shrink, shrink² and so on.

    Args:
        accept: whether a fraction of the full step is acceptable, a scalar bool.
        shrink: the factor between two fractions.
        max_steps: the number of fractions to try.

    Returns:
        The fraction, 0 if none is acceptable, and whether one is.
    """

    def search(i: Tensor, fraction: Tensor, accepted: Tensor) -> Tensor:
        accepted = accept(fraction)
        return i + 1, tf.where(accepted, fraction, fraction * shrink), accepted

    def proceed(i: Tensor, fraction: Tensor, accepted: Tensor) -> Tensor:
        return tf.logical_not(accepted)

    start = (tf.constant(0), tf.constant(1.0), tf.constant(False))
    _, fraction, accepted = tf.while_loop(proceed, search, start, maximum_iterations=max_steps)
    return tf.where(accepted, fraction, 0.0), accepted


def _dense(gradients: Sequence[Tensor], variables: Sequence[Variable]) -> list[Tensor]:
    return [
        tf.zeros_like(variable) if gradient is None else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
