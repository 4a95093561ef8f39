"""Explorations: how an agent departs from its greedy actions."""
