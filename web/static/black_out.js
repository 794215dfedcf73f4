// Black out parts of a photo: rectangles drawn with the pointer, or typed in per cent. The server makes the copy.
import { fill, notice, pageTexts, request } from "./tuban.js";

const t = pageTexts();
const stage = document.getElementById("stage");
const picture = stage.querySelector("img");
const count = document.getElementById("count");
const boxes = JSON.parse(stage.dataset.boxes);
let drawing = null; // corner where the pointer went down, as shares of the picture

const clamp = (value) => Math.min(1, Math.max(0, value));

function show() {
  for (const box of stage.querySelectorAll(".blacked")) box.remove();
  for (const [left, top, width, height] of boxes) {
    const box = document.createElement("div");
    box.className = "blacked";
    Object.assign(box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * width}%`, height: `${100 * height}%` });
    stage.append(box);
  }
  count.textContent = fill(t.count, { count: boxes.length });
}

function place(event) {
  const frame = picture.getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
}

const between = ([x1, y1], [x2, y2]) => [Math.min(x1, x2), Math.min(y1, y2), Math.abs(x1 - x2), Math.abs(y1 - y2)];

stage.addEventListener("pointerdown", (event) => {
  if (stage.dataset.allowed !== "true") return;
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  drawing = place(event);
  boxes.push([...drawing, 0, 0]);
});
stage.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  boxes[boxes.length - 1] = between(drawing, place(event));
  show();
});
stage.addEventListener("pointerup", () => {
  if (!drawing) return;
  drawing = null;
  const [, , width, height] = boxes.at(-1);
  if (width < 0.005 || height < 0.005) boxes.pop(); // a tap
  show();
});

document.getElementById("typed")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const [left, top, width, height] = ["left", "top", "width", "height"].map((name) => clamp(Number(event.target.elements[name].value) / 100));
  if (width && height) boxes.push([left, top, Math.min(width, 1 - left), Math.min(height, 1 - top)]);
  show();
});
document.getElementById("undo")?.addEventListener("click", () => (boxes.pop(), show()));
document.getElementById("clear")?.addEventListener("click", () => (boxes.splice(0), show()));
document.getElementById("save")?.addEventListener("click", async (event) => {
  event.target.disabled = true;
  try {
    await request(location.pathname, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ boxes }) });
    notice(t.saved, "good");
    picture.src = `${picture.dataset.address}?saved=${Date.now()}`;
  } catch (error) {
    notice(error.message);
  }
  event.target.disabled = false;
});
show();
