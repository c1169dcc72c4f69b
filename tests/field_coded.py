"""Interlaced H.264 with one field per sample, as broadcasts and recorders have it (PAFF).

x264 writes no such stream, so it is written by hand (ITU-T H.264, 7.3): every field is one
macroblock of raw samples (I_PCM).
"""

from fractions import Fraction
from pathlib import Path

import av

#: Pictures per second that the stream itself states.
FPS = 25
_START = b"\0\0\0\1"


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def fixed(self, *fields: tuple[int, int]) -> None:
        """Pairs of a value and its number of bits."""
        self.text += "".join(f"{value:0{bits}b}" for value, bits in fields)

    def golomb(self, *values: int) -> None:
        """Unsigned exponential Golomb codes (9.1)."""
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code

    def data(self) -> bytes:
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def _unit(header: int, payload: bytes) -> bytes:
    """One unit; a third byte up to 3 after two zeros is escaped (7.4.1)."""
    escaped, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return _START + bytes([header]) + bytes(escaped)


def _parameters() -> bytes:
    """Sequence and picture parameters: 16 by 32 pixels, fields allowed, main profile."""
    sequence = _Bits()
    sequence.fixed((77, 8), (0, 8), (30, 8))
    sequence.golomb(0, 4, 0, 4, 1)
    sequence.fixed((0, 1))
    sequence.golomb(0, 0)
    sequence.fixed((0b0010, 4), (1, 1))
    sequence.fixed((0, 4), (1, 1), (1, 32), (2 * FPS, 32), (1, 1), (0, 4), (1, 1))
    picture = _Bits()
    picture.golomb(0, 0)
    picture.fixed((0, 2))
    picture.golomb(0, 0, 0)
    picture.fixed((0, 3))
    picture.golomb(0, 0, 0)
    picture.fixed((0, 3), (1, 1))
    return _unit(0x67, sequence.data()) + _unit(0x68, picture.data())


def _field(frame: int, bottom: int) -> bytes:
    first = frame == 0 and not bottom
    bits = _Bits()
    bits.golomb(0, 7, 0)
    bits.fixed((frame & 255, 8), (1, 1), (bottom, 1))
    if first:
        bits.golomb(0)
    bits.fixed(((2 * frame + bottom) & 255, 8), (0, 2 if first else 1))
    bits.golomb(0, 25)
    samples = bytes([30 + 6 * frame]) * 256 + bytes([128]) * 128
    return _unit(0x65 if first else 0x61, bits.data() + samples + b"\x80")


def field_coded(path: Path, frames: int) -> Path:
    """Write a file of ``frames`` pictures, with its index in front; returns ``path``."""
    raw = path.with_suffix(".h264")
    units = [_field(frame, bottom) for frame in range(frames) for bottom in (0, 1)]
    separator = _START + b"\x09\x10"
    raw.write_bytes(separator + _parameters() + separator.join([b"", *units])[len(separator) :])
    unit = Fraction(1, 2 * FPS)
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(raw)) as source, av.open(str(path), "w", options=options) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.stream, packet.time_base = stream, unit
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)
    return path
