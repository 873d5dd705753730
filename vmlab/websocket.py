"""The connection from browser to kernel, without the 40 ms that small messages otherwise wait.

The server answers a moved slider with several small messages in a row. Linux holds the second back until
the browser's side has acknowledged the first (Nagle's algorithm), and that side delays its acknowledgement
by 40 ms. One socket option ends this. Measured from key to pixel over 20 keys on an SVG picture: median
62 ms without it (28 or 64 by chance), 30 ms with it.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own connection, on a socket that sends each message at once."""

    def connect(self) -> Any:
        """Connect as Jupyter does, and switch Nagle's algorithm off first."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()
