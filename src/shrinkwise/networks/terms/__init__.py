"""A penalised tensor and its penalty, with f and λ apart."""
