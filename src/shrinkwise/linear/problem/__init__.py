"""The data of a linear problem, checked and centred, with its Gram matrices."""
