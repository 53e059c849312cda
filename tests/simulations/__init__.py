"""Simulations of section 5 of the statistics: long forms to publish, short forms for the tests."""
