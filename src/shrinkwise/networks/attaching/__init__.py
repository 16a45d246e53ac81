"""A penalty attached to an optimizer: rules, report, certificate."""
