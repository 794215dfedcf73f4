// Lengths and areas on the ellipsoid of CGCS2000; a sphere would be wrong by up to half a percent of an area.

const A = 6378137;
const F = 1 / 298.257222101;
const B = A * (1 - F);
const E = Math.sqrt(F * (2 - F));
const RAD = Math.PI / 180;
const PIECES = 16; // of an edge: straight on the map, it bends on the ground

/** Metres between two places [lon, lat] in degrees, after Vincenty. */
export function distance([lon1, lat1], [lon2, lat2]) {
  const along = (lon2 - lon1) * RAD;
  const [u1, u2] = [lat1, lat2].map((lat) => Math.atan((1 - F) * Math.tan(lat * RAD)));
  const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
  let lambda = along;
  for (let round = 0; round < 100; round++) {
    const [sl, cl] = [Math.sin(lambda), Math.cos(lambda)];
    const sine = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl);
    if (sine === 0) return 0;
    const cosine = s1 * s2 + c1 * c2 * cl;
    const sigma = Math.atan2(sine, cosine);
    const alpha = (c1 * c2 * sl) / sine;
    const square = 1 - alpha * alpha;
    const middle = square === 0 ? 0 : cosine - (2 * s1 * s2) / square;
    const c = (F / 16) * square * (4 + F * (4 - 3 * square));
    const before = lambda;
    lambda = along + (1 - c) * F * alpha * (sigma + c * sine * (middle + c * cosine * (2 * middle * middle - 1)));
    if (Math.abs(lambda - before) < 1e-12) {
      const k = (square * (A * A - B * B)) / (B * B);
      const large = 1 + (k / 16384) * (4096 + k * (-768 + k * (320 - 175 * k)));
      const small = (k / 1024) * (256 + k * (-128 + k * (74 - 47 * k)));
      const part = cosine * (2 * middle * middle - 1) - (small / 6) * middle * (4 * sine * sine - 3) * (4 * middle * middle - 3);
      return B * large * (sigma - small * sine * (middle + (small / 4) * part));
    }
  }
  return NaN; // nearly opposite places
}

/** Metres along places [[lon, lat], …]. */
export function lengthOf(places) {
  return places.slice(1).reduce((sum, place, index) => sum + distance(places[index], place), 0);
}

/** Height on the cylinder of equal area, in metres. */
function height(lat) {
  const s = Math.sin(lat * RAD);
  return (A / 2) * (1 - E * E) * (s / (1 - E * E * s * s) - Math.log((1 - E * s) / (1 + E * s)) / (2 * E));
}

/** Square metres of a ring [[lon, lat], …] whose edges are straight on a map in Web Mercator. */
export function areaOf(ring) {
  const mercator = ([lon, lat]) => [lon * RAD, Math.asinh(Math.tan(lat * RAD))];
  const points = ring.map(mercator);
  let twice = 0;
  let [x0, y0] = [A * points[0][0], height(ring[0][1])];
  for (let index = 0; index < points.length; index++) {
    const [from, to] = [points[index], points[(index + 1) % points.length]];
    for (let piece = 1; piece <= PIECES; piece++) {
      const t = piece / PIECES;
      const x = A * (from[0] + t * (to[0] - from[0]));
      const y = height(Math.atan(Math.sinh(from[1] + t * (to[1] - from[1]))) / RAD);
      twice += (x0 - x) * (y0 + y); // trapezoids below each edge
      [x0, y0] = [x, y];
    }
  }
  return Math.abs(twice) / 2;
}

/** Like 12.3 m, 4.56 km. */
export const saidLength = (metres) => (metres < 1000 ? `${metres.toFixed(1)} m` : `${(metres / 1000).toFixed(3)} km`);

/** Mu with square metres beside it: 1 mu is 10000/15 square metres. */
export const saidArea = (m2, mu) => `${((m2 * 15) / 10000).toFixed(2)} ${mu} (${Math.round(m2).toLocaleString("en")} m²)`;
