"""Decodes a PNG (8 bits, not interlaced) with nothing but the standard library: `png.py FILE X,Y...` prints its size and those pixels."""
import struct
import sys
import zlib

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG"
at, packed = 8, b""
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at : at + 8])
    body = data[at + 8 : at + 8 + size]
    assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0], "wrong checksum"
    if kind == b"IHDR":
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        assert depth == 8 and not interlaced
        channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    elif kind == b"IDAT":
        packed += body
    at += 12 + size
assert kind == b"IEND", "truncated"
raw, stride, rows, at = zlib.decompress(packed), width * channels, [], 0
before = bytes(stride)
for _ in range(height):
    how, line = raw[at], bytearray(raw[at + 1 : at + 1 + stride])
    for i in range(stride):
        left = line[i - channels] if i >= channels else 0
        up, corner = before[i], before[i - channels] if i >= channels else 0
        if how == 1:
            line[i] = line[i] + left & 255
        elif how == 2:
            line[i] = line[i] + up & 255
        elif how == 3:
            line[i] = line[i] + (left + up) // 2 & 255
        elif how == 4:
            p = left + up - corner
            near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))
            line[i] = line[i] + near[2] & 255
    rows.append(bytes(line))
    before, at = rows[-1], at + 1 + stride
print(f"{width}x{height}", *(tuple(rows[y][x * channels : x * channels + 3]) for x, y in (map(int, p.split(",")) for p in sys.argv[2:])))
