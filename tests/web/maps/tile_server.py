"""A map server like those of intranets: XYZ tiles and WMTS, with colours that depend on the position."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

NORTH, WEST, EAST = (20, 20, 20), (160, 60, 200), (60, 200, 160)
MAX_ZOOM = 14
"""Maximum zoom."""

_EDGE_M = 20037508.3427892
_SCALES = {"c": 295829355.4545656, "w": 2 * 279541132.0143589}
"""Scale denominators of zoom 0: two tiles of 180° at the 96 dpi of the national map service; one of Web Mercator."""

_CAPABILITIES = """<?xml version="1.0" encoding="UTF-8"?>
<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" version="1.0.0">
  <Contents>
    <Layer>
      <ows:Identifier>map</ows:Identifier>
      <Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style>
      <Format>image/png</Format>
      <TileMatrixSetLink><TileMatrixSet>c</TileMatrixSet></TileMatrixSetLink>
      <TileMatrixSetLink><TileMatrixSet>w</TileMatrixSet></TileMatrixSetLink>
      <ResourceURL format="image/png" resourceType="tile"
        template="ADDRESS/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"/>
    </Layer>
    {sets}
  </Contents>
</Capabilities>"""


@dataclass
class TileServer:
    """The server's URL, and the requested paths."""

    address: str
    requested: list[str] = field(default_factory=list)


def _sets() -> str:
    sets = []
    for name, crs, corner, wide in (("c", "4490", "90.0 -180.0", 2), ("w", "3857", f"-{_EDGE_M} {_EDGE_M}", 1)):
        matrices = "".join(
            f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier>"
            f"<ScaleDenominator>{_SCALES[name] / 2**zoom!r}</ScaleDenominator>"
            f"<TopLeftCorner>{corner}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>"
            f"<MatrixWidth>{wide * 2**zoom}</MatrixWidth><MatrixHeight>{2**zoom}</MatrixHeight></TileMatrix>"
            for zoom in range(MAX_ZOOM + 1)
        )
        sets.append(
            f"<TileMatrixSet><ows:Identifier>{name}</ows:Identifier>"
            f"<ows:SupportedCRS>urn:ogc:def:crs:EPSG::{crs}</ows:SupportedCRS>{matrices}</TileMatrixSet>"
        )
    return "".join(sets)


def _tile(path: str, corner: tuple[float, float]) -> bytes:
    """Render ``[set]/zoom/row/column.png``: one colour north of the corner (longitude, latitude), else west or east."""
    *matrix_set, zoom, row, column = path.strip("/").removesuffix(".png").split("/")
    steps = (np.arange(256) + 0.5) / 256 / 2 ** int(zoom)
    across, down = int(column) / 2 ** int(zoom) + steps, int(row) / 2 ** int(zoom) + steps
    if matrix_set == ["c"]:
        lon, lat = 180 * across - 180, 90 - 180 * down
    else:
        lon, lat = 360 * across - 180, np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * down))))
    pixels = np.empty((256, 256, 3), np.uint8)
    pixels[:] = np.where(lon[:, None] < corner[0], WEST, EAST)
    pixels[lat > corner[1]] = NORTH
    drawn = io.BytesIO()
    Image.fromarray(pixels).save(drawn, "PNG")
    return drawn.getvalue()


@contextmanager
def tile_server(corner: tuple[float, float] = (0, 0)) -> Iterator[TileServer]:
    """Run on a free local port; ``corner``: longitude and latitude where the colours meet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requested.append(self.path)
            known = self.path.endswith(".png") and int(self.path.split("/")[-3]) <= MAX_ZOOM
            body = (
                _tile(self.path, corner)
                if known
                else _CAPABILITIES.format(sets=_sets()).replace("ADDRESS", server.address).encode()
            )
            self.send_response(200 if known or self.path == "/capabilities.xml" else 404)
            self.send_header("content-type", "image/png" if known else "text/xml")
            self.send_header("access-control-allow-origin", "*")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = TileServer(f"http://127.0.0.1:{listening.server_address[1]}")
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)
