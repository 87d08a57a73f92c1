"""The server: pictures and camera frames in over HTTP and WebSocket, regions in words out; and the live page."""
