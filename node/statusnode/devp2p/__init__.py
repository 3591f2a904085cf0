"""The devp2p base protocol: encrypted sessions between nodes, and the capabilities they carry.

`handshake`, `frame`, `messages`, `capabilities` and `session` are the protocol without any I/O;
`connection`, `dialer`, `listener` and `server` put it on asyncio. What the capabilities mean is the
business of the floors above, through `protocol`.
"""
