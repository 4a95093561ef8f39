"""Learners: update weights from replayed transitions or from rollouts."""
