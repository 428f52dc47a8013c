"""Shapes of traffic: real programs that call and answer, and what a model of calls has to make of them."""
