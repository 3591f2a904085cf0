"""JSON-RPC 2.0 as go-ethereum speaks it, over HTTP, WebSocket and a unix socket.

server   starts and stops the transports: http, websocket, ipc
session  what a connection that stays open adds: concurrency, subscriptions
dispatch finds the method, parses its parameters, puts its result into an answer
message  the request and answer objects · stream  where one ends on a socket
values   parsers of parameters, with the error texts of Go
api      which namespaces there are: meta, web3, admin, waku, wakuext, one module each
"""
