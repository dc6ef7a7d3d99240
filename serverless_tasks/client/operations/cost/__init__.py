"""Costs: the prices, a model of what jobs ask of AWS, estimates, and what tasks have cost."""
