"""Ask the processor for a cache line before it is needed (LLVM's prefetch instruction), for use inside kernels.

`prefetch(array, index)` changes no value, so no answer depends on it. Numba offers no such thing; importing this
module imports numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

READ, KEEP, DATA = 0, 3, 1  # for reading; likely to be used again; not instructions


@intrinsic
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Bring the line of `array[index]` near; an unsigned index is not checked."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, *(ir.Constant(word, number) for number in (READ, KEEP, DATA))])
        return context.get_dummy_value()

    return types.void(array, index), build
