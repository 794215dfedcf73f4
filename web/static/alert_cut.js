// A straight cut over an outline: moved and turned by keys, or drawn as any line by the pointer.

const STEP = 1 / 40; // of the outline's diagonal
const TURN = 5; // degrees
const FINE = 1 / 5; // of both, with Shift
const LOOK = [["rgba(16,16,16,.9)", 5], ["#ffffff", 2.5]].map(([color, width]) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width, lineDash: width < 5 ? [8, 6] : undefined }) }));

/** The cut in the map's own coordinates: where it lies across itself, and how it is turned. */
class Cut {
  constructor(outline) {
    const [left, bottom, right, top] = outline.getExtent();
    const flat = outline.getFlatCoordinates();
    this.points = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
    this.centre = [(left + right) / 2, (bottom + top) / 2];
    this.reach = Math.hypot(right - left, top - bottom);
    this.degrees = right - left > top - bottom ? 90 : 0; // across the longer side
    this.offset = 0;
  }

  get across() {
    const turned = (this.degrees * Math.PI) / 180;
    return [Math.sin(turned), -Math.cos(turned)];
  }

  move(steps) {
    const [x] = this.across;
    this.offset += steps * STEP * this.reach * (x < -1e-9 ? -1 : 1); // to the right, however often it was turned
    this.keep();
  }

  turn(steps) {
    this.degrees += steps * TURN;
    this.keep();
  }

  /** It always crosses what the outline reaches over. */
  keep() {
    const [x, y] = this.across;
    const reached = this.points.map((point) => (point[0] - this.centre[0]) * x + (point[1] - this.centre[1]) * y);
    const within = 0.02 * (Math.max(...reached) - Math.min(...reached));
    this.offset = Math.min(Math.max(this.offset, Math.min(...reached) + within), Math.max(...reached) - within);
  }

  get line() {
    const [x, y] = this.across;
    const middle = [this.centre[0] + this.offset * x, this.centre[1] + this.offset * y];
    return [-1, 1].map((side) => [middle[0] - side * this.reach * y, middle[1] + side * this.reach * x]);
  }
}

/**
 * Ask for a cut through an outline; `drawn` is the map that the pointer draws on, `shown` are all that show the cut.
 * Has `done`, which resolves to longitudes and latitudes, or null when it was given up, and `leave`, which gives it up.
 */
export function askCut(outline, drawn, shown, hint) {
  const cut = new Cut(outline);
  const source = new ol.source.Vector();
  const layers = shown.map((map) => [map, new ol.layer.Vector({ source, style: LOOK, zIndex: 6 })]);
  const draw = new ol.interaction.Draw({ type: "LineString", source: new ol.source.Vector() });
  const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }; // moved, turned
  const show = () => (source.clear(), source.addFeature(new ol.Feature(new ol.geom.LineString(cut.line))));
  let end;

  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["Tab", "Shift", "+", "-"].includes(event.key)) return;
    event.preventDefault(); // no key means anything else meanwhile
    event.stopImmediatePropagation();
    if (event.key === "Escape") end(null);
    else if (event.key === "Enter" && !event.repeat) end(cut.line);
    else if (event.key in steps) {
      const [moved, turned] = steps[event.key].map((step) => step * (event.shiftKey ? FINE : 1));
      if (moved) cut.move(moved);
      else cut.turn(turned);
      show();
    }
  };
  const done = new Promise((resolve) => {
    end = (line) => {
      removeEventListener("keydown", press, true);
      drawn.removeInteraction(draw);
      for (const [map, layer] of layers) map.removeLayer(layer);
      hint.hidden = true;
      resolve(line && line.map((point) => ol.proj.toLonLat(point)));
    };
  });
  draw.on("drawstart", () => source.clear()); // theirs instead
  draw.on("drawend", ({ feature }) => end(feature.getGeometry().getCoordinates()));
  addEventListener("keydown", press, true);
  drawn.addInteraction(draw);
  for (const [map, layer] of layers) map.addLayer(layer);
  hint.hidden = false;
  show();
  return { done, leave: () => end(null) };
}
