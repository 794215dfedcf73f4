// Swipe comparison of two sets of layers of one OpenLayers map; the bar is moved by pointer or arrow keys.

const STEP = 0.02;

export class Swipe {
  /** `map`: an OpenLayers map; `label`: of the bar for screen readers; `onMove(position)`: called for every move. */
  constructor(map, label, onMove = () => {}) {
    this.map = map;
    this.onMove = onMove;
    this.position = 0.5;
    this.keys = [];
    this.bar = document.createElement("div");
    this.bar.className = "swipe-bar";
    this.bar.tabIndex = 0;
    this.bar.hidden = true;
    for (const [name, value] of Object.entries({ role: "slider", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal" })) this.bar.setAttribute(name, value);
    map.getTargetElement().append(this.bar);
    this.bar.addEventListener("pointerdown", (event) => {
      this.bar.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    this.bar.addEventListener("pointermove", (event) => {
      if (!this.bar.hasPointerCapture(event.pointerId)) return;
      const box = map.getTargetElement().getBoundingClientRect();
      this.move((event.clientX - box.left) / box.width);
    });
    this.bar.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -STEP, ArrowRight: STEP, PageDown: -5 * STEP, PageUp: 5 * STEP, Home: -1, End: 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      event.stopPropagation();
      this.move(this.position + steps[event.key]);
    });
    this.updateBar();
  }

  /** Show the layers `left` and `right` on their sides of the bar; without arguments hide the bar. */
  setLayers(left = [], right = []) {
    ol.Observable.unByKey(this.keys);
    this.keys = [];
    this.bar.hidden = !left.length;
    if (left.length) {
      for (const layer of left) this.clip(layer, () => [0, this.position]);
      for (const layer of right) this.clip(layer, () => [this.position, 1]);
    }
    this.map.render();
  }

  clip(layer, side) {
    this.keys.push(
      layer.on("prerender", (event) => {
        const [width, height] = this.map.getSize();
        const [from, to] = side().map((share) => share * width);
        const context = event.context;
        context.save();
        context.beginPath();
        for (const [index, corner] of [[from, 0], [to, 0], [to, height], [from, height]].entries()) {
          context[index ? "lineTo" : "moveTo"](...ol.render.getRenderPixel(event, corner));
        }
        context.closePath();
        context.clip();
      }),
      layer.on("postrender", (event) => event.context.restore()),
    );
  }

  move(position) {
    this.position = Math.min(1, Math.max(0, position));
    this.updateBar();
    this.onMove(this.position);
  }

  updateBar() {
    this.bar.style.left = `${100 * this.position}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(100 * this.position)));
    this.map.render();
  }
}
