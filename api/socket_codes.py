"""The codes a socket closes with, and how much it takes (`websockets.yaml`, close_codes and limits)."""

GOING_AWAY, BINARY, NOT_UTF8, TOO_LARGE, CRASHED, FULL = 1001, 1003, 1007, 1009, 1011, 1013
MALFORMED, NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, NO_SIGN, REPLACED, GONE = 4400, 4401, 4403, 4404, 4408, 4409, 4410
TOO_SLOW, TOO_MANY, AWAY = 4420, 4429, 4503

FRAME_BYTES = 64 * 1024  # what a client may send at once
CHAT_BYTES = 160 * 1024  # the same where people write
OUTBOUND_BYTES = 1024 * 1024  # what a client is sent at once, and what may wait for it
OUTBOUND_FRAMES = 256
JSON_DEPTH = 32
