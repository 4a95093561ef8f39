"""How an agent departs from its greedy action."""
