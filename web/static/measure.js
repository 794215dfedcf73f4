// Distances and areas on the CGCS2000 ellipsoid; on a sphere, areas would be wrong by up to half a percent.

const A = 6378137;
const F = 1 / 298.257222101;
const B = A * (1 - F);
const E = Math.sqrt(F * (2 - F));
const RAD = Math.PI / 180;
const EDGE_SEGMENTS = 16; // an edge that is straight on the map is curved on the ellipsoid

/** Return the distance in metres of two positions [lon, lat] in degrees, by Vincenty's formula. */
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
  return NaN; // nearly antipodal points
}

/** Return the length in metres of a line [[lon, lat], …]. */
export function lengthOf(places) {
  return places.slice(1).reduce((sum, place, index) => sum + distance(places[index], place), 0);
}

/** Return the northing of the cylindrical equal-area projection in metres. */
function equalAreaNorthing(lat) {
  const s = Math.sin(lat * RAD);
  return (A / 2) * (1 - E * E) * (s / (1 - E * E * s * s) - Math.log((1 - E * s) / (1 + E * s)) / (2 * E));
}

/** Return the area in square metres of a ring [[lon, lat], …] whose edges are straight in Web Mercator. */
export function areaOf(ring) {
  const mercator = ([lon, lat]) => [lon * RAD, Math.asinh(Math.tan(lat * RAD))];
  const points = ring.map(mercator);
  let twice = 0;
  let [x0, y0] = [A * points[0][0], equalAreaNorthing(ring[0][1])];
  for (let index = 0; index < points.length; index++) {
    const [from, to] = [points[index], points[(index + 1) % points.length]];
    for (let segment = 1; segment <= EDGE_SEGMENTS; segment++) {
      const t = segment / EDGE_SEGMENTS;
      const x = A * (from[0] + t * (to[0] - from[0]));
      const y = equalAreaNorthing(Math.atan(Math.sinh(from[1] + t * (to[1] - from[1]))) / RAD);
      twice += (x0 - x) * (y0 + y); // trapezoid formula
      [x0, y0] = [x, y];
    }
  }
  return Math.abs(twice) / 2;
}

/** Format a length, like 12.3 m or 4.560 km. */
export const formatLength = (metres) => (metres < 1000 ? `${metres.toFixed(1)} m` : `${(metres / 1000).toFixed(3)} km`);

/** Format an area in mu and square metres; 1 mu is 10000/15 m². */
export const formatArea = (m2, mu) => `${((m2 * 15) / 10000).toFixed(2)} ${mu} (${Math.round(m2).toLocaleString("en")} m²)`;
