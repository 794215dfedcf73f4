// The line along which an alert is split: a straight line controlled by keys, or any line drawn by pointer.

const STEP = 1 / 40; // of the outline's diagonal
const ROTATION = 5; // degrees
const FINE = 1 / 5; // factor of both with Shift
const STYLE = [["rgba(16,16,16,.9)", 5], ["#ffffff", 2.5]].map(([color, width]) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width, lineDash: width < 5 ? [8, 6] : undefined }) }));

/** A straight line in map coordinates, given by its offset from the outline's centre and its direction. */
class SplitLine {
  constructor(outline) {
    const [left, bottom, right, top] = outline.getExtent();
    const flat = outline.getFlatCoordinates();
    this.points = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
    this.centre = [(left + right) / 2, (bottom + top) / 2];
    this.diagonal = Math.hypot(right - left, top - bottom);
    this.degrees = right - left > top - bottom ? 90 : 0; // across the longer side
    this.offset = 0;
  }

  get normal() {
    const angle = (this.degrees * Math.PI) / 180;
    return [Math.sin(angle), -Math.cos(angle)];
  }

  move(steps) {
    const [x] = this.normal;
    this.offset += steps * STEP * this.diagonal * (x < -1e-9 ? -1 : 1); // always to the right, whatever its direction
    this.clamp();
  }

  rotate(steps) {
    this.degrees += steps * ROTATION;
    this.clamp();
  }

  /** Limit the offset so that the line always crosses the outline. */
  clamp() {
    const [x, y] = this.normal;
    const offsets = this.points.map((point) => (point[0] - this.centre[0]) * x + (point[1] - this.centre[1]) * y);
    const margin = 0.02 * (Math.max(...offsets) - Math.min(...offsets));
    this.offset = Math.min(Math.max(this.offset, Math.min(...offsets) + margin), Math.max(...offsets) - margin);
  }

  get ends() {
    const [x, y] = this.normal;
    const middle = [this.centre[0] + this.offset * x, this.centre[1] + this.offset * y];
    return [-1, 1].map((side) => [middle[0] - side * this.diagonal * y, middle[1] + side * this.diagonal * x]);
  }
}

/**
 * Let the user choose a line through an outline; `drawn` is the map for the pointer, `shown` are all that show the line.
 * Returns `done`, which resolves to longitudes and latitudes, or null if cancelled, and `cancel`.
 */
export function chooseSplitLine(outline, drawn, shown, hint) {
  const line = new SplitLine(outline);
  const source = new ol.source.Vector();
  const layers = shown.map((map) => [map, new ol.layer.Vector({ source, style: STYLE, zIndex: 6 })]);
  const draw = new ol.interaction.Draw({ type: "LineString", source: new ol.source.Vector() });
  const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }; // moves, rotations
  const show = () => (source.clear(), source.addFeature(new ol.Feature(new ol.geom.LineString(line.ends))));
  let finish;

  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["Tab", "Shift", "+", "-"].includes(event.key)) return;
    event.preventDefault(); // all other shortcuts are disabled meanwhile
    event.stopImmediatePropagation();
    if (event.key === "Escape") finish(null);
    else if (event.key === "Enter" && !event.repeat) finish(line.ends);
    else if (event.key in steps) {
      const [moved, rotated] = steps[event.key].map((step) => step * (event.shiftKey ? FINE : 1));
      if (moved) line.move(moved);
      else line.rotate(rotated);
      show();
    }
  };
  const done = new Promise((resolve) => {
    finish = (points) => {
      removeEventListener("keydown", press, true);
      drawn.removeInteraction(draw);
      for (const [map, layer] of layers) map.removeLayer(layer);
      hint.hidden = true;
      resolve(points && points.map((point) => ol.proj.toLonLat(point)));
    };
  });
  draw.on("drawstart", () => source.clear()); // the drawn line replaces it
  draw.on("drawend", ({ feature }) => finish(feature.getGeometry().getCoordinates()));
  addEventListener("keydown", press, true);
  drawn.addInteraction(draw);
  for (const [map, layer] of layers) map.addLayer(layer);
  hint.hidden = false;
  show();
  return { done, cancel: () => finish(null) };
}
