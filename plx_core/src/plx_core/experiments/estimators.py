"""The namespace `plx.estimators`, by which polyaxon-lib reached its estimators and agents."""

from __future__ import annotations

from plx_core.reinforcement.agent import Agent, PGAgent, TRPOAgent
from plx_core.supervised.estimator import Estimator

__all__ = ["Agent", "Estimator", "PGAgent", "TRPOAgent"]
