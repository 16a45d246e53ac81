"""How a penalty enters the step: normal map, metric, gradient."""
