"""Write the data files of the template ``data``: readings that nobody ever took.

Run as ``python tools/sample_data.py``; with ``--check`` nothing is written and the exit code says
whether the files are up to date.
"""

import json
import math
import random
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "python" / "zeroserve" / "templates" / "data" / "data"
COMMAND = "python tools/sample_data.py"

STATIONS, HOURS = 20, 24
ROWS, COLUMNS, CHUNK = 60, 120, (30, 60)
FILL = -9999.0

NAMES = (
    "Alder Birch Cedar Dogwood Elm Fir Ginkgo Hazel Ironwood Juniper Katsura Larch Maple Nutmeg "
)
NAMES += "Oak Pine Quince Rowan Spruce Tamarack"


def stations() -> list[tuple[str, float, float]]:
    """Names, longitudes and latitudes."""
    numbers = random.Random(7)
    return [
        (name, round(numbers.uniform(-175, 175), 3), round(numbers.uniform(-60, 75), 3))
        for name in NAMES.split()
    ]


def temperature(east: float, north: float, hour: int = 12) -> float:
    """Warm at the equator and after noon."""
    local = (hour + east / 15) % 24
    return 28 - abs(north) * 0.55 + 5 * math.sin((local - 9) / 24 * 2 * math.pi)


def geojson() -> bytes:
    """Where the stations are."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": {"type": "Point", "coordinates": [east, north]},
        }
        for name, east, north in stations()
    ]
    return _json({"type": "FeatureCollection", "features": features})


def csv() -> bytes:
    """One reading an hour, for a day."""
    lines = ["station,longitude,latitude,time,temperature"]
    for name, east, north in stations():
        for hour in range(HOURS):
            degrees = temperature(east, north, hour)
            lines.append(f"{name},{east},{north},2026-06-01T{hour:02}:00:00Z,{degrees:.2f}")
    return "\n".join(lines).encode() + b"\n"


def zarr() -> dict[str, bytes]:
    """A grid in four pieces, of which one has no values and no file."""
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [ROWS, COLUMNS],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(CHUNK)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": FILL,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {"units": "degree_Celsius"},
        "dimension_names": ["latitude", "longitude"],
    }
    files = {"zarr.json": _json(metadata)}
    for down in range(ROWS // CHUNK[0]):
        for across in range(COLUMNS // CHUNK[1]):
            if (down, across) == (1, 1):
                continue
            values = [
                temperature(-180 + 3 * (across * CHUNK[1] + x), 90 - 3 * (down * CHUNK[0] + y))
                for y in range(CHUNK[0])
                for x in range(CHUNK[1])
            ]
            # Two decimals, so that every machine writes the same bytes.
            files[f"c/{down}/{across}"] = struct.pack(
                f"<{len(values)}f", *(round(v, 2) for v in values)
            )
    return files


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def main() -> int:
    """Write the files, or check them."""
    files = {"stations.csv": csv(), "stations.geojson": geojson()}
    files |= {f"temperature.zarr/{name}": data for name, data in zarr().items()}
    for name, data in files.items():
        path = PLACE / name
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif not path.exists() or path.read_bytes() != data:
            print(f"{path.relative_to(ROOT)} is not up to date: run {COMMAND}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
