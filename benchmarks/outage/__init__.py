"""A week of a shop with an outage in the middle, 50,000 jobs, to look at as the person on call would."""
