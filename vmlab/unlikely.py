"""Tell the compiler that a branch is seldom taken (LLVM's expect), for use inside kernels: `if unlikely(empty):`.

It changes no value. Numba offers no such thing; without it the compiler gives the rare path's variables the registers
that the common one needs, once everything is compiled into one loop. Importing this module imports numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

BIT = ir.IntType(1)


@intrinsic
def unlikely(typing_context: Any, condition: Any) -> Any:
    """The condition itself, which will nearly always be false."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(BIT, [BIT, BIT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.expect.i1")
        return builder.call(function, [arguments[0], ir.Constant(BIT, 0)])

    return types.boolean(types.boolean), build
