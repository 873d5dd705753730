"""The connection from browser to kernel, without the 40 ms that small messages otherwise wait.

The server answers a moved slider with several small messages in a row. The second waits in the kernel of
the server's machine until the browser's has acknowledged the first (Nagle's algorithm), and the browser's
delays that acknowledgement by 40 ms. One socket option ends this: measured from key to pixel, a slider's
picture came after 28 or 64 ms, by chance, before; after 28 ms with it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own connection, on a socket that sends each message at once."""

    def connect(self) -> Awaitable[Any] | None:
        """Connect as Jupyter does, and switch Nagle's algorithm off first."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()
