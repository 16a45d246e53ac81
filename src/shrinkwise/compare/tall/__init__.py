"""Tables of many rows of numbers: encoded once, and summed up by the triangular factors of parts of their rows"""
