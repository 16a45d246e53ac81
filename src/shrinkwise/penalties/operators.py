"""How penalties are composed: ``P + Q``, ``2 * P``, ``P.fixed()``, ``P.on(part)``, ``Penalty.from_function``.

`Penalty` is the contract and knows no penalty that is made of others; here its operators are bound to them, once, when the
package is imported.
"""

from __future__ import annotations

from . import contract
from .function import FromFunction
from .sums import Sum
from .terms import Fixed, On, Scaled

contract.OPERATORS.update(add=Sum, fixed=Fixed, on=On, scaled=Scaled, from_function=FromFunction)
